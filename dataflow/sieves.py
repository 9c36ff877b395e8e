"""The sieves of the mapping search on many designs at once, each exact about what it throws away.

1. floors of the array and of DRAM for every tile, on every design (``tile_floors``);
2. the most promising tile of each design under its most promising array mapping, timed exactly: a time to beat;
3. array mappings of the tiles that may beat it, by the time of a full tile, then by that of all;
4. what is left timed exactly, a tile and loop order after another, until no array mapping can better it;
5. of what is as fast as the fastest, or nearly, what takes the least energy (see ``objective``), again by bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..configs.arrays import FloatArray, IntArray
from .actions import array_actions
from .candidate_groups import Candidates, Chosen, Groups, place_in
from .design_table import DesignTable
from .gemm import Gemm
from .ground import Ground, exact_cycles
from .ladders import Ladders, Promising
from .mapping import Side
from .objective import NEVER, joules_in_all, slowest_alike
from .side_mappings import OF_TIMING, SideMappings, timing_of_each
from .thrift import Thrift
from .tile_floors import HARDLY_LESS, OF_ARRAY
from .tile_grid import TileGrid
from .tile_time import TileTime

_FIRST_TILES = 8
"""Tiles of each design that are looked at in the first round."""


@dataclass(frozen=True, kw_only=True)
class Sieves:
    """The search for one product, on the designs that it tells apart.

    Attributes:
        gemm: the product.
        table: the designs.
        index: which of them.
        sides: that they offer.
        interleave: whether a PE may turn between accumulations.
    """

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

    def winners(self) -> Chosen:
        """The best candidate of every design that has any."""
        start = self.ladders.lowest()
        if not len(start):
            return Chosen.fastest_of([])
        limit = np.full(len(self.table), -1)
        limit[start.design] = NEVER
        self._lower_to_first(limit, start)
        fastest = self._fastest(limit)
        alike = np.full(len(limit), -1)
        alike[fastest.candidates.design] = slowest_alike(fastest.cycles)
        least = self._least_energy(alike)
        # Of counts that 64 bits do not hold nothing is within the limit; whoever adds them up refuses them.
        beyond = ~np.isin(fastest.candidates.design, least.candidates.design)
        return Chosen.least_of([least, fastest.take(np.flatnonzero(beyond))])

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

    def _least_energy(self, alike: IntArray) -> Chosen:
        """Of every design the candidate of the least energy within a limit, [table's designs] cycles.

        Tiles are looked at from those that may take the least on, until what is found takes less than the rest may.
        """
        rows = self.ladders.within(alike)
        ground = self._ground(rows)
        prices, least = self.table.prices(rows.design), self._array_joules(rows)
        in_memory = np.where(ground.in_memory <= alike[rows.design][:, None], ground.memory_joules(prices), np.inf)
        clock = self.table.clock_hz[rows.design]
        least = least + in_memory.min(axis=1, initial=np.inf)
        least = joules_in_all(least, prices.static_watts, rows.floor, clock) * HARDLY_LESS
        ranked = np.lexsort((least, rows.design))
        ranked = ranked[np.isfinite(least[ranked])]
        lowest, found, step = np.full(len(alike), np.inf), [], _FIRST_TILES
        while len(ranked):
            some = np.sort(ranked[place_in(rows.design[ranked]) < step])
            tiles = ground.pick(some)
            candidates = self._laid(rows.take(some), tiles, alike, best_only=False, priced=True)
            found.append(Thrift.of(candidates, tiles, self.table).least_energy(alike, lowest))
            ranked = ranked[place_in(rows.design[ranked]) >= step]
            ranked = ranked[least[ranked] <= lowest[rows.design[ranked]]]
            step *= 4
        return Chosen.least_of(found)

    def _array_joules(self, rows: Promising) -> FloatArray:
        """[K] dynamic energy on the array that no array mapping of tiles beats, but for rounding."""
        found = np.zeros(len(rows))
        for number in np.unique(rows.side):
            own = np.flatnonzero(rows.side == number)
            found[own] = self.ladders.least_joules(rows.take(own))
        return found

    def _groups(self, rows: Promising, ground: Ground, limit: IntArray) -> Groups:
        """What may keep the limits of designs, of some tiles."""
        candidates = self._laid(rows, ground, limit, best_only=False) if len(rows) else Candidates.none()
        return Groups.of(candidates.take(candidates.floor <= limit[candidates.design]), ground)

    def _ground(self, rows: Promising) -> Ground:
        """What moves for some tiles."""
        a_in_west = np.array([each.west == "a" for each in self.sides])
        return Ground(tiles=self._grid(rows.design, rows.tile), a_in_west=a_in_west[rows.side])

    def _laid(
        self, rows: Promising, ground: Ground, limit: IntArray, *, best_only: bool, priced: bool = False
    ) -> Candidates:
        """Tiles under array mappings and loop orders that may keep the limit; or each under its most promising pair.

        Args:
            rows: the tiles.
            ground: what moves for them.
            limit: [table's designs] cycles.
            best_only: whether only the most promising pair is wanted.
            priced: whether it is asked what they spend on the array.
        """
        parts = []
        for number in range(len(self._mappings)):
            own = np.flatnonzero(rows.side == number)
            if len(own):
                parts.append(self._on_side(own, rows.take(own), ground, limit, best_only=best_only, priced=priced))
        return Candidates.joined(parts)

    def _on_side(
        self, number: IntArray, rows: Promising, ground: Ground, limit: IntArray, *, best_only: bool, priced: bool
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
        joules = np.zeros(len(row))
        if priced:
            counts = {name: _at(count, at) for name, count in array_actions(times).items()}
            joules = joules + self.table.prices(rows.design[row]).dynamic_joules(counts)
        return Candidates(
            row=number[row],
            design=rows.design[row],
            side=rows.side[row],
            tile=rows.tile[row],
            mapping=mapping,
            order=order,
            floor=np.maximum(computing, in_memory[row, order]),
            joules=joules,
            of_kind=times.of_kind_at(np.zeros_like(timed), np.arange(len(timed)))[at],
        )


def _distinct_pairs(array: IntArray, tile: IntArray) -> tuple[tuple[IntArray, IntArray], IntArray]:
    """Each pair of an array and a tile once, and which of them every row is."""
    both, which = np.unique(array * (1 << 32) + tile, return_inverse=True)
    return (both >> 32, both & ((1 << 32) - 1)), which.reshape(-1)


def _at(count: Any, at: IntArray) -> Any:
    """A count of some tiles, [1, K]; a number where all are alike."""
    return np.broadcast_to(count, (1, *np.shape(count)[1:]))[0][at] if np.ndim(count) else count
