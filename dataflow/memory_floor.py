"""Floors of DRAM's time for every tile of the ladder and loop order on many designs.

What a block takes of DRAM is worked out once, in units so small that rounding does not matter; a design's floor is that
at its own pace. It falls short of the exact time by less than the rounding of each transfer to whole cycles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..accel.dram import DramTiming
from ..accel.specification import SIDES
from ..configs.arrays import BoolArray, FloatArray, IntArray
from .design_table import DesignTable
from .gemm import Operand
from .mapping import LOOP_ORDERS
from .pipeline import first_load_cycles, last_store_cycles
from .tile_grid import TileGrid
from .traffic import distinct_orders, refetches

_BYTE_PARTS = 1 << 20
"""Units of a byte of the simple model."""

_CLOCK_PARTS = 1 << 10
"""Units of a clock of the timed model."""

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
        return np.asarray(self._cycles_a_unit[:, None] * last_store_cycles(self.tiles))

    @cached_property
    def _units(self) -> tuple[FloatArray, FloatArray]:
        """[J, 6] of all loads and stores, and of all loads and the last store; infinite for orders that stand already.

        Of an operand that is reduced on its way in nothing is counted among them.
        """
        tiles, gemm, block_totals = self.tiles, self.tiles.gemm, self.tiles.block_totals
        visits = self._fetches("c")
        loads = (visits - 1) * block_totals.sum_load_cycles[:, None]
        for operand, cycles in (("a", block_totals.a_cycles), ("b", block_totals.b_cycles)):
            if not gemm.reduced_on_load or operand != gemm.compressed:
                loads = loads + self._fetches(operand) * cycles[:, None]
        stores = (visits - 1) * block_totals.sum_store_cycles[:, None] + block_totals.result_cycles[:, None]
        again = ~distinct_orders(tiles.trips, LOOP_ORDERS)
        everything = np.where(again, np.inf, gemm.count * (loads + stores))
        return everything, np.where(again, np.inf, gemm.count * loads + last_store_cycles(tiles)[:, None])

    def _fetches(self, operand: str) -> IntArray:
        return np.stack([refetches(self.tiles.trips, order, operand) for order in LOOP_ORDERS], axis=1)

    @cached_property
    def cycles(self) -> FloatArray:
        """[S, J, 6] of DRAM alone, all repetitions; infinite for orders that stand already.

        Beside each tile but the last, DMA is busy for the next one's load, and then for the latency of its request or
        the store of what the tile before left, whichever is longer.
        """
        everything, loads = self._units
        trips, gemm, pace = self.tiles.trips, self.tiles.gemm, (self._cycles_a_unit * _SAFE)[:, None, None]
        waits = self._latency * (gemm.count * trips["m"] * trips["n"] * trips["k"] - 1)
        floor = pace * loads
        floor += waits[:, :, None]
        np.maximum(floor, pace * everything, out=floor)
        # The latency of the first request is in none of these.
        floor += (self._latency - _SPARE_CYCLES)[:, :, None]
        if gemm.reduced_on_load:
            floor += self._reduced[:, :, None] * self._fetches(gemm.compressed or "")
        return floor

    @cached_property
    def _reduced(self) -> FloatArray:
        """[S, J] cycles of the blocks of an operand that is reduced on its way in, each once: fetched, or sorted."""
        block_totals = self.tiles.block_totals
        fetched = block_totals.a_cycles if self.tiles.gemm.compressed == "a" else block_totals.b_cycles
        lanes = self.table.numbers["reduction_lanes"][self.index][:, None]
        slower = np.maximum(self._cycles_a_unit[:, None] * fetched, block_totals.reduced_elements / lanes)
        return np.asarray(self.tiles.gemm.count * _SAFE * slower)

    @cached_property
    def unhidden_cycles(self) -> FloatArray:
        """[S, J] of the first load and the last store, beside which nothing is computed."""
        return (self._first_load + self._last_store) * _SAFE - _SPARE_CYCLES

    def fits(self, west: Operand) -> BoolArray:
        """[S, J] whether the tiles held at once fit, with this operand in the west buffer."""
        numbers = self.table.numbers
        capacity = {side: numbers[f"{side}_bytes"][self.index][:, None] for side in SIDES}
        return self.tiles.fits_in(numbers["tiles_held"][self.index][:, None], capacity, west)
