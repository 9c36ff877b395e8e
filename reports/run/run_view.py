"""What a section of a run's report is made from: one result, and the runs that it stands among."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...sim.results.simulation_result import SimulationResult
from ..shared.plotly_data import Figure, paired_bars, pooled
from .answer import dense_among, is_dense
from .ladder import Rung, ladder


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run among those of a report.

    Attributes:
        name: of the run among the others.
        result: of the run.
        results: all that the report has.
    """

    name: str
    result: SimulationResult
    results: Sequence[SimulationResult]

    @cached_property
    def rungs(self) -> tuple[Rung, ...]:
        """The ladder from the dense step; none of a run that has no bound to be held against."""
        result = self.result
        return () if is_dense(result) or result.flop_bound_speedup <= 1 else ladder(result)

    @property
    def baseline(self) -> SimulationResult | None:
        """The dense run of the same step among the others, if it is another."""
        found = dense_among(self.result, self.results)
        return None if found is self.result else found

    def beside_dense(
        self, words: Mapping[str, str], dense: Mapping[str, float], own: Mapping[str, float], quantity: str, unit: str
    ) -> Figure:
        """Bars of the dense step and of this one, a pair for each key that either has anything under."""
        seen = [key for key in words if dense.get(key) or own.get(key)]
        first, second = pooled(
            {words[key]: dense.get(key, 0) for key in seen}, {words[key]: own.get(key, 0) for key in seen}
        )
        second_or_none = None if is_dense(self.result) else second
        return paired_bars(first, second_or_none, quantity=quantity, unit=unit, names=("dense", self.name))
