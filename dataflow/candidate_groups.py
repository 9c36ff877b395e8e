"""The last sieve of the search on many designs: candidates grouped by all but the array mapping, and timed exactly.

Where DRAM sets the pace, many array mappings of a tile take the same time; a group is done once one takes what none
beats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..configs.arrays import BoolArray, FloatArray, IntArray
from .ground import Ground, exact_cycles
from .objective import NEVER
from .tile_overlap import least_of_kind

_FIRST_GROUPS = 4
"""Groups of each design that are looked at in the first round."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Mappings of one product, each on a design, [K].

    Attributes:
        row: of what is looked at, see ``Groups``.
        design: number of the design; likewise below.
        side: of its side.
        tile: of its tile.
        mapping: of its array mapping.
        order: of its loop order.
        floor: cycles that it does not beat.
        joules: that it spends on the array; 0 where nobody asked.
        of_kind: [K, 2, 2, 3] cycles of its kinds of tiles on the array; or their numbers, see ``Pipeline``.
    """

    row: IntArray
    design: IntArray
    side: IntArray
    tile: IntArray
    mapping: IntArray
    order: IntArray
    floor: FloatArray
    joules: FloatArray
    of_kind: IntArray

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """All of several."""
        names = ("row", "design", "side", "tile", "mapping", "order", "floor", "joules", "of_kind")
        # None of them says how many numbers a kind of tile has.
        some = [part for part in parts if len(part)] or parts[:1]
        return cls(**{name: np.concatenate([getattr(part, name) for part in some]) for name in names})

    @classmethod
    def none(cls) -> Candidates:
        """None."""
        numbers = ("row", "design", "side", "tile", "mapping", "order")
        empty = dict.fromkeys(numbers, np.zeros(0, dtype=np.int64))
        return cls(floor=np.zeros(0), joules=np.zeros(0), of_kind=np.zeros((0, 2, 2, 3), dtype=np.int64), **empty)

    def take(self, rows: IntArray | BoolArray) -> Candidates:
        """Some, in the given order."""
        return Candidates(
            row=self.row[rows],
            design=self.design[rows],
            side=self.side[rows],
            tile=self.tile[rows],
            mapping=self.mapping[rows],
            order=self.order[rows],
            floor=self.floor[rows],
            joules=self.joules[rows],
            of_kind=self.of_kind[rows],
        )

    def __len__(self) -> int:
        return len(self.design)


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Candidates by design, tile, loop order and operand in the west buffer: groups [G] of array mappings.

    Attributes:
        candidates: sorted by group, in a group by side and array mapping.
        starts: [G] where each begins.
        ground: of the rows that candidates are of.
    """

    candidates: Candidates
    starts: IntArray
    ground: Ground

    @classmethod
    def of(cls, candidates: Candidates, ground: Ground) -> Groups:
        """Candidates sorted into groups.

        Args:
            candidates: in any order.
            ground: of the rows that they are of, A in the west buffer or not, row by row.
        """
        west = np.asarray(ground.a_in_west)[candidates.row]
        rank = np.lexsort(
            (candidates.mapping, candidates.side, west, candidates.order, candidates.tile, candidates.design)
        )
        candidates, west = candidates.take(rank), west[rank]
        same = np.stack([candidates.design, candidates.tile, candidates.order, west])
        starts = np.flatnonzero((np.diff(same, axis=1, prepend=-1) != 0).any(axis=0))
        return cls(candidates=candidates, starts=starts, ground=ground)

    @cached_property
    def sizes(self) -> IntArray:
        """[G] array mappings."""
        return np.diff(self.starts, append=len(self.candidates))

    @cached_property
    def leads(self) -> Candidates:
        """[G] the first of each."""
        return self.candidates.take(self.starts)

    @cached_property
    def moved_bytes(self) -> IntArray:
        """[G] between DRAM and chip."""
        return self.ground.moved_bytes[self.leads.row, self.leads.order]

    @cached_property
    def bound(self) -> FloatArray:
        """[G] cycles that no array mapping of the group beats."""
        return np.minimum.reduceat(self.candidates.floor, self.starts) if len(self.starts) else np.zeros(0)

    def _floor(self, groups: IntArray) -> IntArray:
        """The same of some groups, closer: of each kind of tile the time of the array mapping that is fastest there."""
        rows, starts = self._rows(groups, np.zeros_like(groups), self.sizes[groups])[1], self.sizes[groups]
        of_kind = least_of_kind(self.candidates.of_kind[rows])
        fastest = np.minimum.reduceat(of_kind, np.cumsum(starts) - starts, axis=0)
        return exact_cycles(self.ground, self.leads.row[groups], self.leads.order[groups], fastest)

    def _timed(self, group: IntArray, row: IntArray) -> IntArray:
        """Cycles of candidates, with the group of each."""
        return exact_cycles(self.ground, self.leads.row[group], self.leads.order[group], self.candidates.of_kind[row])

    # The fastest -----------------------------------------------------------------------------------------------------

    def fastest(self, limit: IntArray) -> Chosen:
        """Of every design the fastest candidate; of equals the one that moves the fewest bytes, then the first.

        Groups are looked at in the order of their bounds, a few of each design at first, until no bound is below the
        best time found.

        Args:
            limit: [designs] cycles of which each is known to need no more.
        """
        times, winners, limit = self._no_times, self.starts.copy(), limit.copy()
        ranked = np.lexsort((self.bound, self.leads.design))
        place, done, step = place_in(self.leads.design[ranked]), 0, _FIRST_GROUPS
        while True:
            going = ranked[(place >= done) & (self.bound[ranked] <= limit[self.leads.design[ranked]])]
            some = going[place_in(self.leads.design[going]) < step]
            if not len(some):
                break
            self._time_until_beaten(np.sort(some), times, winners, limit)
            done, step = done + step, 4 * step
        return Chosen.fastest_of([self._chosen(times, winners, np.flatnonzero(times <= limit[self.leads.design]))])

    def _time_until_beaten(self, groups: IntArray, times: IntArray, winners: IntArray, limit: IntArray) -> None:
        """Put the fastest of each group in its place, unless it cannot keep its design's limit; limits are lowered.

        Where DRAM sets the pace, many array mappings of a tile take the same time and the first of them wins. So of
        each group a time is found that no array mapping beats, and mappings are timed in their order, twice as many in
        every round, until one takes just that.
        """
        design, floor = self.leads.design, np.full(len(times), NEVER)
        floor[groups] = self._floor(groups)
        done, step = np.zeros(len(times), dtype=np.int64), 1
        going = groups[floor[groups] <= limit[design[groups]]]
        while len(going):
            until = np.minimum(done[going] + step, self.sizes[going])
            group, row = self._rows(going, done[going], until)
            self._lower(times, winners, group, row)
            done[going] = until
            np.minimum.at(limit, design[going], times[going])
            going = going[
                (times[going] > floor[going]) & (until < self.sizes[going]) & (floor[going] <= limit[design[going]])
            ]
            step *= 2

    # What it takes ----------------------------------------------------------------------------------------------------

    @property
    def _no_times(self) -> IntArray:
        return np.full(len(self.starts), NEVER)

    def _rows(self, groups: IntArray, begin: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
        """Candidates from one to another of each group: their groups and numbers."""
        counts = end - begin
        group = np.repeat(groups, counts)
        within = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
        return group, self.starts[group] + np.repeat(begin, counts) + within

    def _lower(self, times: IntArray, winners: IntArray, group: IntArray, row: IntArray) -> None:
        cycles = self._timed(group, row)
        ordered = np.lexsort((row, cycles, group))
        lead = ordered[np.flatnonzero(np.diff(group[ordered], prepend=-1))]
        better = cycles[lead] < times[group[lead]]
        times[group[lead][better]], winners[group[lead][better]] = cycles[lead][better], row[lead][better]

    def _chosen(self, times: IntArray, winners: IntArray, groups: IntArray) -> Chosen:
        """Some groups, each by its fastest candidate."""
        candidates = self.candidates.take(winners[groups])
        return Chosen(
            candidates=candidates,
            cycles=times[groups],
            joules=np.zeros(len(groups)),
            moved_bytes=self.moved_bytes[groups],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Candidates, [K], with their cycles, their energy, 0 where nobody asked, and the bytes that they move."""

    candidates: Candidates
    cycles: IntArray
    joules: FloatArray
    moved_bytes: IntArray

    def take(self, rows: IntArray) -> Chosen:
        """Some of them."""
        return Chosen(
            candidates=self.candidates.take(rows),
            cycles=self.cycles[rows],
            joules=self.joules[rows],
            moved_bytes=self.moved_bytes[rows],
        )

    @classmethod
    def _joined(cls, parts: Sequence[Chosen]) -> Chosen:
        return cls(
            candidates=Candidates.joined([part.candidates for part in parts] or [Candidates.none()]),
            cycles=np.concatenate([part.cycles for part in parts] or [np.zeros(0, dtype=np.int64)]),
            joules=np.concatenate([part.joules for part in parts] or [np.zeros(0)]),
            moved_bytes=np.concatenate([part.moved_bytes for part in parts] or [np.zeros(0, dtype=np.int64)]),
        )

    @classmethod
    def fastest_of(cls, parts: Sequence[Chosen]) -> Chosen:
        """Of every design the fastest; of equals the one that moves the fewest bytes, then the first."""
        every = cls._joined(parts)
        return every._first_by(every.cycles, every.moved_bytes)

    @classmethod
    def least_of(cls, parts: Sequence[Chosen]) -> Chosen:
        """Of every design the one of the least energy; of equals the fewest bytes, then the fastest, then the first."""
        every = cls._joined(parts)
        return every._first_by(every.joules, every.moved_bytes, every.cycles)

    def _first_by(self, *figures: IntArray | FloatArray) -> Chosen:
        design = self.candidates.design
        final = np.lexsort((_rank(self.candidates), *reversed(figures), design))
        return self.take(final[np.flatnonzero(np.diff(design[final], prepend=-1))])


def place_in(design: IntArray) -> IntArray:
    """[K] which of its design's each row is, rows of a design one after another.

    >>> place_in(np.array([3, 3, 7, 7, 7])).tolist()
    [0, 1, 0, 1, 2]
    """
    starts = np.flatnonzero(np.diff(design, prepend=-1))
    return np.arange(len(design)) - np.repeat(starts, np.diff(starts, append=len(design)))


def _rank(chosen: Candidates) -> IntArray:
    """[K] where candidates stand in the order of the search: side, array mapping, tile, loop order."""
    order = np.lexsort((chosen.order, chosen.tile, chosen.mapping, chosen.side))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank
