"""The analytic step on networks small enough to work out by hand. The arithmetic stands in the docstrings."""

import math
from dataclasses import replace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.scheduler import Mapper, build_schedule
from bisparse.dataflow.works import Access, ChainedVectorWork, Fused, TensorWork, UpdateWork, VectorWork
from bisparse.sim.step.analytic import time_step
from bisparse.training.graph import MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe

SAT = load_hardware("sat-vcu1525").model
"""200 MHz, 384 bytes of DRAM a cycle, 40 cycles of latency, 32 lanes in every engine."""

SIZE = Size(fixed=256)


def tensor(name, role):
    return Tensor(name=name, shape=(SIZE, SIZE), role=role)


def product(name, stage, inputs, output, parameter="w"):
    geometry = MatrixProduct(m=SIZE, n=SIZE, k=SIZE)
    return Operator(
        name=name, kind="linear", stage=stage, module="layer", inputs=inputs, outputs=(output,), geometry=geometry,
        parameter=parameter,
    )  # fmt: skip


def vector(name, kind, inputs, output):
    return Operator(
        name=name, kind=kind, stage=Stage.FORWARD, module="layer", inputs=inputs, outputs=(output,),
        elements=Size(fixed=256 * 256),
    )  # fmt: skip


GRAPH = TrainingGraph(
    name="one layer",
    source="by hand",
    default_batch=1,
    tensors={
        each.name: each
        for each in (
            tensor("x", "input"),
            tensor("w", "parameter"),
            tensor("y", "activation"),
            tensor("z", "activation"),
            tensor("seed", "gradient"),
            tensor("dx", "gradient"),
            tensor("dw", "parameter_gradient"),
        )
    },
    operators=(
        product("layer:FF", Stage.FORWARD, ("x", "w"), "y"),
        vector("relu:FF", "relu", ("y",), "z"),
        product("layer:WU", Stage.WEIGHT_GRADIENT, ("x", "seed"), "dw"),
        product("layer:BP", Stage.BACKWARD, ("seed", "w"), "dx"),
        Operator(
            name="w:update", kind="parameter_update", stage=Stage.UPDATE, module="layer", inputs=("w", "dw"),
            outputs=(), parameter="w", elements=Size(fixed=256 * 256),
        ),
    ),
)  # fmt: skip


def schedule(recipe="dense", hardware=SAT, overlap=False, sparsity="2:8"):
    pruned = annotate(GRAPH, load_recipe(recipe).model, Pattern.parse(sparsity), pre_generation=True)
    return build_schedule(pruned, Mapper(hardware=hardware), batch=1, optimizer="sgd-momentum", overlap_update=overlap)


def with_engine(name, **fields):
    return SAT.model_copy(update={name: getattr(SAT, name).model_copy(update=fields)})


def test_an_update_alone_takes_its_bytes_over_the_bandwidth_and_one_latency():
    """65536 weights: 12 + 8 + 2 bytes each, 1441792 bytes / 384 = 3754.7 -> 3755 cycles; lanes need 2048; + 40."""
    (update,) = time_step(schedule()).updates
    assert (update.update_cycles, update.dram_cycles, update.reduction_cycles) == (2048, 3755, 0)
    assert (update.exposed_update, update.exposed_reduction) == (3795, 0)


def test_bdwp_writes_two_streams_and_a_mask_in_place_of_the_dense_copy():
    """Two streams of 65536 / 4 pairs of 19 bits, 38912 bytes each; a mask of 8192 bytes is written, and read."""
    (work,) = schedule("bdwp").updates
    assert work.write_bytes == 65536 * 8 + 2 * 38912 + 8192
    assert work.read_bytes == 65536 * 12 + 8192
    assert work.reductions == ((65536, 2, 8), (65536, 2, 8))


def test_the_reduction_is_exposed_only_beyond_update_and_memory():
    """One sorter lane: 2 x 65536 cycles against (65536 x 20 + 77824 + 16384) / 384 -> 3659 of DRAM."""
    step = time_step(schedule("bdwp", with_engine("reduction_engine", lanes=1)))
    (update,) = step.updates
    assert update.reduction_cycles == 131072
    assert update.dram_cycles == 3659
    assert update.exposed_update + update.exposed_reduction == 131072 + 40
    assert update.exposed_reduction == 131072 - 3659


def test_an_update_hides_in_the_dram_time_that_later_work_leaves_idle():
    """One channel, 96 bytes a cycle: the update takes 1441792 / 96 -> 15019 + 40 cycles alone.

    BP runs beside it. Each cycle of the update takes 15019/15059 of a cycle of DRAM, so it advances by BP's idle DRAM
    time times 15059/15019 (BP is longer than that), and the rest is exposed.
    """
    design = with_engine("dram", channels=1)
    alone, beside = time_step(schedule(hardware=design)), time_step(schedule(hardware=design, overlap=True))
    backward, (exposed,), (left,) = beside.works[-1], alone.updates, beside.updates
    assert exposed.exposed_update == 15059
    idle = backward.cycles - backward.dram_cycles
    assert left.exposed_update == math.ceil(15059 - idle * 15059 / 15019) > 0
    assert alone.total_cycles - beside.total_cycles == exposed.exposed_update - left.exposed_update


def test_an_update_that_fits_beside_later_work_costs_nothing():
    (update,) = time_step(schedule(overlap=True)).updates
    assert (update.exposed_update, update.exposed_reduction, update.hidden_cycles) == (0, 0, 3755)


def test_a_relu_rides_on_the_product_before_it_and_costs_no_memory():
    works = schedule().works
    assert [type(work) for work in works] == [TensorWork, TensorWork, TensorWork]
    (relu,) = works[0].fused.works
    assert (relu.operator, relu.read_bytes, relu.write_bytes) == ("relu:FF", 0, 0)
    assert relu.lane_operations == 65536


def test_a_write_back_that_the_lanes_hold_up_waits_for_the_vector_engine():
    """Two tiles of 128 x 256 results, 32768 cycles each on one lane.

    First loads 553, tile 1 takes 8389; then tile 2 beside the lanes, max(8389, 32768); then the lanes alone, 32768.
    """
    forward = time_step(schedule(hardware=with_engine("vector_engine", lanes=1))).works[0]
    assert [str(product.mapping) for product in forward.work.products] == [
        "OS, interleave 1x4, tile 128x256x256, loops mnk"
    ]
    assert forward.cycles == 553 + 8389 + 32768 + 32768
    assert forward.causes["dependence"] == 32768 - 8389 + 32768
    assert sum(forward.causes.values()) == forward.cycles


def test_a_write_back_that_memory_holds_up_waits_on_the_output_side():
    """Two tiles, each with half of 10 million bytes to read on its way out, as fast as its results are stored.

    A tile's 65536 result bytes take 171 cycles; with 5000000 more, 171 x (65536 + 5000000) / 65536 -> 13218.
    """
    plan = schedule()
    heavy = VectorWork(
        operator="extra", module="layer", kind="add", stage=Stage.FORWARD, lane_operations=1,
        reads=(Access(tensor="other", tensor_bytes=10**7),),
    )  # fmt: skip
    host = replace(plan.works[0], fused=Fused(works=(heavy,)))
    forward = time_step(replace(plan, works=(host, *plan.works[1:]))).works[0]
    assert forward.cycles == 553 + 8389 + 13218 + 13218
    assert forward.causes["output"] == 13218 - 8389 + 13218 - 1
    assert forward.causes["dependence"] == 1, "the last result's one lane operation, before its store goes on"


def test_vector_work_takes_the_longer_of_lanes_and_memory_and_one_latency():
    """32000 lane operations / 32 = 1000 cycles; 3840 bytes / 384 = 10. And 384000 bytes: 1000 against 10."""

    def cycles(operations, moved):
        work = VectorWork(
            operator="v", module="", kind="add", stage=Stage.FORWARD, lane_operations=operations,
            reads=(Access(tensor="x", tensor_bytes=moved),),
        )  # fmt: skip
        plan = replace(schedule(), works=(ChainedVectorWork(head=work),), updates=())
        return time_step(plan).total_cycles

    assert cycles(32000, 3840) == 1040
    assert cycles(320, 384000) == 1040


def test_a_faster_step_never_exposes_more_than_it_saves():
    """The same schedule on ports one byte wider, over and over: the step never grows."""
    plan = schedule("bdwp", overlap=True)
    west = SAT.buffers.west
    totals = []
    for width in range(8, 300, 7):
        buffers = SAT.buffers.model_copy(update={"west": west.model_copy(update={"port_bytes_per_cycle": width})})
        totals.append(time_step(replace(plan, hardware=SAT.model_copy(update={"buffers": buffers}))).total_cycles)
    assert totals == sorted(totals, reverse=True)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_what_a_product_writes_is_what_its_reader_reads(precision):
    hardware = with_engine("tensor_engine", precision=precision)
    unfused = hardware.model_copy(update={"vector_engine": hardware.vector_engine.model_copy(update={"fused": ()})})
    forward, relu, *_ = time_step(schedule(hardware=unfused)).works
    (cost,) = forward.costs
    assert cost.write_bytes == relu.work.head.read_bytes == relu.work.head.write_bytes


def test_an_update_waits_for_its_gradient():
    (update,) = schedule(overlap=True).updates
    assert isinstance(update, UpdateWork)
    assert update.ready_after == 1


def test_a_rescaled_gradient_is_read_twice_and_written_once_before_its_product():
    """65536 elements, 2 bytes each, 2 lane operations each: 4096 cycles of the lanes, 3 x 131072 / 384 = 1024 of DRAM;
    + 40. The product reads the copy, and reduces it on its way in."""
    works = time_step(schedule("sdgp-maxnorm")).works
    rescale, product = works[-2:]
    assert (rescale.work.head.operator, rescale.cycles) == ("layer:BP:rescale", 4096 + 40)
    assert (rescale.work.head.read_bytes, rescale.work.head.write_bytes) == (2 * 131072, 131072)
    assert product.work.operands[0] == "layer:BP:rescale"
    assert product.work.products[0].gemm.reduced_on_load
    assert [work.cycles for work in time_step(schedule("sdgp")).works] == [
        each.cycles for each in works if each is not rescale
    ]


def test_a_frozen_second_moment_is_read_and_not_written():
    """Adam: 16 + 12 + 2 bytes a weight, 8 multiplications, 3 additions; frozen 4 bytes, 3 and 1 fewer."""

    def update(optimizer):
        pruned = annotate(GRAPH, load_recipe("dense").model, Pattern(1, 1), pre_generation=True)
        return build_schedule(pruned, Mapper(hardware=SAT), batch=1, optimizer=optimizer, overlap_update=False).updates[
            0
        ]

    adam, watched, frozen = map(update, ("adam", "adam-watched", "adam-frozen"))
    assert (adam.read_bytes, adam.write_bytes) == (65536 * 16, 65536 * 14) == (watched.read_bytes, watched.write_bytes)
    assert (frozen.read_bytes, frozen.write_bytes) == (65536 * 16, 65536 * 10)
    assert (adam.multiplies, adam.accumulates) == (65536 * 8, 65536 * 3)
    assert (watched.multiplies, watched.accumulates) == (65536 * 8, 65536 * 5), "and the sum of what v moved by"
    assert (frozen.multiplies, frozen.accumulates) == (65536 * 5, 65536 * 2)
