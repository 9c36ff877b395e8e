"""Floors of DRAM's time for every combination of tile sizes on many designs, from pairs of sizes.

What the blocks of an operand take of DRAM depends on two of the three axes, and so does whether a loop order fetches
them again; how often, on the third. So each operand is priced for pairs of sizes, and combinations are sums of these.
What a block takes is worked out once, in units so small that rounding does not matter; a design's floor is that at its
own pace. It falls short of the exact time by less than the rounding of each transfer to whole cycles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..accel.dram import DramTiming
from ..configs.arrays import BoolArray, Counts, FloatArray, IntArray
from .design_table import DesignTable
from .gemm import PLACES, Place
from .holding import FREE_AXIS, Room, turning_inside
from .mapping import LOOP_ORDERS
from .tile_pairs import Combinations
from .traffic import repeated

_BYTE_PARTS = 1 << 20
"""Units of a byte of the simple model."""

_CLOCK_PARTS = 1 << 14
"""Units of a clock of the timed model."""

_SAFE, _SPARE_CYCLES = 1 - 1e-5, 1.0
"""What floors fall short by, so that no rounding lifts them above the exact time."""


def in_fine_units(memory: DramTiming) -> DramTiming:
    """The memory with transfers counted in units that are far below a cycle."""
    return replace(memory, bytes_per_cycle=1 / _BYTE_PARTS, clocks_to_cycles=float(_CLOCK_PARTS), latency_cycles=0)


def cycles_a_fine_unit(table: DesignTable) -> FloatArray:
    """Of each design of a table what a fine unit of memory is."""
    if table.memories[0].timed is None:
        return 1 / (_BYTE_PARTS * table.numbers["bytes_per_cycle"])
    return np.asarray(table.numbers["clocks_to_cycles"] / _CLOCK_PARTS)


@dataclass(frozen=True, kw_only=True)
class MemoryFloor:
    """Floors for combinations of tile sizes on designs, [E, M, N, K] or shapes that broadcast to it.

    Attributes:
        tiles: the combinations.
        cycles_a_unit: what a unit of their memory is, [E, 1, 1, 1].
        latency_cycles: of a request, [E, 1, 1, 1].
        reduction_lanes: of the reduction engine, [E, 1, 1, 1].
        room: in the buffers, each count [E, 1, 1, 1].
    """

    tiles: Combinations
    cycles_a_unit: FloatArray
    latency_cycles: IntArray
    reduction_lanes: IntArray
    room: Room

    @cached_property
    def _once(self) -> dict[Place, FloatArray]:
        """Of A and B each, cycles of all blocks loaded once; of C, of all its partial sums stored and loaded once."""
        totals, gemm = self.tiles.totals, self.tiles.gemm
        units = {"a": totals.a_cycles, "b": totals.b_cycles, "c": totals.sum_load_cycles + totals.sum_store_cycles}
        found: dict[Place, FloatArray] = {place: self.cycles_a_unit * units[place] for place in PLACES}
        if gemm.reduced_on_load is not None:
            place = gemm.reduced_on_load
            found[place] = np.maximum(found[place], totals.reduced_elements / self.reduction_lanes)
        return found

    @cached_property
    def _first_request(self) -> FloatArray:
        """Its latency: operands that stay on chip are not asked for."""
        return np.asarray(self.latency_cycles * (not {"a", "b"} <= set(self.tiles.gemm.on_chip)), dtype=np.float64)

    def _again(self, stays: Mapping[Place, BoolArray]) -> FloatArray:
        """Cycles, in the best loop order, of what is fetched again or leaves unfinished."""
        tiles = self.tiles
        known: dict[object, FloatArray] = {}
        least: FloatArray | None = None
        for number, order in enumerate(LOOP_ORDERS):
            total: FloatArray | None = None
            for place in PLACES:
                inside = (place, turning_inside(order, place))
                if not inside[1]:
                    continue
                if inside not in known:
                    again = self._once[place] * (repeated(tiles.trips, order, place) & ~stays[place][number])
                    known[inside] = again * (tiles.trips[FREE_AXIS[place]] - 1)
                total = known[inside] if total is None else total + known[inside]
            assert total is not None, "the innermost loop turns inside two others"
            least = total if least is None else np.minimum(least, total)
        assert least is not None
        return least

    def cycles(self, a_in_west: bool) -> FloatArray:
        """Of DRAM alone in the best loop order, all repetitions.

        Args:
            a_in_west: whether A lies in the west buffer, or B.
        """
        once, results = self._once, self.cycles_a_unit * self.tiles.totals.result_cycles
        again = self._again(self.tiles.kept(self.room, a_in_west))
        found = least_dram_cycles(once["a"], once["b"], again, results, self.tiles.gemm.count, self._first_request)
        return np.asarray(found)

    @cached_property
    def unhidden_cycles(self) -> FloatArray:
        """Of the first load and the last store, beside which nothing is computed."""
        totals, pace = self.tiles.totals, self.cycles_a_unit
        first_a, first_b = pace * totals.first_a_cycles, pace * totals.first_b_cycles
        found = least_unhidden_cycles(first_a, first_b, pace * totals.last_result_cycles, self._first_request)
        return np.asarray(found)


def least_dram_cycles(
    once_a: Counts, once_b: Counts, again: Counts, results: Counts, count: int, first_request: Counts
) -> Counts:
    """Cycles of DRAM alone, all repetitions, a little below what they are.

    Args:
        once_a: all blocks of A, each loaded once.
        once_b: the same of B.
        again: what is loaded again, or leaves unfinished and comes back.
        results: all finished blocks.
        count: repetitions.
        first_request: latency of the first.
    """
    pace = count * _SAFE
    return (again + once_a + once_b) * pace + (pace * results + (first_request - _SPARE_CYCLES))


def least_unhidden_cycles(first_a: Counts, first_b: Counts, last_result: Counts, first_request: Counts) -> Counts:
    """Cycles of the first loads and the last store, a little below what they are."""
    return _SAFE * (first_a + first_b) + (_SAFE * last_result + (first_request - _SPARE_CYCLES))
