"""The pipeline's closed form equals the operator-time recurrence of the hardware model, stepped through tile by tile.

Tile times are drawn at random, tile kind by tile kind: the sum must be right whatever the array does.
"""

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import LOOP_ORDERS
from bisparse.dataflow.pipeline import Pipeline
from bisparse.dataflow.tile_grid import TileGrid
from bisparse.dataflow.tile_overlap import NUMBERS
from bisparse.dataflow.traffic import Traffic
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.sim.event.tile_walk import TileWalk
from bisparse.sim.witness.traffic_agreement import random_tiling
from bisparse.training.graph import Stage
from hypothesis import example, given, settings
from hypothesis import strategies as st

DESIGN = load_hardware("sat-vcu1525").model


def design(*, latency_cycles=3, bytes_per_cycle=4, overhead=8, burst=4, lanes=2):
    """A design whose memory counts in small whole numbers, at 1 GHz."""
    dram = DESIGN.dram.model_copy(
        update={
            "channels": 1,
            "channel_bytes_per_second": bytes_per_cycle * 1e9,
            "latency_seconds": latency_cycles * 1e-9,
            "run_overhead_bytes": overhead,
            "burst_bytes": burst,
        }
    )
    sorters = DESIGN.reduction_engine.model_copy(update={"lanes": lanes})
    return DESIGN.model_copy(update={"clock_hz": 1e9, "dram": dram, "reduction_engine": sorters})


@st.composite
def cut_axes(draw):
    """An extent of at most 12 and a tile size that cuts it in 1 to 6 trips, the last tile full or short."""
    size, trips = draw(st.integers(1, 2)), draw(st.integers(1, 6))
    extent = (trips - 1) * size + draw(st.integers(1, size))
    return extent, min(size, extent)


@st.composite
def cases(draw):
    (m, tile_m), (n, tile_n), (k, tile_k) = draw(cut_axes()), draw(cut_axes()), draw(cut_axes())
    compressed = draw(st.sampled_from([None, None, "a", "b"])) if tile_k == 2 else None
    gemm = Gemm(
        name="case",
        operator="case",
        stage=Stage.FORWARD,
        m=m,
        n=n,
        k=k,
        count=draw(st.integers(1, 3)),
        **({compressed: Pattern(1, 2)} if compressed else {}),
        reduced_on_load=compressed if compressed is not None and draw(st.booleans()) else None,
    )
    hardware = design(
        latency_cycles=draw(st.integers(0, 20)),
        bytes_per_cycle=draw(st.sampled_from([1, 2, 8, 64])),
        overhead=draw(st.integers(0, 16)),
    )
    times = np.random.default_rng(draw(st.integers(0, 999)))
    return gemm, hardware, (tile_m, tile_n, tile_k), draw(st.sampled_from(LOOP_ORDERS)), times


def stepped(gemm, hardware, sizes, order, tile_cycles, west="a"):
    """Cycles by stepping through every tile."""
    walk = TileWalk(
        gemm=gemm, hardware=hardware, tile_m=sizes[0], tile_n=sizes[1], tile_k=sizes[2], order=order, west=west
    )

    def is_last(along, index):
        return along[index] != along[0] or index + 1 == len(along)

    def kind_of(visit):
        place = 0 if visit.k_index == 0 else 2 if is_last(walk.sizes_k, visit.k_index) else 1
        m, n = is_last(walk.sizes_m, visit.m_index), is_last(walk.sizes_n, visit.n_index)
        return tile_cycles[int(m), int(n), place].tolist()

    def cycles_of(visit, following):
        if tile_cycles.ndim == 3:
            return kind_of(visit)
        _, ports, whole, interval, hold, _, *setting = kind_of(visit)
        if following is not None:
            _, _, _, next_interval, _, next_lead, *next_setting = kind_of(following)
            if setting == next_setting:
                whole = max(interval, hold - next_lead, whole - next_interval)
        return max(whole, ports)

    return walk.operator_cycles(cycles_of)


def candidate(gemm, hardware, sizes):
    grid = TileGrid.ladder(gemm, hardware)
    chosen = np.stack([grid.size_m[:, 0], grid.size_n[:, 0], grid.size_k[:, 0]], axis=1) == sizes
    return np.flatnonzero(chosen.all(axis=1))[:1], grid


@settings(max_examples=400, deadline=None)
@given(cases())
def test_closed_form_equals_every_tile_stepped(case):
    gemm, hardware, sizes, order, random = case
    index, grid = candidate(gemm, hardware, sizes)
    assert len(index) == 1, "the ladder tries every size of a small axis"
    tile_cycles = random.integers(1, 60, (1, 2, 2, 3))
    pipeline = Pipeline(
        tiles=grid.pick(index), orders=(order,), tile_cycles=tile_cycles, count=gemm.count, a_in_west=True
    )
    assert int(pipeline.cycles[0]) == stepped(gemm, hardware, sizes, order, tile_cycles[0])


@settings(max_examples=300, deadline=None)
@given(cases())
def test_so_it_does_where_the_next_tile_says_how_long_a_tile_takes(case):
    """Whatever its numbers: ``tile_overlap.NUMBERS``, an empty tile least."""
    gemm, hardware, sizes, order, random = case
    index, grid = candidate(gemm, hardware, sizes)
    numbers = random.integers(1, 60, (1, 2, 2, 3, len(NUMBERS)))
    numbers[..., -2:] = random.integers(1, 3, numbers[..., -2:].shape)
    pipeline = Pipeline(tiles=grid.pick(index), orders=(order,), tile_cycles=numbers, count=gemm.count, a_in_west=True)
    assert int(pipeline.cycles[0]) == stepped(gemm, hardware, sizes, order, numbers[0])


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Gemm,
        name=st.just("case"),
        operator=st.just("case"),
        stage=st.just(Stage.FORWARD),
        m=st.integers(1, 12),
        n=st.integers(1, 12),
        k=st.integers(1, 12),
        count=st.integers(1, 3),
    ),
    st.integers(0, 999),
)
@example(Gemm(name="long", operator="long", stage=Stage.FORWARD, m=12, n=12, k=12, count=3), 0)
def test_candidates_of_all_lengths_are_timed_side_by_side(gemm, seed):
    """Loops of one trip and of many, in different orders, in one batch of candidates."""
    random, hardware = np.random.default_rng(seed), design()
    grid = TileGrid.ladder(gemm, hardware)
    tiles = grid.trips["m"] * grid.trips["n"] * grid.trips["k"]
    picked = random.choice(np.flatnonzero(tiles <= 300), 5)
    orders = tuple(random.choice(LOOP_ORDERS, 5).tolist())
    tile_cycles = random.integers(1, 40, (5, 2, 2, 3))
    narrowed = grid.pick(picked)
    closed = Pipeline(tiles=narrowed, orders=orders, tile_cycles=tile_cycles, count=gemm.count, a_in_west=True).cycles
    for row, order in enumerate(orders):
        sizes = (int(narrowed.size_m[row, 0]), int(narrowed.size_n[row, 0]), int(narrowed.size_k[row, 0]))
        assert int(closed[row]) == stepped(gemm, hardware, sizes, order, tile_cycles[row])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_windows_and_edges_of_any_kind_are_timed_as_stepped(seed):
    case = random_tiling(seed)
    tile_cycles = np.random.default_rng(seed).integers(1, 200, (1, 2, 2, 3))
    sizes = (case.tile_m, case.tile_n, case.tile_k)
    tiles = case.tiles()
    closed = Pipeline(
        tiles=tiles,
        orders=(case.order,),
        tile_cycles=tile_cycles,
        count=case.gemm.count,
        a_in_west=case.west == "a",
    )
    assert int(closed.cycles[0]) == stepped(case.gemm, case.hardware, sizes, case.order, tile_cycles[0], case.west)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_terms_hold_every_load_and_store_of_the_traffic_once(seed):
    case = random_tiling(seed)
    tiles, count = case.tiles(), case.gemm.count
    pipeline = Pipeline(
        tiles=tiles,
        orders=(case.order,),
        tile_cycles=np.ones((1, 2, 2, 3), dtype=np.int64),
        count=count,
        a_in_west=case.west == "a",
    )
    terms = pipeline.terms
    moved = int((terms.weight * (terms.load + terms.store)).sum())
    first = max(int(pipeline.first_load_cycles[0]) - tiles.memory.latency_cycles, 0)
    assert moved + first + int(pipeline.last_store_cycles[0]) == count * int(
        Traffic(tiles=tiles, a_in_west=case.west == "a", order=case.order).cycles[0]
    )
    assert int(terms.weight.sum()) == count * int(np.prod([trips[0] for trips in tiles.trips.values()]))


def test_two_tiles_by_hand():
    """One element wide, k in two tiles of 1: two bytes a load, 8 lost a run, 4 a cycle, so 10/4: 3 cycles.

    Latency 3, first load A and B: 3 + 3 + 3 = 9. Tile 1: max(c, 6 + 3, 6 + 0) = 9 for c = 5. Tile 2: nothing to load,
    nothing left behind: 5. The result is 2 bytes: 3 cycles. 9 + 9 + 5 + 3 = 26.
    """
    gemm = Gemm(name="by hand", operator="by hand", stage=Stage.FORWARD, m=1, n=1, k=2)
    index, grid = candidate(gemm, design(), (1, 1, 1))
    five = np.full((1, 2, 2, 3), 5)
    assert Pipeline(
        tiles=grid.pick(index), orders=("mnk",), tile_cycles=five, count=1, a_in_west=True
    ).cycles.tolist() == [26]


def test_a_repetition_loads_its_own_operands():
    """Twice the same: the second operands load beside the first one's last tile, whose result leaves later.

    9 + [tile 1: 9] + [tile 2: next loads 6, latency 3: 9] + [tile 3: next 6 + max(3, result 3): 9] + [5] + 3 = 44.
    """
    gemm = Gemm(name="by hand", operator="by hand", stage=Stage.FORWARD, m=1, n=1, k=2, count=2)
    index, grid = candidate(gemm, design(), (1, 1, 1))
    five = np.full((1, 2, 2, 3), 5)
    assert Pipeline(
        tiles=grid.pick(index), orders=("mnk",), tile_cycles=five, count=2, a_in_west=True
    ).cycles.tolist() == [44]


@pytest.mark.parametrize("order", LOOP_ORDERS)
def test_weight_gradient_windows_are_stepped_along_k(order):
    window = Window(
        images=3,
        axes=(
            SpatialAxis(positions=4, inputs=9, stride=2, reach=3),
            SpatialAxis(positions=2, inputs=3, stride=1, reach=2),
        ),
    )
    gemm = Gemm(
        name="wu", operator="wu", stage=Stage.WEIGHT_GRADIENT, m=9 * 4, n=5, k=24, count=2, taps=9, tap_axis="m",
        window=window, result="sum",
    )  # fmt: skip
    hardware = design()
    grid = TileGrid.ladder(gemm, hardware)
    random = np.random.default_rng(0)
    for row in range(0, len(grid), 7):
        sizes = (int(grid.size_m[row, 0]), int(grid.size_n[row, 0]), int(grid.size_k[row, 0]))
        tile_cycles = random.integers(1, 90, (1, 2, 2, 3))
        pipeline = Pipeline(
            tiles=grid.pick(np.array([row])), orders=(order,), tile_cycles=tile_cycles, count=2, a_in_west=True
        )
        assert int(pipeline.cycles[0]) == stepped(gemm, hardware, sizes, order, tile_cycles[0])
