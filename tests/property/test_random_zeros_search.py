"""The mapping search over zeros without a rule finds what trying every mapping finds, with and without kernels."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.exploits import BlockSkipping, Exploits, UnstructuredSkipping
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE
from bisparse.dataflow.compiled import numba_build
from bisparse.dataflow.design_table import DesignTable
from bisparse.dataflow.formats.skipped import met_by
from bisparse.dataflow.forms import best_form, search_forms
from bisparse.dataflow.mapping import LOOP_ORDERS, Mapping, array_mappings
from bisparse.dataflow.objective import slowest_alike
from bisparse.dataflow.product_cost import product_cost
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.search_compiled import compiled_choice
from bisparse.dataflow.tiling import axis_ladders
from bisparse.sim.product.single_product import plain_product

from .wild_designs import Draw, wild_numbers

PRESET = load_hardware("sat-vcu1525").model


def small(seed):
    """A product with random zeros and a design, so small that every mapping can be tried."""
    draw = np.random.default_rng(seed)

    def one_of(*choices):
        return choices[draw.integers(len(choices))]

    latency = one_of(1, 2, 3)
    skipping = UnstructuredSkipping(group=one_of(2, 4, 8), lockstep=one_of(1, 2, 8), queue=one_of(1, 2))
    engine = PRESET.tensor_engine.model_copy(
        update={
            "rows": one_of(2, 3, 4),
            "cols": one_of(2, 3, 4),
            "mac_latency": latency + one_of(0, 2),
            "accumulate_latency": latency,
            "register_depth": one_of(1, 2, 4),
            "overlapped": one_of(True, False),
            "drain": one_of("shift", "wire"),
            "dataflows": one_of(("os",), ("os", "ws")),
            "swap_operands": one_of(True, False),
            "exploits": Exploits(
                unstructured=one_of(skipping, skipping, None), block=one_of(None, BlockSkipping(sizes=("2x2", "4x1")))
            ),
        }
    )
    sides = {
        side: getattr(PRESET.buffers, side).model_copy(
            update={"capacity_bytes": one_of(80, 200, 1000), "port_bytes_per_cycle": one_of(1, 4, 16)}
        )
        for side in ("west", "north", "output")
    }
    dram = PRESET.dram.model_copy(
        update={"channels": 1, "channel_bytes_per_second": one_of(1, 8, 64) * 1e9, "burst_bytes": one_of(1, 8)}
    )
    hardware = PRESET.model_copy(
        update={
            "clock_hz": 1e9,
            "tensor_engine": engine,
            "buffers": PRESET.buffers.model_copy(update=sides),
            "dram": dram,
        }
    )
    sparse = parse_format(
        one_of("50%", "80% as rows", "95% as run-length", "75% block 2x2", "60% block 4x1 as index", "60% in each row")
    )
    m, n, k = (int(draw.integers(1, 7)) for _ in range(3))
    gemm = replace(plain_product(m, n, k, sparse), count=one_of(1, 2))
    gemm = gemm if one_of("b", "b", "a") == "b" else replace(gemm, a=gemm.b, b=DENSE)
    return met_by(gemm, hardware), hardware


@pytest.mark.parametrize("seed", range(16))
def test_the_search_finds_what_trying_every_mapping_finds(seed):
    gemm, hardware = small(seed)
    found = []
    try:
        arrays = array_mappings(hardware.tensor_engine, gemm)
    except MappingError:
        arrays = ()
    sizes = [axis.size[:, 0].tolist() for axis in axis_ladders(gemm, hardware)]
    for array, m, n, k, order in itertools.product(arrays, *sizes, LOOP_ORDERS):
        mapping = Mapping(array=array, tile_m=m, tile_n=n, tile_k=k, order=order)
        try:
            cost = product_cost(gemm, hardware, mapping)
        except MappingError:
            continue
        found.append((cost.cycles, cost.read_bytes + cost.write_bytes))
    if not found:
        with pytest.raises(MappingError):
            best_mapping(gemm, hardware)
        return
    best = best_mapping(gemm, hardware)
    fastest = min(cycles for cycles, _ in found)
    alike = [moved for cycles, moved in found if cycles <= max(fastest, slowest_alike(fastest))]
    assert best.cycles <= max(fastest, slowest_alike(fastest))
    assert best.moved_bytes == min(alike)


@pytest.mark.parametrize("seed", range(8))
def test_kernels_and_tables_of_designs_find_the_same(seed):
    draw = Draw(seed)
    wild = wild_numbers(draw, load_hardware("sat-unstructured")).model
    sparse = parse_format(
        draw.one("80% as least", "37.5% in each row", "75% block 4x8 as run-length", "90% block 16x1")
    )
    gemm = plain_product(draw.one(33, 512), draw.one(16, 100, 512), draw.one(64, 100, 576), sparse)
    met = met_by(gemm, wild)
    try:
        by_numpy = best_mapping(met, wild)
    except MappingError:
        by_numpy = None
    if numba_build.is_installed():
        found = compiled_choice(met, wild)
        assert found == (by_numpy and replace(by_numpy, timed_exactly=found.timed_exactly))
    one_by_one = best_form(met, wild)
    table = DesignTable(designs=[wild])
    forms = search_forms(gemm, table, np.array([0]))
    assert forms.feasible[0]
    ((_, mapped),) = forms.mapped(np.array([0]))
    assert int(mapped.pipeline().cycles[0]) == one_by_one.cycles
