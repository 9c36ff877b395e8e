"""The ladder of tiles that some designs share, with what no mapping of each tile beats on each design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..configs.arrays import FloatArray, IntArray
from .array_floor import ArrayFloor
from .design_table import DesignTable
from .design_view import DesignView
from .gemm import AXES, Gemm
from .mapping import LOOP_ORDERS
from .memory_floor import MemoryFloor, in_fine_units
from .objective import NEVER
from .side_mappings import OF_TIMING, SideMappings
from .tile_grid import TileGrid
from .tile_pairs import fitting_tiles
from .tiling import axis_tiles

OF_ARRAY = (*OF_TIMING, "west_port", "north_port", "output_port")
"""The numbers of a design that the time of a tile on the array depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promising:
    """Tiles that may hold the best mapping of a design, on a side each: rows [K].

    Attributes:
        design: which of the table's designs.
        side: which side.
        tile: which of the ladder.
        unhidden: cycles of the first load and last store, from below.
        in_memory: [K, 6] cycles of DRAM in every loop order, from below.
    """

    design: IntArray
    side: IntArray
    tile: IntArray
    unhidden: FloatArray
    in_memory: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Promising]) -> Promising:
        """All rows of several."""
        names = ("design", "side", "tile", "unhidden", "in_memory")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Promising:
        """Some rows."""
        return Promising(
            design=self.design[rows],
            side=self.side[rows],
            tile=self.tile[rows],
            unhidden=self.unhidden[rows],
            in_memory=self.in_memory[rows],
        )


@dataclass(frozen=True, kw_only=True)
class TileFloors:
    """Tiles [J] of one ladder on designs [U].

    Attributes:
        gemm: the product.
        table: of the designs.
        designs: those that share the ladder, and the bytes that a run of memory costs.
        mappings: of the sides on offer.
        first_tile: number of the ladder's first tile among the tiles of all ladders.
    """

    gemm: Gemm
    table: DesignTable
    designs: IntArray
    mappings: Sequence[SideMappings]
    first_tile: int

    @cached_property
    def grid(self) -> TileGrid:
        """The tiles, with transfers in units far below a cycle."""
        hardware = self.table.designs[self.designs[0]]
        view = DesignView.of(hardware)
        unit = min(hardware.tensor_engine.rows, hardware.tensor_engine.cols)
        axes = [axis_tiles(self.gemm, axis, unit=unit, patch_expansion=view.patch_expansion) for axis in AXES]
        view = view.with_memory(in_fine_units(view.memory))
        # Tiles that fit no design are left out at once.
        return fitting_tiles(self.gemm, view, axes, self.table.largest_room(self.designs))

    @cached_property
    def _memory(self) -> MemoryFloor:
        return MemoryFloor(tiles=self.grid, table=self.table, index=self.designs)

    @cached_property
    def _in_memory(self) -> dict[bool, FloatArray]:
        """[U, J, 6] cycles of DRAM in every loop order, with A in the west buffer and with B, as sides ask for it."""
        wests = sorted({mappings.side.west == "a" for mappings in self.mappings})
        if self._memory.same_on_both_sides:
            return dict.fromkeys(wests, self._memory.cycles(wests[0]))
        return {a_in_west: self._memory.cycles(a_in_west) for a_in_west in wests}

    @cached_property
    def _floors(self) -> FloatArray:
        """[U, sides, J] cycles; infinite where the tile does not fit or the side has no mapping."""
        arrays, which = self.table.alike(OF_ARRAY, self.designs)
        depth = self.table.numbers["register_depth"][arrays]
        deepest = depth if self.mappings[0].interleave else np.ones_like(depth)
        floor = ArrayFloor(tiles=self.grid, table=self.table, index=arrays, deepest=deepest)
        fits = {a_in_west: self._memory.fits(a_in_west) for a_in_west in self._in_memory}
        in_memory = {a_in_west: cycles.min(axis=2) for a_in_west, cycles in self._in_memory.items()}
        found = np.empty((len(self.designs), len(self.mappings), len(self.grid)))
        for number, mappings in enumerate(self.mappings):
            lying = mappings.side.lying
            computing = self.gemm.count * floor.cycles(lying)[which]
            a_in_west = lying.west == "a"
            bound = np.maximum(computing + self._memory.unhidden_cycles, in_memory[a_in_west])
            offered = np.asarray(mappings.legal(self.table, self.designs).any(axis=1))
            found[:, number] = np.where(fits[a_in_west] & offered[:, None], bound, np.inf)
        return found

    def lowest(self, count: int) -> Promising:
        """The tiles and sides of the lowest floors, so many of every design that has as many."""
        flat = self._floors.reshape(len(self.designs), len(self.mappings) * len(self.grid))
        count = min(count, flat.shape[1])
        if not count:
            return self.between(*np.full((2, len(self.table)), -1.0))
        places = np.argpartition(flat, count - 1, axis=1)[:, :count]
        design, number = np.nonzero(np.asarray(np.isfinite(np.take_along_axis(flat, places, axis=1))))
        return self._rows(design, *np.unravel_index(places[design, number], self._floors.shape[1:]))

    def nth_lowest(self, count: int, limit: FloatArray) -> FloatArray:
        """[table's designs] the limit, or the floor that so many tiles of a design do not exceed, if lower."""
        flat, lower = self._floors.reshape(len(self.designs), len(self.mappings) * len(self.grid)), limit.copy()
        if count < flat.shape[1]:
            lower[self.designs] = np.minimum(limit[self.designs], np.partition(flat, count, axis=1)[:, count])
        return lower

    def between(self, above: FloatArray, limit: FloatArray) -> Promising:
        """The tiles and sides whose floor is above one limit and within another, [table's designs]."""
        low, high = (each[self.designs][:, None, None] for each in (above, limit))
        return self._rows(*np.nonzero((self._floors > low) & (self._floors <= high)))

    def saving(self, limit: IntArray, fewer_bytes: IntArray) -> tuple[Promising, IntArray]:
        """The tiles and sides that may move fewer bytes than so many within a limit, and how many at least, [K].

        Args:
            limit: cycles, [table's designs].
            fewer_bytes: [table's designs].
        """
        found = []
        for number, mappings in enumerate(self.mappings):
            a_in_west = mappings.side.west == "a"
            design, tile = np.nonzero(self._floors[:, number] <= limit[self.designs][:, None])
            in_time = self._in_memory[a_in_west][design, tile] <= limit[self.designs][design][:, None]
            moved = np.where(in_time, self._memory.moved_bytes(a_in_west, design, tile), NEVER).min(axis=1)
            fewer = np.flatnonzero(moved < fewer_bytes[self.designs][design])
            found.append((design[fewer], np.full_like(fewer, number), tile[fewer], moved[fewer]))
        design, side, tile, moved = (np.concatenate(each) for each in zip(*found, strict=True))
        return self._rows(design, side, tile), moved

    def _rows(self, design: npt.NDArray[np.intp], side: npt.NDArray[np.intp], tile: npt.NDArray[np.intp]) -> Promising:
        in_memory = np.empty((len(tile), len(LOOP_ORDERS)))
        for number, mappings in enumerate(self.mappings):
            own = side == number
            in_memory[own] = self._in_memory[mappings.side.west == "a"][design[own], tile[own]]
        return Promising(
            design=self.designs[design],
            side=np.asarray(side),
            tile=np.asarray(tile) + self.first_tile,
            unhidden=self._memory.unhidden_cycles[design, tile],
            in_memory=in_memory,
        )
