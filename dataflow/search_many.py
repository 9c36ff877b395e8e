"""The mapping search on many designs at once: for each the mapping that ``search.best_mapping`` finds, for time.

Sieves, each exact about what it throws away:

1. floors of the array and of DRAM for every tile, on every design (``tile_floors``);
2. the most promising tile of each design under its most promising array mapping, timed exactly: a time to beat;
3. array mappings of the tiles that may beat it, by the time of a full tile, then by that of all;
4. what is left timed exactly, a tile and loop order after another, until no array mapping can better it.

5. of what is as fast as the fastest, or nearly, what moves the fewest bytes (see ``objective``).

Ties go as in ``search``: the fastest, then the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..configs.arrays import BoolArray, IntArray
from .candidate_groups import Candidates, Chosen, Groups, exact_cycles, place_in
from .design_table import DesignTable
from .gemm import Gemm, Place
from .mapping import ArrayMapping, Side, sides_of
from .objective import NEVER, slowest_alike
from .product_cost import MappedProducts, SideTimes
from .side_mappings import OF_TIMING, SideMappings, timing_of_each
from .tile_floors import OF_ARRAY, Promising, TileFloors
from .tile_grid import TileGrid
from .tile_time import TileTime
from .tiling import AxisTiles

_PROMISING = 8
"""Tiles of each design that are looked at for a time to beat."""


_ROUNDS = (8, 64)
"""Tiles of each design that are looked at in the first rounds."""


@dataclass(frozen=True, kw_only=True)
class BestMappings:
    """The mappings found for one product, one a design of a table, [S].

    Attributes:
        gemm: the product.
        table: the designs.
        feasible: where there is a mapping; the rest of what stands here says nothing where there is none.
        axes: tiles along m, n and k.
        sides: that the designs offer.
        side: which of them.
        parameters: [P, S] of the array mapping, in the order of its dataflow's; 1 beyond these.
        orders: loop order, a number in ``LOOP_ORDERS``.
    """

    gemm: Gemm
    table: DesignTable
    feasible: BoolArray
    axes: tuple[AxisTiles, AxisTiles, AxisTiles]
    sides: tuple[Side, ...]
    side: IntArray
    parameters: IntArray
    orders: IntArray

    def array_mapping(self, design: int) -> ArrayMapping:
        """How tiles lie on the array of one design."""
        side = self.sides[self.side[design]]
        numbers = side.lying.named(self.parameters[:, design])
        return ArrayMapping.on(side, {name: int(number) for name, number in numbers.items()})

    def mapped(self, chosen: IntArray, resident: Mapping[Place, BoolArray] | None = None) -> MappedProducts:
        """The product on some of the designs.

        Args:
            chosen: which designs.
            resident: which of A, B and C stay on chip, a design each.
        """
        m, n, k = (axis.take(chosen) for axis in self.axes)
        tiles = TileGrid(gemm=self.gemm, design=self.table.view(chosen), m=m, n=n, k=k, resident=resident)
        side, by_side = self.side[chosen], []
        for number, each in enumerate(self.sides):
            rows = np.flatnonzero(side == number)
            if len(rows):
                own = tiles if len(rows) == len(side) else tiles.pick(rows)
                times = TileTime.in_turn(own, each.lying, self.parameters[:, chosen[rows]])
                by_side.append(SideTimes(rows=rows, times=times))
        return MappedProducts(tiles=tiles, orders=self.orders[chosen], by_side=by_side)


def search_many(
    gemm: Gemm,
    table: DesignTable,
    designs: IntArray | None = None,
    *,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> BestMappings:
    """Find the fastest mapping of a product on every design of a table.

    Args:
        gemm: the product.
        table: the designs.
        designs: only these of them; all when None.
        dataflows: only these; all that the designs offer when None.
        interleave: whether a PE may turn between accumulations.
    """
    sides = sides_of(table.first.tensor_engine, gemm, dataflows)
    wanted = np.arange(len(table)) if designs is None else designs
    index, which = table.distinct(reducing=gemm.reduced_on_load, designs=wanted)
    search = _Search(gemm=gemm, table=table, index=index, sides=sides, interleave=interleave)
    winners = search.winners() if sides else Candidates.none()
    place = np.full(len(table), -1)
    place[winners.design] = np.arange(len(winners.design))
    place[wanted] = place[index][which]
    at = np.maximum(place, 0) if len(winners.design) else place[:0]
    return BestMappings(
        gemm=gemm,
        table=table,
        feasible=place >= 0,
        axes=search.axes(winners.tile[at]),
        sides=sides,
        side=winners.side[at],
        parameters=search.parameters(winners)[:, at],
        orders=winners.order[at],
    )


@dataclass(frozen=True, kw_only=True)
class _Search:
    """The search for one product, on the designs that it tells apart."""

    gemm: Gemm
    table: DesignTable
    index: IntArray
    sides: tuple[Side, ...]
    interleave: bool

    @cached_property
    def _mappings(self) -> list[SideMappings]:
        arrays, _ = self.table.alike(OF_TIMING)
        timing = timing_of_each(self.table, arrays)
        return [SideMappings.of(self.gemm, side, timing, interleave=self.interleave) for side in self.sides]

    @cached_property
    def _array_of(self) -> IntArray:
        """[S] designs that are alike on the array, by the number of one of them."""
        first, which = self.table.alike(OF_ARRAY)
        return first[which]

    # Ladders ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _ladders(self) -> list[TileFloors]:
        numbers = self.table.numbers
        shared = np.stack(
            [np.minimum(numbers["rows"], numbers["cols"]), numbers["run_overhead_bytes"], numbers["burst_bytes"]]
        )
        _, group = np.unique(shared[:, self.index], axis=1, return_inverse=True)
        found: list[TileFloors] = []
        for number in range(int(group.max()) + 1):
            found.append(
                TileFloors(
                    gemm=self.gemm,
                    table=self.table,
                    designs=self.index[group.reshape(-1) == number],
                    mappings=self._mappings,
                    first_tile=sum(len(each.grid) for each in found),
                )
            )
        return found

    @cached_property
    def _axes(self) -> tuple[AxisTiles, AxisTiles, AxisTiles]:
        """Tiles of all ladders."""
        grids = [ladder.grid for ladder in self._ladders]
        return (
            AxisTiles.joined([grid.m for grid in grids]),
            AxisTiles.joined([grid.n for grid in grids]),
            AxisTiles.joined([grid.k for grid in grids]),
        )

    @cached_property
    def _full_tiles(self) -> dict[str, IntArray]:
        """What the array sees of a full tile, and how many there are: tiles of all ladders."""
        m, n, k = self._axes
        grids = [ladder.grid for ladder in self._ladders]
        full = [np.where(axis.size[:, 0] == axis.size[:, 1], axis.trips, axis.fulls) for axis in (m, n, k)]
        return {
            "m": m.size[:, 0],
            "n": n.size[:, 0],
            "slots": np.concatenate([grid.slots[:, 0] for grid in grids]),
            "groups": np.concatenate([grid.groups[:, 0] for grid in grids]),
            "count": np.maximum(full[0], 1) * np.maximum(full[1], 1) * np.maximum(full[2], 1),
        }

    def axes(self, tile: IntArray) -> tuple[AxisTiles, AxisTiles, AxisTiles]:
        """The tiles of these numbers."""
        m, n, k = self._axes
        return m.take(tile), n.take(tile), k.take(tile)

    def _grid(self, design: IntArray, tile: IntArray) -> TileGrid:
        """Tiles of these numbers, on a design each."""
        m, n, k = self.axes(tile)
        return TileGrid(gemm=self.gemm, design=self.table.view(design), m=m, n=n, k=k)

    def parameters(self, candidates: Candidates) -> IntArray:
        """[P, K] of the array mappings; 1 beyond those that a dataflow has."""
        most = max((len(mappings.parameters) for mappings in self._mappings), default=0)
        found = np.ones((most, len(candidates)), dtype=np.int64)
        for number, mappings in enumerate(self._mappings):
            rows = candidates.side == number
            found[: len(mappings.parameters), rows] = mappings.parameters[:, candidates.mapping[rows]]
        return found

    # The sieves ------------------------------------------------------------------------------------------------------

    def winners(self) -> Candidates:
        """The best candidate of every design that has any."""
        start = Promising.joined([ladder.lowest(_PROMISING) for ladder in self._ladders])
        if not len(start.design):
            return Candidates.none()
        limit = np.full(len(self.table), -1)
        limit[start.design] = NEVER
        first = self._laid(start, limit, best_only=True)
        ranked = np.lexsort((first.floor, first.design))
        first = first.take(ranked[np.flatnonzero(np.diff(first.design[ranked], prepend=-1))])
        self._lower(limit, first.design, first.side, first.tile, first.order, first.of_kind)
        fastest = self._fastest(limit)
        cycles, moved = np.full(len(limit), -1), np.full(len(limit), -1)
        cycles[fastest.candidates.design], moved[fastest.candidates.design] = fastest.cycles, fastest.moved_bytes
        least = self._least_traffic(slowest_alike(cycles), moved)
        beaten = np.isin(fastest.candidates.design, least.candidates.design)
        return Candidates.joined([fastest.candidates.take(~beaten), least.candidates])

    def _fastest(self, limit: IntArray) -> Chosen:
        """Of every design the fastest candidate; limits are lowered. The most promising tiles first."""
        done, found = np.full(len(limit), -1.0), []
        for count in (*_ROUNDS, None):
            until = limit.astype(np.float64)
            if count is not None:
                for ladder in self._ladders:
                    until = ladder.nth_lowest(count, until)
            rows = Promising.joined([ladder.between(done, until) for ladder in self._ladders])
            found.append(self._groups(rows, limit).fastest(limit))
            limit[found[-1].candidates.design] = np.minimum(limit[found[-1].candidates.design], found[-1].cycles)
            done = np.maximum(done, until)
        return Chosen.fastest_of(found)

    def _least_traffic(self, alike: IntArray, fewer_bytes: IntArray) -> Chosen:
        """Of designs where there is one the candidate that moves the fewest bytes within a limit, fewer than so many.

        Tiles are looked at from those that may move the fewest on, until what is found moves no more than the rest.
        """
        parts = [ladder.saving(alike, fewer_bytes) for ladder in self._ladders]
        rows, moved = Promising.joined([part for part, _ in parts]), np.concatenate([each for _, each in parts])
        ranked = np.lexsort((moved, rows.design))
        least, found, step = fewer_bytes.copy(), [], _ROUNDS[0]
        while len(ranked):
            some = ranked[place_in(rows.design[ranked]) < step]
            found.append(
                self._groups(rows.take(np.sort(some)), alike).least_traffic(alike, np.minimum(least + 1, fewer_bytes))
            )
            least[found[-1].candidates.design] = found[-1].moved_bytes
            ranked = ranked[place_in(rows.design[ranked]) >= step]
            ranked = ranked[moved[ranked] <= least[rows.design[ranked]]]
            step *= 4
        return Chosen.least_of(found)

    def _groups(self, rows: Promising, limit: IntArray) -> Groups:
        """What may keep the limits of designs, of some tiles."""
        candidates = self._laid(rows, limit, best_only=False) if len(rows.design) else Candidates.none()
        candidates = candidates.take(candidates.floor <= limit[candidates.design])
        return Groups.of(candidates, self._a_in_west(candidates.side), self._grid)

    def _lower(
        self, limit: IntArray, design: IntArray, side: IntArray, tile: IntArray, order: IntArray, of_kind: IntArray
    ) -> None:
        """Lower the limits of designs to the exact times of candidates."""
        cycles = exact_cycles(self._grid(design, tile), self._a_in_west(side), order, of_kind)
        np.minimum.at(limit, design, cycles)

    def _a_in_west(self, side: IntArray) -> BoolArray:
        """[K] whether A lies in the west buffer on each of some sides."""
        return np.array([each.west == "a" for each in self.sides])[side]

    def _laid(self, rows: Promising, limit: IntArray, *, best_only: bool) -> Candidates:
        """Tiles under array mappings and loop orders that may keep the limit; or each under its most promising pair."""
        parts = []
        for number, mappings in enumerate(self._mappings):
            own = rows.take(rows.side == number)
            if len(own.design):
                parts.append(self._on_side(mappings, own, limit, best_only=best_only))
        return Candidates.joined(parts)

    def _on_side(self, mappings: SideMappings, rows: Promising, limit: IntArray, *, best_only: bool) -> Candidates:
        """The same for tiles of one side."""
        full = self._full_tiles
        (array, tile), which = _distinct_pairs(self._array_of[rows.design], rows.tile)
        of_full = mappings.full_tile_cycles(
            self.table, array, **{name: full[name][tile] for name in ("m", "n", "slots", "groups")}
        )
        floor = self.gemm.count * full["count"][tile][:, None] * of_full
        floor[~mappings.legal(self.table, array)] = NEVER
        if best_only:
            row, mapping = np.arange(len(rows.design)), floor.argmin(axis=1)[which]
        else:
            row, mapping = np.nonzero(floor[which] + rows.unhidden[:, None] <= limit[rows.design][:, None])
        # Tiles timed on the array, once for all designs that have the same.
        pair, at = np.unique(which[row] * mappings.parameters.shape[1] + mapping, return_inverse=True)
        pair, timed = np.divmod(pair, mappings.parameters.shape[1])
        times = TileTime.in_turn(
            self._grid(array[pair], tile[pair]),
            mappings.side.lying,
            mappings.parameters[:, timed],
        )
        at = at.reshape(-1)
        own = np.where(times.repeats[0], NEVER, self.gemm.count * times.total(times.cycles)[0])
        computing = own[at] + rows.unhidden[row]
        if best_only:
            order = rows.in_memory.argmin(axis=1)
        else:
            within = limit[rows.design[row]]
            chosen, order = np.nonzero((rows.in_memory[row] <= within[:, None]) & (computing <= within)[:, None])
            row, mapping, at, computing = row[chosen], mapping[chosen], at[chosen], computing[chosen]
        return Candidates(
            design=rows.design[row],
            side=rows.side[row],
            tile=rows.tile[row],
            mapping=mapping,
            order=order,
            floor=np.maximum(computing, rows.in_memory[row, order]),
            of_kind=np.broadcast_to(times.cycles[0], (len(timed), 2, 2, 3))[at],
        )


def _distinct_pairs(array: IntArray, tile: IntArray) -> tuple[tuple[IntArray, IntArray], IntArray]:
    """Each pair of an array and a tile once, and which of them every row is."""
    both, which = np.unique(array * (1 << 32) + tile, return_inverse=True)
    return (both >> 32, both & ((1 << 32) - 1)), which.reshape(-1)
