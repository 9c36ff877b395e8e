"""The closed forms of traffic find every fetch, byte and DRAM cycle that a brute-force walk finds.

And the agreement means something: the tilings reach the corners that they claim to reach, and a closed form that is off
in any of its terms is found out.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from bisparse.dataflow import tile_bytes
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.holding import FREE_AXIS
from bisparse.dataflow.mapping import LOOP_ORDERS
from bisparse.dataflow.tile_grid import TileGrid
from bisparse.dataflow.tiling import AxisTiles
from bisparse.dataflow.traffic import fetches, repeated
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.sim.witness import traffic_agreement
from bisparse.sim.witness.machines.loop_nest import count_traffic, tile_extents
from bisparse.sim.witness.traffic_agreement import check_tiling, random_tiling
from bisparse.training.graph import Stage
from hypothesis import given, settings
from hypothesis import strategies as st

extents = st.integers(1, 9)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_seeded_tilings_agree(seed):
    assert check_tiling(random_tiling(seed)) is None


@settings(max_examples=200, deadline=None)
@given(extents, extents, extents, extents, extents, extents, st.sampled_from(LOOP_ORDERS))
def test_any_tile_size_is_fetched_as_often_as_walked(m, n, k, tile_m, tile_n, tile_k, order):
    sizes = {"m": tile_extents(m, tile_m), "n": tile_extents(n, tile_n), "k": tile_extents(k, tile_k)}
    trips = {axis: len(tiles) for axis, tiles in sizes.items()}
    counted = {axis: np.array([count]) for axis, count in trips.items()}
    walked = count_traffic(sizes["m"], sizes["n"], sizes["k"], order)
    times = {
        operand: int(np.reshape(fetches(False, repeated(counted, order, operand), counted[FREE_AXIS[operand]]), -1)[0])
        for operand in "abc"
    }
    assert walked.a_fetches == times["a"] * trips["m"] * trips["k"]
    assert walked.b_fetches == times["b"] * trips["k"] * trips["n"]
    assert walked.c_final_writes == trips["m"] * trips["n"]
    assert walked.c_partial_writes == walked.partial_sum_reads == (times["c"] - 1) * trips["m"] * trips["n"]
    # Short tiles included: each block moves equally often.
    assert (walked.a_elements, walked.b_elements) == (times["a"] * m * k, times["b"] * k * n)
    assert walked.c_partial_elements == walked.partial_sum_elements == (times["c"] - 1) * m * n


def _short(walk):
    """The size of the last of pieces that are not all alike."""
    sizes = [] if walk.gemm.window is None else [piece.size for piece in walk.pieces]
    return sizes[-1] if len(sizes) > 2 and sizes[-1] != sizes[0] else 0


def _corners(case):
    walk, gemm = case.walk(), case.gemm
    trips = [len(sizes) for sizes in (walk.sizes_m, walk.sizes_n, walk.sizes_k)]
    window = gemm.window
    yield from {
        "short last tile": any(s[0] != s[-1] for s in (walk.sizes_m, walk.sizes_n, walk.sizes_k)),
        "a loop of one trip": 1 in trips,
        "all three loops turn": min(trips) > 1,
        "partial sums travel": walk.moved.partial_sum_writes > 0,
        "compressed in whole bursts": bool(gemm.compressed) and not gemm.reduced_on_load,
        "short last group": bool(gemm.compressed) and gemm.channels % gemm.pattern.unit > 0,
        "reduced on the way in": gemm.reduced_on_load is not None,
        "window along m": window is not None and gemm.position_axis == "m",
        "window along k": window is not None and gemm.position_axis == "k",
        "several images a tile": window is not None and walk.pieces[0].images > 1,
        "part of an innermost axis": window is not None and walk.pieces[0].cut(window) == len(window.axes) - 1,
        "a short piece of every image": window is not None and [each.size for each in walk.pieces[-2:]] == 2 * [short]
        if (short := _short(walk))
        else False,
        "stride beyond reach": window is not None and window.axes[0].stride > window.axes[0].reach,
        "footprint cut to the image": window is not None
        and any((axis.positions - 1) * axis.stride + axis.reach > axis.inputs for axis in window.axes),
        "all kept": walk.kept == "abc",
        "nothing kept": walk.kept == "",
        "some kept": walk.kept not in ("", "abc"),
        "patches lie expanded": window is not None and not case.hardware.buffers.patch_expansion,
        "several repetitions": gemm.count > 1,
        "memory timed by rows and banks": case.hardware.dram.timing is not None,
        "memory timed simply": case.hardware.dram.timing is None,
    }.items()


def test_seeded_tilings_reach_the_corners():
    seen = Counter(name for seed in range(400) for name, holds in _corners(random_tiling(seed)) if holds)
    names = {name for name, _ in _corners(random_tiling(0))}
    assert {name: seen[name] for name in names if seen[name] < 15} == {}
    assert len({random_tiling(seed).order for seed in range(400)}) == len(LOOP_ORDERS)


@pytest.mark.parametrize(
    "property_name",
    [f"{operand}_{what}" for operand in "ab" for what in ("load_bytes", "held_bytes", "load_cycles")]
    + ["sum_bytes", "sum_load_cycles", "sum_store_cycles", "result_bytes", "result_cycles"],
)
@pytest.mark.parametrize("place", [0, -1], ids=["full tile", "last tile"])
def test_a_closed_form_off_by_one_in_any_tile_is_found_out(monkeypatch, property_name, place):
    original = getattr(TileGrid, property_name).func

    def off_by_one(self):
        wrong = np.array(original(self))
        wrong[:, place, place] += 1
        return wrong

    monkeypatch.setattr(TileGrid, property_name, property(off_by_one))
    assert any(check_tiling(random_tiling(seed)) for seed in range(40))


def test_a_wrong_fetch_count_is_found_out(monkeypatch):
    def as_if_nothing_were_kept(self):
        trips = self.tiles.trips
        return fetches(False, repeated(trips, "mnk", "a"), trips["n"])

    monkeypatch.setattr(traffic_agreement.Traffic, "a_fetches", property(as_if_nothing_were_kept))
    assert any(check_tiling(random_tiling(seed)) for seed in range(40))


def test_bursts_that_are_not_rounded_are_found_out(monkeypatch):
    monkeypatch.setattr(tile_bytes.DramTiming, "whole_bursts", lambda self, transfer_bytes: transfer_bytes)
    found = [check_tiling(random_tiling(seed)) for seed in range(100)]
    assert any(text and "held_bytes" in text for text in found)


def test_a_wrong_stride_is_found_out(monkeypatch):
    original = AxisTiles.take

    def close_together(self, index):
        return replace(original(self, index), pitch=0 * self.pitch[index])

    monkeypatch.setattr(AxisTiles, "take", close_together)
    assert any(check_tiling(random_tiling(seed)) for seed in range(1000))


@pytest.mark.parametrize("field", ["stride_bytes", "write"])
def test_a_transfer_without_its_stride_or_direction_is_found_out(monkeypatch, field):
    cycles = tile_bytes.DramTiming.cycles

    def forgetful(self, transfer_bytes, run_bytes, stride_bytes=None, *, write=False):
        kept = {"stride_bytes": stride_bytes, "write": write} | {field: None if field == "stride_bytes" else False}
        return cycles(self, transfer_bytes, run_bytes, kept["stride_bytes"], write=kept["write"])

    cases = [random_tiling(seed) for seed in range(60)]
    walked = [case.walk().moved for case in cases]
    monkeypatch.setattr(tile_bytes.DramTiming, "cycles", forgetful)
    assert any(traffic_agreement.closed_form(case) != moved for case, moved in zip(cases, walked, strict=True))


def test_a_disagreement_says_what_differs(monkeypatch):
    case = random_tiling(0)
    right = traffic_agreement.closed_form(case)
    monkeypatch.setattr(traffic_agreement, "closed_form", lambda _: replace(right, a_bytes=right.a_bytes + 1))
    assert check_tiling(case).startswith(
        f"tiling 0: closed form a_bytes {right.a_bytes + 1}, walked {right.a_bytes}: TilingCase("
    )


def test_the_footprint_of_a_strided_window_is_counted_by_hand():
    """Two output rows at stride 2 under a 3-row kernel: image rows 0 to 4 of 5 columns, of 4 channels, 2 bytes each."""
    gemm = Gemm(
        name="by hand",
        operator="by hand",
        stage=Stage.FORWARD,
        m=2 * 4 * 3,  # two images of 4 rows of 3 positions
        n=8,
        k=9 * 4,
        taps=9,
        window=Window(
            images=2,
            axes=(
                SpatialAxis(positions=4, inputs=8, stride=2, reach=3),
                SpatialAxis(positions=3, inputs=5, stride=1, reach=3),
            ),
        ),
    )
    grid = TileGrid.ladder(gemm, random_tiling(1).hardware.model_copy(update=_EXPANDS))
    two_rows = np.flatnonzero((grid.size_m[:, 0] == 2 * 3) & (grid.trips["k"] == 1))
    assert np.unique(grid.a_load_bytes[two_rows]).tolist() == [5 * 5 * 4 * grid.value_bytes]
    # A whole image reaches 3 * 2 + 3 = 9 rows, one of them padding: the image has 8.
    images = np.flatnonzero((grid.size_m[:, 0] == 2 * 4 * 3) & (grid.trips["k"] == 1))
    assert np.unique(grid.a_load_bytes[images]).tolist() == [2 * 8 * 5 * 4 * grid.value_bytes]


_EXPANDS = {"buffers": random_tiling(1).hardware.buffers.model_copy(update={"patch_expansion": True})}
