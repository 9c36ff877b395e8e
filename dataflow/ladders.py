"""The tiles of many designs, ladder by ladder, with their floors.

Designs share a ladder that have the same smaller side of the array, and the bytes that a run of memory costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..configs.arrays import FloatArray, IntArray
from .array_floor import ArrayFloor
from .design_table import DesignTable
from .gemm import AXES, Gemm
from .memory_floor import cycles_a_fine_unit, in_fine_units
from .side_mappings import SideMappings
from .tile_floors import TileFloors
from .tile_pairs import TilePairs
from .tiling import AxisTiles, ladders_along

_FLOORS_AT_ONCE = 1 << 17
"""Floors of a side that are worked out together: as many as a cache holds."""


OF_LADDER = ("run_overhead_bytes", "burst_bytes")
"""The numbers of a design that its ladder depends on, beside the smaller side of its array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promising:
    """Tiles that may hold the best mapping of a design, on a side each: rows [K].

    Attributes:
        design: which of the table's designs.
        side: which side.
        tile: which tile of all ladders.
        floor: cycles that nothing beats.
    """

    design: IntArray
    side: IntArray
    tile: IntArray
    floor: FloatArray

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Promising:
        """Some rows."""
        return Promising(design=self.design[rows], side=self.side[rows], tile=self.tile[rows], floor=self.floor[rows])

    def __len__(self) -> int:
        return len(self.design)


@dataclass(frozen=True, kw_only=True)
class Ladders:
    """Tiles of all ladders, numbered one ladder after another, on some designs [S].

    Attributes:
        table: of the designs.
        designs: which of them.
        ladder: which each has, [S].
        mappings: of the sides on offer.
        pairs: all combinations of tile sizes, transfers in units far below a cycle.
    """

    table: DesignTable
    designs: IntArray
    ladder: IntArray
    mappings: Sequence[SideMappings]
    pairs: TilePairs

    @classmethod
    def of(cls, gemm: Gemm, table: DesignTable, index: IntArray, mappings: Sequence[SideMappings]) -> Ladders:
        """Those of some designs.

        Args:
            gemm: the product.
            table: of the designs.
            index: which of them.
            mappings: of the sides on offer.
        """
        numbers = table.numbers
        unit = np.minimum(numbers["rows"], numbers["cols"])
        first, ladder = table.alike(OF_LADDER, index, unit[index])
        view = table.view(first)
        m, n, k = (
            ladders_along(gemm, axis, unit[first].tolist(), patch_expansion=view.patch_expansion) for axis in AXES
        )
        pairs = TilePairs(gemm=gemm, design=view.with_memory(in_fine_units(view.memory)), axes=(m, n, k))
        return cls(table=table, designs=index, ladder=ladder, mappings=mappings, pairs=pairs)

    @cached_property
    def _floors(self) -> FloatArray:
        """[S, sides, tiles of a ladder] cycles; infinite where the tile does not fit or the side has no mapping."""
        tiles = int(np.prod(self.pairs.shape[1:]))
        found = np.empty((len(self.designs), len(self.mappings), tiles))
        step, cycles_a_unit = max(1, _FLOORS_AT_ONCE // tiles), cycles_a_fine_unit(self.table)
        for start in range(0, len(self.designs), step):
            some = slice(start, start + step)
            floors = TileFloors(
                tiles=self.pairs.combinations,
                table=self.table,
                designs=self.designs[some],
                ladder=self.ladder[some],
                cycles_a_unit=cycles_a_unit,
                interleave=self.mappings[0].interleave,
            )
            for number, mappings in enumerate(self.mappings):
                found[some, number] = floors.of_side(mappings.side.lying).reshape(-1, tiles)
        for number, mappings in enumerate(self.mappings):
            found[~mappings.legal(self.table, self.designs).any(axis=1), number] = np.inf
        return found

    def lowest(self) -> Promising:
        """Of every design and side the tile of the lowest floor, where any fits."""
        tile = self._floors.argmin(axis=2)
        design, side = np.nonzero(np.isfinite(np.take_along_axis(self._floors, tile[:, :, None], axis=2)[:, :, 0]))
        return self._rows(design, side, tile[design, side])

    def within(self, limit: IntArray) -> Promising:
        """The tiles and sides whose floor is within a limit, [table's designs]."""
        return self._rows(*np.nonzero(self._floors <= limit[self.designs][:, None, None]))

    def _rows(self, design: npt.NDArray[np.intp], side: npt.NDArray[np.intp], tile: npt.NDArray[np.intp]) -> Promising:
        return Promising(
            design=self.designs[design],
            side=np.asarray(side),
            tile=self.ladder[design] * self._floors.shape[2] + tile,
            floor=self._floors[design, side, tile],
        )

    def least_joules(self, rows: Promising) -> FloatArray:
        """[K] dynamic energy on the array that no array mapping beats, but for rounding, of tiles on one side."""
        ladder, *_, at_k = np.unravel_index(rows.tile, self.pairs.shape)
        whole = self.pairs.combinations
        m, n, k = (axis.reshape(len(rows), 1, 1, 1) for axis in self.axes(rows.tile))
        tiles = replace(
            whole,
            m=m,
            n=n,
            k=k,
            slots=whole.slots[ladder, :, :, at_k, None],
            groups=whole.groups[ladder, :, :, at_k, None],
            count_k=whole.count_k[ladder, :, :, at_k, None],
            kept_along_k={name: kept[ladder, :, :, at_k, None] for name, kept in whole.kept_along_k.items()},
        )
        mappings = self.mappings[rows.side[0]]
        floor = ArrayFloor(tiles=tiles, table=self.table, index=rows.design, interleave=mappings.interleave)
        actions = floor.least_actions(mappings.side.lying)
        flat = {name: np.reshape(count, -1) for name, count in actions.items()}
        return np.asarray(self.table.prices(rows.design).dynamic_joules(flat))

    # Tiles by number -------------------------------------------------------------------------------------------------

    def axes(self, tile: IntArray) -> tuple[AxisTiles, AxisTiles, AxisTiles]:
        """The tiles of these numbers, along m, n and k."""
        return self.pairs.sizes(tile)

    def full_tiles(self, tile: IntArray) -> tuple[dict[str, IntArray], IntArray]:
        """What the array sees of a full tile of these numbers, and how many of it there are."""
        m, n, k = self.axes(tile)
        full = [np.where(axis.size[:, 0] == axis.size[:, 1], axis.trips, axis.fulls) for axis in (m, n, k)]
        ladder, _, _, at_k = np.unravel_index(tile, self.pairs.shape)
        along_k = self.pairs.combinations
        seen = {
            "m": m.size[:, 0],
            "n": n.size[:, 0],
            "slots": along_k.slots[ladder, 0, 0, at_k, 0],
            "groups": along_k.groups[ladder, 0, 0, at_k, 0],
        }
        return seen, np.maximum(full[0], 1) * np.maximum(full[1], 1) * np.maximum(full[2], 1)
