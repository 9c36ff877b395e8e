"""The mapping search on many designs at once: for each the mapping that ``search.best_mapping`` finds, for time.

Sieves, each exact about what it throws away:

1. floors of the array and of DRAM for every tile, on every design (``tile_floors``);
2. the most promising tile of each design under its most promising array mapping, timed exactly: a time to beat;
3. array mappings of the tiles that may beat it, by the time of a full tile, then by that of all;
4. what is left timed exactly, a tile and loop order after another, until no array mapping can better it.

5. of what is as fast as the fastest, or nearly, what moves the fewest bytes (see ``objective``).

Ties go as in ``search``: the fastest, then the first. Where numba is installed kernels find the same, a design after
another (``search_compiled``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..configs.arrays import BoolArray, IntArray
from . import search_compiled
from .candidate_groups import Candidates, Chosen, Groups, place_in
from .compiled import numba_build
from .design_table import DesignTable
from .gemm import Gemm, Place
from .ground import Ground, exact_cycles
from .ladders import Ladders, Promising
from .mapping import ArrayMapping, Side, sides_of
from .objective import NEVER, slowest_alike
from .product_cost import MappedProducts, SideTimes
from .side_mappings import OF_TIMING, SideMappings, timing_of_each
from .tile_floors import OF_ARRAY
from .tile_grid import TileGrid
from .tile_time import TileTime
from .tiling import AxisTiles

_FIRST_TILES = 8
"""Tiles of each design that are looked at in the first round."""


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
        cycles: of all repetitions.
        moved_bytes: between DRAM and chip, all repetitions.
    """

    gemm: Gemm
    table: DesignTable
    feasible: BoolArray
    axes: tuple[AxisTiles, AxisTiles, AxisTiles]
    sides: tuple[Side, ...]
    side: IntArray
    parameters: IntArray
    orders: IntArray
    cycles: IntArray
    moved_bytes: IntArray

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
    index, which = table.distinct(reducing=gemm.reduced_on_load is not None, designs=wanted)
    winners = _winners(gemm, table, index, sides, interleave=interleave) if sides else _Winners.none()
    place = np.full(len(table), -1)
    place[winners.design] = np.arange(len(winners.design))
    place[wanted] = place[index][which]
    at = np.maximum(place, 0) if len(winners.design) else place[:0]
    m, n, k = (axis.take(at) for axis in winners.axes)
    return BestMappings(
        gemm=gemm,
        table=table,
        feasible=place >= 0,
        axes=(m, n, k),
        sides=sides,
        side=winners.side[at],
        parameters=winners.parameters[:, at],
        orders=winners.orders[at],
        cycles=winners.cycles[at],
        moved_bytes=np.asarray(gemm.own_part(gemm.count * winners.moved_bytes[at])),
    )


@dataclass(frozen=True, kw_only=True)
class _Winners:
    """What was found, [W], a design each: as in ``BestMappings``, but bytes are of one repetition."""

    design: IntArray
    axes: tuple[AxisTiles, AxisTiles, AxisTiles]
    side: IntArray
    parameters: IntArray
    orders: IntArray
    cycles: IntArray
    moved_bytes: IntArray

    @classmethod
    def none(cls) -> _Winners:
        none = np.zeros(0, dtype=np.int64)
        two = none.reshape(0, 2)
        axis = AxisTiles(size=two, trips=none, lasts=none, channels=two, rows=two, run_rows=two, pitch=none)
        return cls(
            design=none,
            axes=(axis, axis, axis),
            side=none,
            parameters=two.T,
            orders=none,
            cycles=none,
            moved_bytes=none,
        )

    def tells(self) -> list[list[int]]:
        """All of it, to be compared."""
        sizes = [axis.size[:, 0].tolist() for axis in self.axes]
        rest = (self.design, self.side, self.orders, self.cycles, self.moved_bytes, *self.parameters)
        return [*sizes, *(each.tolist() for each in rest)]


def _winners(gemm: Gemm, table: DesignTable, index: IntArray, sides: tuple[Side, ...], *, interleave: bool) -> _Winners:
    """By the kernels where they are there and find what the sieves find; else by the sieves."""
    if search_compiled.is_ready(len(index)) and numba_build.is_built() and _agreed[-1:] != [False]:
        found = _by_kernels(gemm, table, index, sides, interleave=interleave)
        if found is not None and not _agreed:
            # Machine code of another process is not taken on trust.
            some = np.sort(index[:_COMPARED])
            sieved = _by_sieves(gemm, table, some, sides, interleave=interleave)
            again = _by_kernels(gemm, table, some, sides, interleave=interleave)
            _agreed.append(again is not None and again.tells() == sieved.tells())
            if not _agreed[-1]:
                logging.getLogger("bisparse").warning("the compiled mapping search of %s is wrong: not used", gemm.name)
                found = None
        if found is not None:
            return found
    return _by_sieves(gemm, table, index, sides, interleave=interleave)


_agreed: list[bool] = []
"""Whether in this process the kernels found what the sieves found; empty before they were asked."""

_COMPARED = 4
"""Designs on which they are."""


def _by_kernels(
    gemm: Gemm, table: DesignTable, index: IntArray, sides: tuple[Side, ...], *, interleave: bool
) -> _Winners | None:
    found = search_compiled.search(gemm, table, index, sides, interleave=interleave, counted=False)
    if found is None:
        return None
    rows = np.flatnonzero(found.best["cycles"] < NEVER)
    return _Winners(
        design=index[rows],
        axes=found.axes(rows),
        side=found.best["side"][rows],
        parameters=found.numbers(rows),
        orders=found.best["order"][rows],
        cycles=found.best["cycles"][rows],
        moved_bytes=found.best["moved"][rows],
    )


def _by_sieves(
    gemm: Gemm, table: DesignTable, index: IntArray, sides: tuple[Side, ...], *, interleave: bool
) -> _Winners:
    search = _Search(gemm=gemm, table=table, index=index, sides=sides, interleave=interleave)
    chosen = search.winners()
    winners = chosen.candidates
    rank = np.argsort(winners.design)
    winners = winners.take(rank)
    return _Winners(
        design=winners.design,
        axes=search.ladders.axes(winners.tile),
        side=winners.side,
        parameters=search.parameters(winners),
        orders=winners.order,
        cycles=chosen.cycles[rank],
        moved_bytes=chosen.moved_bytes[rank],
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

    @cached_property
    def ladders(self) -> Ladders:
        """The tiles, with their floors."""
        return Ladders.of(self.gemm, self.table, self.index, self._mappings)

    def _grid(self, design: IntArray, tile: IntArray) -> TileGrid:
        """Tiles of these numbers, on a design each."""
        m, n, k = self.ladders.axes(tile)
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

    def winners(self) -> Chosen:
        """The best candidate of every design that has any."""
        start = self.ladders.lowest()
        if not len(start):
            return Chosen.fastest_of([])
        limit = np.full(len(self.table), -1)
        limit[start.design] = NEVER
        self._lower_to_first(limit, start)
        fastest = self._fastest(limit)
        cycles, moved = np.full(len(limit), -1), np.full(len(limit), -1)
        cycles[fastest.candidates.design], moved[fastest.candidates.design] = fastest.cycles, fastest.moved_bytes
        least = self._least_traffic(slowest_alike(cycles), moved)
        beaten = np.isin(fastest.candidates.design, least.candidates.design)
        return Chosen.fastest_of([fastest.take(np.flatnonzero(~beaten)), least])

    def _lower_to_first(self, limit: IntArray, start: Promising) -> None:
        """Lower the limits of designs to the exact time of a candidate of some tiles, the one of the lowest floor."""
        ground = self._ground(start)
        first = self._laid(start, ground, limit, best_only=True)
        ranked = np.lexsort((first.floor, first.design))
        first = first.take(ranked[np.flatnonzero(np.diff(first.design[ranked], prepend=-1))])
        limit[first.design] = exact_cycles(ground, first.row, first.order, first.of_kind)

    def _fastest(self, limit: IntArray) -> Chosen:
        """Of every design the fastest candidate; limits are lowered. The most promising tiles first."""
        found = []
        for first, until in ((0, _FIRST_TILES), (_FIRST_TILES, None)):
            rows = self.ladders.within(limit)
            rows = rows.take(np.lexsort((rows.floor, rows.design)))
            place = place_in(rows.design)
            rows = rows.take(np.flatnonzero((place >= first) & (place < (until or len(place)))))
            found.append(self._groups(rows, self._ground(rows), limit).fastest(limit))
            limit[found[-1].candidates.design] = np.minimum(limit[found[-1].candidates.design], found[-1].cycles)
        return Chosen.fastest_of(found)

    def _least_traffic(self, alike: IntArray, fewer_bytes: IntArray) -> Chosen:
        """Of designs where there is one the candidate that moves the fewest bytes within a limit, fewer than so many.

        Tiles are looked at from those that may move the fewest on, until what is found moves no more than the rest.
        """
        rows = self.ladders.within(alike)
        ground = self._ground(rows)
        moved = ground.least_bytes(alike[rows.design][:, None])
        fewer = np.flatnonzero(moved < fewer_bytes[rows.design])
        rows, ground, moved = rows.take(fewer), ground.pick(fewer), moved[fewer]
        ranked = np.lexsort((moved, rows.design))
        least, found, step = fewer_bytes.copy(), [], _FIRST_TILES
        while len(ranked):
            some = np.sort(ranked[place_in(rows.design[ranked]) < step])
            groups = self._groups(rows.take(some), ground.pick(some), alike)
            found.append(groups.least_traffic(alike, np.minimum(least + 1, fewer_bytes)))
            least[found[-1].candidates.design] = found[-1].moved_bytes
            ranked = ranked[place_in(rows.design[ranked]) >= step]
            ranked = ranked[moved[ranked] <= least[rows.design[ranked]]]
            step *= 4
        return Chosen.least_of(found)

    def _groups(self, rows: Promising, ground: Ground, limit: IntArray) -> Groups:
        """What may keep the limits of designs, of some tiles."""
        candidates = self._laid(rows, ground, limit, best_only=False) if len(rows) else Candidates.none()
        return Groups.of(candidates.take(candidates.floor <= limit[candidates.design]), ground)

    def _ground(self, rows: Promising) -> Ground:
        """What moves for some tiles."""
        a_in_west = np.array([each.west == "a" for each in self.sides])
        return Ground(tiles=self._grid(rows.design, rows.tile), a_in_west=a_in_west[rows.side])

    def _laid(self, rows: Promising, ground: Ground, limit: IntArray, *, best_only: bool) -> Candidates:
        """Tiles under array mappings and loop orders that may keep the limit; or each under its most promising pair."""
        parts = []
        for number in range(len(self._mappings)):
            own = np.flatnonzero(rows.side == number)
            if len(own):
                parts.append(self._on_side(own, rows.take(own), ground, limit, best_only=best_only))
        return Candidates.joined(parts)

    def _on_side(
        self, number: IntArray, rows: Promising, ground: Ground, limit: IntArray, *, best_only: bool
    ) -> Candidates:
        """The same for tiles of one side, of these numbers among all rows."""
        mappings = self._mappings[rows.side[0]]
        unhidden, in_memory = ground.unhidden_cycles[number], ground.in_memory[number]
        (array, tile), which = _distinct_pairs(self._array_of[rows.design], rows.tile)
        full, count = self.ladders.full_tiles(tile)
        floor = self.gemm.count * count[:, None] * mappings.full_tile_cycles(self.table, array, **full)
        floor[~mappings.legal(self.table, array)] = NEVER
        if best_only:
            row, mapping = np.arange(len(rows.design)), floor.argmin(axis=1)[which]
        else:
            row, mapping = np.nonzero(floor[which] + unhidden[:, None] <= limit[rows.design][:, None])
        # Tiles timed on the array, once for all designs that have the same.
        pair, at = np.unique(which[row] * mappings.parameters.shape[1] + mapping, return_inverse=True)
        pair, timed = np.divmod(pair, mappings.parameters.shape[1])
        times = TileTime.in_turn(
            self._grid(array[pair], tile[pair]),
            mappings.side.lying,
            mappings.parameters[:, timed],
        )
        at = at.reshape(-1)
        own = np.where(times.repeats[0], NEVER, self.gemm.count * times.total(times.least_cycles)[0])
        computing = own[at] + unhidden[row]
        if best_only:
            order = in_memory.argmin(axis=1)
        else:
            within = limit[rows.design[row]]
            chosen, order = np.nonzero((in_memory[row] <= within[:, None]) & (computing <= within)[:, None])
            row, mapping, at, computing = row[chosen], mapping[chosen], at[chosen], computing[chosen]
        return Candidates(
            row=number[row],
            design=rows.design[row],
            side=rows.side[row],
            tile=rows.tile[row],
            mapping=mapping,
            order=order,
            floor=np.maximum(computing, in_memory[row, order]),
            of_kind=times.of_kind_at(np.zeros_like(timed), np.arange(len(timed)))[at],
        )


def _distinct_pairs(array: IntArray, tile: IntArray) -> tuple[tuple[IntArray, IntArray], IntArray]:
    """Each pair of an array and a tile once, and which of them every row is."""
    both, which = np.unique(array * (1 << 32) + tile, return_inverse=True)
    return (both >> 32, both & ((1 << 32) - 1)), which.reshape(-1)
