"""Floors of DRAM's time for every tile of the ladder and loop order on many designs.

What a block takes of DRAM is worked out once, in units so small that rounding does not matter; a design's floor is that
at its own pace. It falls short of the exact time by less than the rounding of each transfer to whole cycles.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from ..accel.dram import DramTiming
from ..configs.arrays import BoolArray, FloatArray, IntArray
from .design_table import DesignTable
from .gemm import Operand, Place
from .holding import AXES_OF, Room, fits, kept
from .mapping import LOOP_ORDERS
from .pipeline import first_load_cycles
from .tile_grid import TileGrid
from .traffic import distinct_orders, refetches

_BYTE_PARTS = 1 << 20
"""Units of a byte of the simple model."""

_CLOCK_PARTS = 1 << 10
"""Units of a clock of the timed model."""

_OF_OPERAND: dict[Operand, str] = {"a": "a_cycles", "b": "b_cycles"}
"""Totals of the blocks of each operand."""

_SAFE, _SPARE_CYCLES = 1 - 1e-5, 1.0
"""What floors fall short by, so that no rounding lifts them above the exact time."""


def in_fine_units(memory: DramTiming) -> DramTiming:
    """The memory with transfers counted in units that are far below a cycle."""
    return replace(memory, bytes_per_cycle=1 / _BYTE_PARTS, clocks_to_cycles=float(_CLOCK_PARTS), latency_cycles=0)


@dataclass(frozen=True, kw_only=True)
class MemoryFloor:
    """Floors for candidate tiles [J] in every loop order on designs [S].

    Attributes:
        tiles: the candidates, their memory in fine units.
        table: of the designs.
        index: which of the table's designs, [S].
    """

    tiles: TileGrid
    table: DesignTable
    index: IntArray

    @cached_property
    def _cycles_a_unit(self) -> FloatArray:
        numbers = self.table.numbers
        if self.tiles.memory.timed is None:
            return 1 / (_BYTE_PARTS * numbers["bytes_per_cycle"][self.index])
        return numbers["clocks_to_cycles"][self.index] / _CLOCK_PARTS

    @property
    def _latency(self) -> IntArray:
        """[S, 1] cycles."""
        return self.table.numbers["latency_cycles"][self.index][:, None]

    @cached_property
    def _first_load(self) -> FloatArray:
        """[S, J] of the first tile, its latency included."""
        units = first_load_cycles(self.tiles)
        return np.asarray(self._cycles_a_unit[:, None] * units + self._latency * (units > 0))

    @cached_property
    def _last_store(self) -> FloatArray:
        """[S, J] of the last tile's results."""
        return np.asarray(self._cycles_a_unit[:, None] * self.tiles.block_totals.last_result_cycles)

    @property
    def same_on_both_sides(self) -> bool:
        """Whether it does not matter to memory which operand lies in the west buffer: no west one differs in size."""
        numbers = self.table.numbers
        return bool((numbers["west_bytes"][self.index] == numbers["north_bytes"][self.index]).all())

    @cached_property
    def _rooms(self) -> tuple[IntArray, IntArray]:
        """Designs that are alike in their buffers, one of each [U]; which of them every design is [S]."""
        return self.table.alike(("tiles_held", "west_bytes", "north_bytes", "output_bytes"), self.index)

    def _room(self, designs: IntArray) -> Room:
        room = self.table.room(designs)
        return Room(**{each.name: getattr(room, each.name)[:, None] for each in fields(Room)})

    def _fetches(self, a_in_west: bool) -> dict[Place, IntArray]:
        """[U, J, 6] times that each block of an operand is fetched, by loop order."""
        tiles, found = self.tiles, {}
        for place, stays in kept(tiles.held, tiles.gemm, self._room(self._rooms[0]), a_in_west).items():
            again = np.stack([refetches(tiles.trips, order, place) for order in LOOP_ORDERS])
            found[place] = np.moveaxis(np.where(stays, 1, again[:, None, :]), 0, -1)
        return found

    def cycles(self, a_in_west: bool) -> FloatArray:
        """[S, J, 6] of DRAM alone, all repetitions; infinite for orders that stand already.

        Beside each tile DMA is busy with what the next one needs, if that is anything, and then for the latency of its
        request or the store of what the tile before left, whichever is longer.

        Args:
            a_in_west: whether A lies in the west buffer, or B.
        """
        tiles, gemm, block_totals = self.tiles, self.tiles.gemm, self.tiles.block_totals
        fetches, (_, which) = self._fetches(a_in_west), self._rooms
        unfinished = fetches["c"] - 1
        loads = unfinished * block_totals.sum_load_cycles[:, None]
        asking = np.ones_like(unfinished)
        for operand, cycles in _OF_OPERAND.items():
            if not gemm.reduced_on_load or operand != gemm.pruned_operand:
                loads = loads + fetches[operand] * getattr(block_totals, cycles)[:, None]
            if operand not in gemm.on_chip:
                first, second = AXES_OF[operand]
                blocks = tiles.trips[first] * tiles.trips[second]
                asking = np.maximum(asking, gemm.count * fetches[operand] * blocks[:, None])
        last = block_totals.last_result_cycles[:, None]
        stores = gemm.count * (
            unfinished * block_totals.sum_store_cycles[:, None] + block_totals.result_cycles[:, None]
        )
        loads, pace = gemm.count * loads, (self._cycles_a_unit * _SAFE)[:, None, None]
        latency = self._latency[:, :, None]
        floor = pace * (loads + last)[which]
        floor += latency * (asking - 1)[which]
        np.maximum(floor, pace * (loads + stores)[which], out=floor)
        # The latency of the first request is in none of these.
        floor += latency - _SPARE_CYCLES
        if gemm.reduced_on_load:
            floor += self._reduced[:, :, None] * fetches[gemm.pruned_operand or "a"][which]
        floor[:, ~distinct_orders(tiles.trips, LOOP_ORDERS)] = np.inf
        return floor

    def moved_bytes(self, a_in_west: bool, design: IntArray, tile: IntArray) -> IntArray:
        """[K, 6] between DRAM and chip, one repetition, exact, of some tiles on a design each.

        Args:
            a_in_west: whether A lies in the west buffer, or B.
            design: which of the designs.
            tile: which of the candidates.
        """
        tiles = self.tiles
        totals, trips = tiles.block_totals.take(tile), {axis: count[tile] for axis, count in tiles.trips.items()}
        room = self.table.room(self.index[design])
        fetches: dict[Place, IntArray] = {}
        for place, stays in kept(tiles.held.take(tile), tiles.gemm, room, a_in_west).items():
            again = np.stack([refetches(trips, order, place) for order in LOOP_ORDERS])
            fetches[place] = np.where(stays, 1, again)
        operands = fetches["a"] * totals.a_bytes + fetches["b"] * totals.b_bytes
        sums = 2 * (fetches["c"] - 1) * totals.sum_bytes
        return np.asarray(operands + sums + totals.result_bytes, dtype=np.int64).T

    @cached_property
    def _reduced(self) -> FloatArray:
        """[S, J] cycles of the blocks of an operand that is reduced on its way in, each once: fetched, or sorted."""
        block_totals = self.tiles.block_totals
        fetched = block_totals.a_cycles if self.tiles.gemm.pruned_operand == "a" else block_totals.b_cycles
        lanes = self.table.numbers["reduction_lanes"][self.index][:, None]
        slower = np.maximum(self._cycles_a_unit[:, None] * fetched, block_totals.reduced_elements / lanes)
        return np.asarray(self.tiles.gemm.count * _SAFE * slower)

    @cached_property
    def unhidden_cycles(self) -> FloatArray:
        """[S, J] of the first load and the last store, beside which nothing is computed."""
        return (self._first_load + self._last_store) * _SAFE - _SPARE_CYCLES

    def fits(self, a_in_west: bool) -> BoolArray:
        """[S, J] whether tiles fit the buffers, A in the west buffer or B."""
        return fits(self.tiles.held, self.tiles.gemm, self._room(self.index), a_in_west)
