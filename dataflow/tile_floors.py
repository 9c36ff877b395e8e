"""What no mapping beats: floors of every combination of tile sizes, on each side, on many designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..configs.arrays import FloatArray, IntArray
from .array_floor import ArrayFloor
from .dataflows.dataflow import Dataflow
from .design_table import DesignTable
from .holding import Room
from .memory_floor import MemoryFloor
from .side_mappings import OF_TIMING
from .tile_pairs import Combinations

HARDLY_LESS = 1 - 1e-9
"""What a floor of the array is lowered by, so that no rounding lifts it above the exact time."""

OF_ARRAY = (*OF_TIMING, "west_port", "north_port", "output_port", "operand_port")
"""The numbers of a design that the time of a tile on the array depends on."""

_IN_MEMORY = (
    *("tiles_held", "west_bytes", "north_bytes", "output_bytes"),
    *("latency_cycles", "bytes_per_cycle", "clocks_to_cycles"),
)
"""Those that its time in memory depends on."""


@dataclass(frozen=True, kw_only=True)
class TileFloors:
    """Floors of combinations of tile sizes on designs, [S, M, N, K], in cycles.

    Attributes:
        tiles: the combinations of every ladder.
        table: of the designs.
        designs: which of them, [S].
        ladder: which each has, [S].
        cycles_a_unit: what a unit of the memory of the combinations is, [table's designs].
        interleave: whether a PE may turn between accumulations.
    """

    tiles: Combinations
    table: DesignTable
    designs: IntArray
    ladder: IntArray
    cycles_a_unit: FloatArray
    interleave: bool

    def _alike(self, names: Sequence[str]) -> tuple[IntArray, Combinations, IntArray]:
        """One design of each set with the same ladder and numbers, its combinations, and the set of every design."""
        if len(self.table) == 1:
            # The ladders of one design are those of as many products: all differ.
            return self.designs, self.tiles, self.ladder
        rows = np.full(len(self.table), -1)
        rows[self.designs] = self.ladder
        first, which = self.table.alike(names, self.designs, self.ladder)
        return first, self.tiles.take(rows[first]), which

    @cached_property
    def _memories(self) -> tuple[MemoryFloor, IntArray]:
        """Of one of each set of designs that are alike in memory; and which of them every design is."""
        reducing = ("reduction_lanes",) if self.tiles.gemm.reduced_on_load is not None else ()
        first, tiles, which = self._alike((*_IN_MEMORY, *reducing))
        numbers = self.table.numbers
        floor = MemoryFloor(
            tiles=tiles,
            cycles_a_unit=_beside(self.cycles_a_unit[first]),
            latency_cycles=_beside(numbers["latency_cycles"][first]),
            reduction_lanes=_beside(numbers["reduction_lanes"][first]),
            room=Room(**{each.name: _beside(numbers[each.name][first]) for each in fields(Room)}),
        )
        return floor, which

    @cached_property
    def _arrays(self) -> tuple[ArrayFloor, IntArray]:
        """The same of those that are alike on the array."""
        first, tiles, which = self._alike(OF_ARRAY)
        return ArrayFloor(tiles=tiles, table=self.table, index=first, interleave=self.interleave), which

    @property
    def array(self) -> ArrayFloor:
        """Floors of one of each set of designs that are alike on the array."""
        return self._arrays[0]

    @cached_property
    def _unhidden(self) -> FloatArray:
        floor, which = self._memories
        return _on_each(floor.unhidden_cycles, which)

    @cached_property
    def _in_memory(self) -> dict[bool, FloatArray]:
        """Floors of DRAM's time that were asked for, by whether A lies in the west; infinite where tiles do not fit."""
        return {}

    def _memory(self, a_in_west: bool) -> FloatArray:
        known, numbers = self._in_memory, self.table.numbers
        # With buffers of one size nothing in memory depends on which operand lies where.
        if known and (numbers["west_bytes"][self.designs] == numbers["north_bytes"][self.designs]).all():
            known.setdefault(a_in_west, next(iter(known.values())))
        if a_in_west not in known:
            floor, which = self._memories
            cycles = floor.cycles(a_in_west)
            cycles[~floor.tiles.fits(floor.room, a_in_west)] = np.inf
            known[a_in_west] = _on_each(cycles, which)
        return known[a_in_west]

    def of_side(self, lying: Dataflow) -> FloatArray:
        """Floors on one side; infinite where tiles do not fit."""
        array, which = self._arrays
        computing = _on_each(self.tiles.gemm.count * HARDLY_LESS * array.cycles(lying), which)
        computing = computing + self._unhidden
        return np.maximum(computing, self._memory(lying.west == "a"), out=computing)


def _beside(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[S] numbers as [S, 1, 1, 1]."""
    return numbers[:, None, None, None]


def _on_each(floors: FloatArray, which: IntArray) -> FloatArray:
    """[S, ...] floors of the set that each design belongs to."""
    return floors if len(floors) == 1 else floors[which]
