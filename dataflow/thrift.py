"""The last sieve of the search on many designs for energy: of candidates that are fast enough the thriftiest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..configs.arrays import Counts, FloatArray, IntArray
from .candidate_groups import Candidates, Chosen, place_in
from .design_table import DesignTable
from .ground import Ground, exact_cycles
from .objective import joules_in_all

_FIRST_CANDIDATES = 16
"""Candidates of each design that are looked at in the first round."""

_AT_ONCE = 4096
"""Candidates that are timed exactly at once."""


@dataclass(frozen=True, kw_only=True)
class Thrift:
    """Candidates [K] beside the energy that each takes at least.

    Attributes:
        candidates: priced, in any order.
        ground: of the rows that they are of.
        table: of the designs.
        in_memory: joules spent in buffers, DRAM and the reduction engine.
    """

    candidates: Candidates
    ground: Ground
    table: DesignTable
    in_memory: FloatArray

    @classmethod
    def of(cls, candidates: Candidates, ground: Ground, table: DesignTable) -> Thrift:
        """Candidates that are priced on the array, priced in memory too."""
        design = np.zeros(len(ground.tiles), dtype=np.int64)
        design[candidates.row] = candidates.design
        joules = ground.memory_joules(table.prices(design))
        return cls(
            candidates=candidates,
            ground=ground,
            table=table,
            in_memory=joules[candidates.row, candidates.order],
        )

    def _joules(self, rows: IntArray, cycles: Counts) -> FloatArray:
        """Of some candidates that take some cycles."""
        design = self.candidates.design[rows]
        dynamic, watts = self.candidates.joules[rows] + self.in_memory[rows], self.table.numbers["static_watts"]
        return np.asarray(joules_in_all(dynamic, watts[design], cycles, self.table.clock_hz[design]))

    def least_energy(self, alike: IntArray, lowest: FloatArray) -> Chosen:
        """Of every design the candidate of the least energy within a limit, if any takes no more than the least so far.

        Candidates are timed in the order of what they take at least, until what is found takes less than the rest may.

        Args:
            alike: [designs] the limits, cycles.
            lowest: [designs] the least so far, joules; lowered.
        """
        candidates, step = self.candidates, _FIRST_CANDIDATES
        found: list[Chosen] = []
        bounds = self._joules(np.arange(len(candidates)), candidates.floor)
        design = candidates.design
        ranked = np.lexsort((bounds, design))
        ranked = ranked[(candidates.floor <= alike[design])[ranked]]
        while True:
            ranked = ranked[bounds[ranked] <= lowest[design[ranked]]]
            if not len(ranked):
                return Chosen.least_of(found)
            next_ones = place_in(design[ranked]) < step
            found.append(self._timed(ranked[next_ones], alike))
            np.minimum.at(lowest, found[-1].candidates.design, found[-1].joules)
            ranked, step = ranked[~next_ones], 2 * step

    def _timed(self, rows: IntArray, alike: IntArray) -> Chosen:
        """Those of some candidates that keep the limits, timed."""
        some = self.candidates.take(rows)
        parts = [some.take(at) for at in np.split(np.arange(len(rows)), range(_AT_ONCE, len(rows), _AT_ONCE))]
        cycles = np.concatenate([exact_cycles(self.ground, each.row, each.order, each.of_kind) for each in parts])
        kept = np.flatnonzero(cycles <= alike[some.design])
        return Chosen(
            candidates=some.take(kept),
            cycles=cycles[kept],
            joules=self._joules(rows[kept], cycles[kept]),
            moved_bytes=self.ground.moved_bytes[some.row[kept], some.order[kept]],
        )
