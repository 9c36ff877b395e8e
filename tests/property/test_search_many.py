"""The search on many designs finds, on each, the very mapping that the search on that design alone finds."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.energy import EnergyModel
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.dataflow import objective, search_compiled
from bisparse.dataflow import search_many as searching
from bisparse.dataflow.design_table import DesignTable
from bisparse.dataflow.formats.skipped import met_by
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import LOOP_ORDERS, Mapping
from bisparse.dataflow.objective import Objective
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.search_many import search_many
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.sim.product.single_product import plain_product
from bisparse.training.graph import Stage

from .wild_designs import Draw, wild_kind, wild_numbers, wild_prices, with_shared_port, with_tile_overlap

DESIGNS = 12
OVERLAPPING = 200
"""Seeds from here on draw designs whose tiles overlap."""

SHARING = 250
"""And from here on such whose operands share a port."""


def any_gemm(draw):
    """A product of any kind: plain, windowed, a weight gradient; dense or compressed on either side."""
    taps, channels, images = draw.one(1, 9), draw.one(16, 40, 64, 128), draw.one(3, 8, 32)
    rows, positions = draw.one(4, 7, 14), draw.one(4, 7)
    compressed = draw.one(None, "a", "b", "b")
    weight_gradient = compressed is None and draw.chance(0.4)
    window = Window(
        images=images,
        axes=tuple(SpatialAxis(positions=each, inputs=each + 2, stride=1, reach=3) for each in (rows, positions)),
    ) if taps == 9 or draw.chance(0.3) else None  # fmt: skip
    spots = images * rows * positions if window else draw.one(1, 50, 257, 3136)
    reduced = taps * channels
    return Gemm(
        name="any",
        operator="any",
        stage=Stage.FORWARD,
        m=reduced if weight_gradient else spots,
        n=draw.one(10, 64, 100, 512),
        k=spots if weight_gradient else reduced,
        count=draw.one(1, 1, 1, 2, 6),
        taps=taps,
        tap_axis="m" if weight_gradient else "k",
        window=window,
        **({compressed: draw.one(Pattern(2, 8), Pattern(2, 4), Pattern(1, 8))} if compressed else {}),
        reduced_on_load=compressed if compressed is not None and draw.chance(0.5) else None,
        b_contiguous=draw.one("n", "k"),
        scattered_result=draw.chance(0.2),
        result="sum" if weight_gradient else "value",
    )


def mapping_of(found, row):
    m, n, k = (int(axis.size[row, 0]) for axis in found.axes)
    return Mapping(array=found.array_mapping(row), tile_m=m, tile_n=n, tile_k=k, order=LOOP_ORDERS[found.orders[row]])


@pytest.fixture(params=["by sieves", "by kernels"])
def way(request, monkeypatch):
    """How designs are searched."""
    if request.param == "by kernels":
        pytest.importorskip("numba")
    monkeypatch.setattr(search_compiled, "is_ready", lambda searches: request.param == "by kernels")
    monkeypatch.setattr(searching, "_agreed", [True])


@pytest.mark.parametrize("seed", [*range(16), *range(OVERLAPPING, OVERLAPPING + 8), *range(SHARING, SHARING + 8)])
def test_each_design_gets_the_mapping_that_it_gets_alone(seed, way):
    check(seed)


def check(seed):
    draw = Draw(seed)
    kind, gemm, interleave = wild_kind(draw), any_gemm(draw), draw.chance(0.8)
    if seed >= OVERLAPPING:
        kind = with_shared_port(kind) if seed >= SHARING else with_tile_overlap(kind)
    compare(draw, gemm, [wild_numbers(draw, kind).model for _ in range(DESIGNS)], interleave)


def compare(draw, gemm, designs, interleave):
    prices = [wild_prices(draw) for _ in designs]
    table = DesignTable(designs=designs, energy=EnergyModel.beside(prices))
    found = search_many(gemm, table, interleave=interleave)
    for row, hardware in enumerate(table.designs):
        time = Objective(name="time", energy=prices[row])
        try:
            alone = best_mapping(gemm, hardware, objective=time, interleave=interleave)
        except MappingError:
            # A pattern that the design lacks is refused before any search.
            assert not found.feasible[row] or not hardware.tensor_engine.supports(gemm.pattern)
            continue
        assert found.feasible[row]
        assert mapping_of(found, row) == alone.mapping
        figures = found.cycles[row], found.joules[row], found.moved_bytes[row]
        assert figures == (alone.cycles, alone.joules, alone.moved_bytes)


@pytest.mark.parametrize("seed", range(400, 412))
def test_zeros_without_a_rule_are_searched_alike(seed, way):
    """Kept values that lie beside a bitmap, and those that make columns wait for each other."""
    draw = Draw(seed)
    kind = load_hardware("sat-unstructured")
    if seed % 2:
        kind = with_tile_overlap(kind)
    designs = [wild_numbers(draw, kind).model for _ in range(4)]
    sparse = parse_format(draw.one("80%", "75% block 4x8", "90% block 16x1"))
    plain = plain_product(draw.one(33, 512), draw.one(16, 100, 512), draw.one(64, 100, 576), sparse)
    sparse = replace(plain, a=plain.b, b=DENSE) if draw.one("a", "b", "b") == "a" else plain
    gemm = met_by(sparse, designs[0])
    compare(draw, gemm if draw.one(True, True, False) else replace(gemm, a=DENSE, b=DENSE), designs, True)


@pytest.mark.parametrize("seed", [*range(100, 105), *range(300, 303)])
def test_they_take_the_same_for_nearly_as_fast(seed, way, monkeypatch):
    """With mappings that are 3% slower counted as fast, so that many are."""
    monkeypatch.setattr(objective, "ALIKE", 33)
    check(seed)


def test_only_the_designs_asked_for_are_searched(way):
    draw = Draw(0)
    kind = wild_kind(draw)
    table = DesignTable(designs=[wild_numbers(draw, kind).model for _ in range(6)])
    gemm = Gemm(name="plain", operator="plain", stage=Stage.FORWARD, m=64, n=64, k=64)
    whole, some = search_many(gemm, table), search_many(gemm, table, np.array([4, 1]))
    assert some.feasible.tolist() == [number in (1, 4) and bool(whole.feasible[number]) for number in range(6)]
    for row in np.flatnonzero(some.feasible):
        assert mapping_of(some, row) == mapping_of(whole, row)


def test_designs_too_small_for_any_tile_have_no_mapping(way):
    draw = Draw(1)
    kind = wild_kind(draw)
    small = [wild_numbers(draw, kind).model for _ in range(3)]
    least = {"capacity_bytes": 1, "banks": 1}
    small = [
        design.model_copy(
            update={"buffers": design.buffers.model_copy(update={"west": design.buffers.west.model_copy(update=least)})}
        )
        for design in small
    ]
    found = search_many(
        Gemm(name="large", operator="large", stage=Stage.FORWARD, m=4096, n=4096, k=4096), DesignTable(designs=small)
    )
    assert not found.feasible.any()


@pytest.mark.parametrize("seed", range(4))
def test_kernels_are_compared_before_they_are_used(seed, monkeypatch):
    """In whatever order designs are told apart."""
    pytest.importorskip("numba")
    draw = Draw(seed)
    kind = wild_kind(draw)
    table = DesignTable(designs=[wild_numbers(draw, kind).model for _ in range(6)])
    gemm = Gemm(name="plain", operator="plain", stage=Stage.FORWARD, m=64, n=64, k=64)
    monkeypatch.setattr(search_compiled, "is_ready", lambda searches: True)
    monkeypatch.setattr(searching, "_agreed", [])
    search_many(gemm, table)
    assert searching._agreed == [True]


def test_kernels_that_find_something_else_are_not_used(monkeypatch, caplog):
    pytest.importorskip("numba")
    draw = Draw(0)
    table = DesignTable(designs=[wild_numbers(draw, wild_kind(draw)).model])
    gemm = Gemm(name="plain", operator="plain", stage=Stage.FORWARD, m=64, n=64, k=64)
    monkeypatch.setattr(search_compiled, "is_ready", lambda searches: False)
    right = search_many(gemm, table)
    search = search_compiled.search

    def wrong(*given, **named):
        found = search(*given, **named)
        found.best["cycles"] += 1
        return found

    monkeypatch.setattr(search_compiled, "is_ready", lambda searches: True)
    monkeypatch.setattr(search_compiled, "search", wrong)
    monkeypatch.setattr(searching, "_agreed", [])
    assert search_many(gemm, table).cycles.tolist() == right.cycles.tolist()
    assert searching._agreed == [False]
    assert "the compiled mapping search of plain is wrong: not used" in caplog.text
