"""The laws of the hardware model that bind one mapped product: bounds, monotony, conservation, N:M against dense."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.exploits import Exploits, UnstructuredSkipping
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.formats.skipped import met_by
from bisparse.dataflow.gemm import PLAIN, Gemm
from bisparse.dataflow.lowering import lower
from bisparse.dataflow.mapping import LOOP_ORDERS, Mapping, array_mappings
from bisparse.dataflow.objective import slowest_alike
from bisparse.dataflow.product_cost import MappedProducts, product_cost
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.tile_grid import TileGrid
from bisparse.sim.witness.traffic_agreement import random_tiling
from bisparse.training.graph import MatrixProduct, Operator, Size, Stage
from bisparse.training.recipes.annotation import Pruning
from hypothesis import assume, given, settings
from hypothesis import strategies as st

SAT = load_hardware("sat-vcu1525").model
ROOMY = {side: getattr(SAT.buffers, side).model_copy(update={"capacity_bytes": 1 << 30}) for side in ("west", "north")}
OUTPUT = {"output": SAT.buffers.output.model_copy(update={"capacity_bytes": 1 << 30})}


def changed(hardware, section, **values):
    """The design with some fields of a section changed."""
    return hardware.model_copy(update={section: getattr(hardware, section).model_copy(update=values)})


def with_port(hardware, side, width):
    port = getattr(hardware.buffers, side).model_copy(update={"port_bytes_per_cycle": width})
    return changed(hardware, "buffers", **{side: port})


@st.composite
def mapped_products(draw):
    """A product, a design and any legal mapping of it."""
    case = random_tiling(draw(st.integers(0, 2**32 - 1)))
    hardware, overlapped = changed(case.hardware, "buffers", **ROOMY, **OUTPUT), draw(st.booleans())
    hardware = changed(
        hardware,
        "tensor_engine",
        patterns=("1:2", "2:4", "1:8", "2:8", "3:8", "2:16"),
        dataflows=("os", "ws", "is"),
        compressed_west=True,
        compressed_moving=True,
        overlapped=overlapped,
        tile_overlap=overlapped and draw(st.booleans()),
        drain=draw(st.sampled_from(["shift", "wire"])),
        # Groups that the tiles are cut in.
        exploits=Exploits(unstructured=UnstructuredSkipping(group=case.gemm.pattern.unit, lockstep=4, queue=2)),
    )
    hardware = changed(hardware, "dram", channels=draw(st.integers(1, 4)))
    for side in ("west", "north", "output"):
        hardware = with_port(hardware, side, draw(st.sampled_from([2, 16, 128])))
    gemm = met_by(case.gemm, hardware)
    array = draw(st.sampled_from(array_mappings(hardware.tensor_engine, gemm)))
    mapping = Mapping(array=array, tile_m=case.tile_m, tile_n=case.tile_n, tile_k=case.tile_k, order=case.order)
    return gemm, hardware, mapping


@settings(max_examples=200, deadline=None)
@given(mapped_products())
def test_no_mapping_beats_its_compute_bound_or_its_traffic(mapped):
    gemm, hardware, mapping = mapped
    cost = product_cost(gemm, hardware, mapping)
    assert cost.cycles * hardware.peak_macs_per_cycle >= gemm.issued_macs
    assert cost.cycles * hardware.dram_bytes_per_cycle >= cost.read_bytes + cost.write_bytes
    assert cost.actions["dram_bits"] == 8 * (cost.read_bytes + cost.write_bytes)
    for side, moved in cost.port_bytes.items():
        assert cost.cycles * getattr(hardware.buffers, side).port_bytes_per_cycle >= moved


@settings(max_examples=50, deadline=None)
@given(mapped_products(), st.integers(2, 5))
def test_more_bandwidth_wider_ports_or_more_lanes_never_slow_a_mapping(mapped, times):
    gemm, hardware, mapping = mapped
    before = product_cost(gemm, hardware, mapping).cycles
    engine, dram = hardware.reduction_engine, hardware.dram
    faster = [
        changed(hardware, "dram", channels=dram.channels * times),
        changed(hardware, "dram", channel_bytes_per_second=dram.channel_bytes_per_second * 1.1),
        changed(hardware, "dram", latency_seconds=dram.latency_seconds / times),
        changed(hardware, "reduction_engine", lanes=engine.lanes * times),
        changed(hardware, "reduction_engine", lanes=engine.lanes + 1),
    ]
    for side in ("west", "north", "output"):
        width = getattr(hardware.buffers, side).port_bytes_per_cycle
        faster += [with_port(hardware, side, width * times), with_port(hardware, side, width + 1)]
    assert [better for better in faster if product_cost(gemm, better, mapping).cycles > before] == []


@settings(max_examples=150, deadline=None)
@given(mapped_products())
def test_what_fills_a_buffer_was_read_upstream(mapped):
    gemm, hardware, mapping = mapped
    # Nothing comes in beside what memory has: no zeros are put back, nothing is thinned out.
    assume(gemm.form == PLAIN and not gemm.reduced_on_load and not {"a", "b"} & set(gemm.on_chip))
    cost = product_cost(gemm, hardware, mapping)
    filled = cost.actions["west_write_bits"] + cost.actions["north_write_bits"]
    # The output buffer is filled by the array and, with partial sums, by DRAM; the array writes what its port carried.
    by_array = 8 * (cost.port_bytes["output"] + 4 * gemm.count * gemm.m * gemm.n) // 2
    assert filled + cost.actions["output_write_bits"] - by_array == 8 * cost.read_bytes


@settings(max_examples=70, deadline=None)
@given(mapped_products(), st.sets(st.sampled_from("abc"), min_size=1))
def test_what_stays_on_chip_costs_no_traffic_and_never_time(mapped, places):
    gemm, hardware, mapping = mapped
    from_memory = product_cost(replace(gemm, on_chip=()), hardware, mapping)
    kept = product_cost(replace(gemm, on_chip=tuple(sorted(places))), hardware, mapping)
    alone = [product_cost(replace(gemm, on_chip=(place,)), hardware, mapping) for place in places]
    assert kept.cycles <= from_memory.cycles
    assert sum(kept.causes.values()) == kept.cycles
    saved = sum(from_memory.read_bytes + from_memory.write_bytes - each.read_bytes - each.write_bytes for each in alone)
    assert saved == from_memory.read_bytes + from_memory.write_bytes - kept.read_bytes - kept.write_bytes > 0
    assert kept.reduced_elements == from_memory.reduced_elements
    # The tiles are filled as before; only where they are filled from differs.
    different = {name for name, number in kept.actions.items() if number != from_memory.actions[name]}
    assert different == {"dram_bits"}


def test_a_gradient_on_chip_still_passes_the_reduction_engine():
    """256 x 256 values in groups of 8, one lane: 256 x 256 / 8 x 8 = 65536 cycles of sorting, DRAM or not."""
    gemm = Gemm(
        name="sdgp", operator="sdgp", stage=Stage.BACKWARD, m=256, n=32, k=256, a=Pattern(2, 8),
        reduced_on_load="a", on_chip=("a", "b", "c"),
    )  # fmt: skip
    design = changed(SAT, "tensor_engine", compressed_west=True, dataflows=("os",))
    design = changed(design, "reduction_engine", lanes=1)
    cost = product_cost(gemm, design, best_mapping(gemm, design).mapping)
    assert cost.read_bytes == cost.write_bytes == 0
    assert cost.reduced_elements == 65536 * (cost.actions["compares"] // (2 * 65536))
    assert cost.dram_cycles == 0
    assert cost.cycles > 65536


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(256, 4096), st.sampled_from(["west", "north", "output"]))
def test_a_larger_buffer_never_slows_the_best_mapping(seed, capacity, side):
    case = random_tiling(seed)
    gemm = case.gemm
    assume(gemm.compressed != "a")
    hardware = changed(case.hardware, "tensor_engine", patterns=("1:2", "2:4", "1:8", "2:8", "3:8", "2:16"))
    for each in ("west", "north", "output"):
        buffer = getattr(hardware.buffers, each).model_copy(update={"capacity_bytes": capacity})
        hardware = changed(hardware, "buffers", **{each: buffer})
    larger = getattr(hardware.buffers, side).model_copy(update={"capacity_bytes": capacity + 64 + seed % 5000})
    try:
        small = best_mapping(gemm, hardware)
    except MappingError:
        return
    large = best_mapping(gemm, changed(hardware, "buffers", **{side: larger}))
    # What is hardly slower than the fastest is as good, if it moves fewer bytes.
    assert large.cycles <= slowest_alike(small.cycles)
    assert large.candidates >= small.candidates


def fully_connected(m, n, k):
    return Operator(
        name="layer:FF",
        kind="linear",
        stage=Stage.FORWARD,
        module="layer",
        inputs=("x", "w"),
        outputs=("y",),
        geometry=MatrixProduct(m=Size(fixed=m), n=Size(fixed=n), k=Size(fixed=k)),
        parameter="w",
    )


def pruned_to(text, operator, operand="weight"):
    pruning = Pruning(operand=operand, pattern=Pattern.parse(text), reduced_on_load=False)
    return lower(operator, 1, pruning)


@pytest.mark.parametrize("pattern", ["1:1", "4:4", "8:8", "32:32"])
def test_keeping_all_of_every_group_is_dense(pattern):
    operator = fully_connected(640, 96, 256)
    assert pruned_to(pattern, operator) == lower(operator, 1)


COMPUTE_BOUND = [(4096, 512, 2048), (2048, 2048, 1024), (6272, 256, 2304), (1000, 500, 1920)]


@pytest.mark.parametrize(("m", "n", "k"), COMPUTE_BOUND)
@pytest.mark.parametrize("dataflow", ["os", "ws", None])
def test_fewer_kept_values_never_slow_a_compute_bound_product(m, n, k, dataflow):
    hardware = changed(SAT, "dram", channel_bytes_per_second=1e15, latency_seconds=0.0)
    for side in ("west", "north", "output"):
        hardware = with_port(hardware, side, 1 << 20)
    only = None if dataflow is None else (dataflow,)
    operator = fully_connected(m, n, k)
    dense = best_mapping(lower(operator, 1).gemms[0], hardware, dataflows=only).cycles
    cycles = {
        text: best_mapping(pruned_to(text, operator).gemms[0], hardware, dataflows=only).cycles
        for text in ("1:8", "2:16", "2:8", "2:4")
    }
    assert cycles["1:8"] <= cycles["2:8"] <= cycles["2:4"] <= dense
    # The same density in larger groups: the same slots under OS, coarser residence under WS.
    assert cycles["1:8"] <= cycles["2:16"] <= cycles["2:8"]


@pytest.mark.parametrize("channels", [16, 64, 48])
def test_equal_densities_issue_equally_where_the_larger_group_divides(channels):
    narrow, wide = (pruned_to(text, fully_connected(8, 8, channels)).gemms[0] for text in ("1:8", "2:16"))
    assert narrow.issued_macs == wide.issued_macs
    # One more bit an index.
    assert TileGrid.ladder(wide, SAT).stored("b").index_bits == TileGrid.ladder(narrow, SAT).stored("b").index_bits + 1


def test_a_short_last_group_keeps_more_of_the_larger_pattern():
    narrow, wide = (pruned_to(text, fully_connected(8, 8, 24)).gemms[0] for text in ("1:8", "2:16"))
    assert (narrow.slots, wide.slots) == (3, 4)


@settings(max_examples=100, deadline=None)
@given(mapped_products())
def test_issued_macs_are_those_of_all_tiles(mapped):
    gemm, hardware, mapping = mapped
    cost = product_cost(gemm, hardware, mapping)
    assert cost.actions["multiplies"] == gemm.issued_macs
    tiles = MappedProducts.of(gemm, hardware, mapping).tiles
    outputs = tiles.size_m[0][:, None, None] * tiles.size_n[0][None, :, None]
    slots = gemm.count * int((outputs * tiles.slots[0] * tiles.counts[0]).sum())
    # Over zeros without a rule PEs wait for each other.
    waits = gemm.compressed and gemm.pattern.is_irregular
    assert slots >= gemm.issued_macs if waits else slots == gemm.issued_macs


def test_counts_of_a_huge_product_do_not_overflow():
    """A vocabulary projection: 10^17 bit hops, counted in whole numbers that Python has no limit for."""
    gemm = Gemm(
        name="logits",
        operator="logits",
        stage=Stage.FORWARD,
        m=512 * 1024,
        n=64 * 1024,
        k=8192,
        count=4,
    )
    hardware = load_hardware("datacenter-128x128").model
    for dataflow in ("os", "ws"):
        array = next(a for a in array_mappings(hardware.tensor_engine, gemm, (dataflow,)) if not a.swapped)
        grid = TileGrid.ladder(gemm, hardware)
        fitting = np.flatnonzero(grid.fits(a_in_west=True) & (grid.size_m[:, 0] == 1024) & (grid.trips["k"] > 1))
        sizes = [int(size[fitting[0], 0]) for size in (grid.size_m, grid.size_n, grid.size_k)]
        assert gemm.m % sizes[0] == gemm.n % sizes[1] == gemm.k % sizes[2] == 0
        trips = [gemm.m // sizes[0], gemm.n // sizes[1], gemm.k // sizes[2]]
        engine, precision = hardware.tensor_engine, grid.value_bytes
        for order in LOOP_ORDERS:
            mapping = Mapping(array=array, tile_m=sizes[0], tile_n=sizes[1], tile_k=sizes[2], order=order)
            cost = product_cost(gemm, hardware, mapping)
            # West: A, once a fold along n.
            folds = trips[1] * -(-sizes[1] // engine.cols)
            assert cost.port_bytes["west"] == gemm.count * gemm.m * gemm.k * precision * folds
            assert cost.actions["west_read_bits"] == 8 * cost.port_bytes["west"]
            assert cost.actions["link_bits"] >= cost.actions["west_read_bits"] * engine.cols
            assert cost.cycles * hardware.peak_macs_per_cycle >= gemm.issued_macs
            assert min(cost.actions.values()) >= 0


def test_a_pattern_on_the_moving_operand_needs_registers_for_whole_groups():
    engine = SAT.tensor_engine.model_copy(update={"compressed_moving": True, "register_depth": 7, "dataflows": ("ws",)})
    gemm = replace(pruned_to("2:8", fully_connected(64, 64, 64), "gradient").gemms[0])
    with pytest.raises(
        MappingError, match="register_depth that holds a group; this engine offers ws with register_depth 7"
    ):
        array_mappings(engine, gemm)
