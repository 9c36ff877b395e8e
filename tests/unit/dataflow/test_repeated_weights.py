"""Weights that several products of a pass read: by hand on an unrolled cell, and the shipped LSTM in both engines."""

from types import SimpleNamespace

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE
from bisparse.dataflow.design_products import DesignProducts
from bisparse.dataflow.liveness import lives
from bisparse.dataflow.product_cost import MappedProducts
from bisparse.dataflow.residency import Residency, TileDemand
from bisparse.dataflow.scheduler import Mapper, build_schedule
from bisparse.dataflow.work_order import order_on
from bisparse.dataflow.works import TensorWork
from bisparse.sim.step.analytic import time_step
from bisparse.sim.witness.engines_compared import compare_engines
from bisparse.training.graph import MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

WIDTH, STEPS = 64, 3
SAT = load_hardware("sat-vcu1525").model
ROWS, SIDE = Size(per_sample=1), Size(fixed=WIDTH)


def product(stage, step, inputs, output, parameter="w"):
    m, k = (SIDE, Size(per_sample=STEPS)) if stage is Stage.WEIGHT_GRADIENT else (ROWS, SIDE)
    return Operator(
        name=f"cell:{stage.value}#{step}",
        kind="linear",
        stage=stage,
        module="cell",
        inputs=inputs,
        outputs=(output,),
        geometry=MatrixProduct(m=m, n=SIDE, k=k),
        parameter=parameter,
    )


def unrolled():
    """h1 = x w, h2 = h1 w, h3 = h2 w and back: forwards w is read three times, backwards twice."""
    state = (ROWS, SIDE)
    tensors = [Tensor(name="x", shape=state, role="input"), Tensor(name="w", shape=(SIDE, SIDE), role="parameter")]
    tensors += [Tensor(name=f"h{step}", shape=state, role="activation") for step in (1, 2, 3)]
    tensors += [Tensor(name=f"d{step}", shape=state, role="gradient") for step in (3, 2, 1)]
    tensors += [Tensor(name="dw", shape=(SIDE, SIDE), role="parameter_gradient")]
    loss = Operator(
        name="loss", kind="softmax_backward", stage=Stage.BACKWARD, module="", inputs=("h3",), outputs=("d3",),
        elements=ROWS * WIDTH,
    )  # fmt: skip
    update = Operator(
        name="w:update", kind="parameter_update", stage=Stage.UPDATE, module="", inputs=("w", "dw"), outputs=(),
        parameter="w", elements=Size(fixed=WIDTH * WIDTH),
    )  # fmt: skip
    operators = (
        product(Stage.FORWARD, 1, ("x", "w"), "h1"),
        product(Stage.FORWARD, 2, ("h1", "w"), "h2"),
        product(Stage.FORWARD, 3, ("h2", "w"), "h3"),
        loss,
        product(Stage.BACKWARD, 3, ("d3", "w"), "d2"),
        product(Stage.BACKWARD, 2, ("d2", "w"), "d1"),
        product(Stage.WEIGHT_GRADIENT, 1, ("h2", "d3"), "dw"),
        update,
    )
    return TrainingGraph(
        name="a cell, unrolled",
        source="by hand",
        default_batch=4,
        tensors={each.name: each for each in tensors},
        operators=operators,
    )


def schedule(graph, recipe="dense", ratio=None, *, keep=True, pre_generation=True, batch=4, hardware=SAT):
    pattern = parse_format(ratio) if ratio else DENSE
    pruned = annotate(graph, load_recipe(recipe).model, pattern, pre_generation=pre_generation)
    return build_schedule(
        pruned, Mapper(hardware=hardware), batch=batch, optimizer="sgd-momentum", overlap_update=True, keep_on_chip=keep
    )


def weights(schedule):
    return {each.tensor: each for each in schedule.resident if each.tensor.startswith("w in ")}


def dram_bytes(step):
    products = [cost for time in step.works for cost in time.costs]
    demands = [time.work.demand() for time in step.works]
    moved = sum(cost.read_bytes + cost.write_bytes for cost in products)
    return moved + sum(demand.read_bytes + demand.write_bytes for demand in demands)


def test_a_pass_fetches_a_weight_once_and_the_others_find_it_there():
    """Forwards two of three readings are saved, backwards one of two; the weight stays for each pass alone."""
    held = weights(schedule(unrolled()))
    size = 2 * WIDTH * WIDTH
    assert {(name, each.first, each.last, each.held_bytes, each.saved_bytes) for name, each in held.items()} == {
        ("w in FF", 0, 2, size, 2 * size),
        ("w in BP", 4, 5, size, size),
    }


def test_the_product_that_fetches_it_reads_memory():
    on_chip = {
        work.operator: "b" in work.products[0].gemm.on_chip
        for work in schedule(unrolled()).works
        if isinstance(work, TensorWork) and work.stage is not Stage.WEIGHT_GRADIENT
    }
    assert on_chip == {
        "cell:FF#1": False,
        "cell:FF#2": True,
        "cell:FF#3": True,
        "cell:BP#3": False,
        "cell:BP#2": True,
    }


@pytest.mark.parametrize(("recipe", "ratio"), [("dense", None), ("bdwp", "2:8"), ("static-masks", "75%")])
def test_bytes_saved_are_the_bytes_no_longer_moved(recipe, ratio):
    hardware = load_hardware("sat-unstructured").model
    kept = schedule(unrolled(), recipe, ratio, hardware=hardware)
    before = time_step(schedule(unrolled(), recipe, ratio, keep=False, hardware=hardware))
    after = time_step(kept)
    assert set(weights(kept)) == {"w in FF", "w in BP"}
    assert dram_bytes(before) - dram_bytes(after) == sum(each.saved_bytes for each in kept.resident)
    assert after.total_cycles <= before.total_cycles


def test_a_compressed_weight_takes_the_bytes_of_its_stream():
    """Two of eight values of two bytes and three bits each."""
    held = weights(schedule(unrolled(), "bdwp", "2:8"))
    assert {each.held_bytes for each in held.values()} == {WIDTH * WIDTH // 4 * 19 // 8}


def test_a_weight_that_is_pruned_on_its_way_in_stays_as_it_lies_in_memory():
    held = weights(schedule(unrolled(), "bdwp", "2:8", pre_generation=False))
    assert {each.held_bytes for each in held.values()} == {2 * WIDTH * WIDTH}


def test_it_stays_where_tiles_leave_room_and_not_else():
    """At the bound of the spare room of every product in between, to the byte."""
    plain = schedule(unrolled(), keep=False)
    work = plain.works[1]
    mapped = MappedProducts.of(work.products[0].gemm, SAT, work.products[0].mapping)
    tiles = int(TileDemand.of(mapped).held_bytes[0])
    others = 2 * (4 * WIDTH * 2)  # two states
    assert set(weights(with_room(plain, tiles + others + 2 * WIDTH * WIDTH))) == {"w in FF", "w in BP"}
    assert set(weights(with_room(plain, tiles + 2 * WIDTH * WIDTH - 1))) == set()


def with_room(plain, room):
    """What stays with the mappings of a schedule and this much of buffers."""
    order = order_on(plain.pruned, plain.hardware.vector_engine)
    products = DesignProducts(hardware=plain.hardware)
    residency = Residency(order=order, works=plain.works, batch=plain.batch, precision="fp16")
    demands = [[products.demand(product) for product in work.products] for work in plain.works]
    return SimpleNamespace(resident=residency.choose(demands, np.array([room])).of_design(0))


def test_memory_holds_it_once_all_the_same():
    """On chip is a copy: no tensor within the step comes of it."""
    order = order_on(schedule(unrolled()).pruned, SAT.vector_engine)
    assert not {life.tensor for life in lives(order)} & {weight.name for weight in order.repeated}


def test_no_shipped_network_but_the_recurrent_one_reads_a_weight_twice_in_a_pass():
    for name in ("resnet9-cifar10", "vit-cifar10", "gpt2-small"):
        pruned = annotate(load_workload(name).graph, load_recipe("dense").model, DENSE, pre_generation=True)
        assert order_on(pruned, SAT.vector_engine).repeated == ()


def test_an_lstm_reads_its_recurrent_weight_once_a_pass():
    """32 readings forwards and 31 backwards of 2 MiB each: all but one of a pass are saved, in both engines alike."""
    step = schedule(load_workload("lstm-text").graph, batch=8)
    saved = {each.tensor: each.saved_bytes for each in step.resident if " in " in each.tensor}
    size = 2 * 4 * 512 * 512
    assert saved == {"cells.weight_hh_l0 in FF": 31 * size, "cells.weight_hh_l0 in BP": 30 * size}
    assert compare_engines(step).step_share < 1e-3
