"""Which designs of a study a reader wants to see: the front, its knee, the ten best, and where a given design stands.

Everything here takes the table of a study: a row a design, a column an axis or a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....configs.arrays import FloatArray, IntArray
from .front import knee, oriented, pareto_mask

TIME, ENERGY, ENERGY_DELAY = "step_seconds", "energy_joules", "energy_delay_joule_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """The objectives of a study.

    Attributes:
        figures: their names.
        maximise: of each, whether more is better.
    """

    figures: tuple[str, ...]
    maximise: tuple[bool, ...]

    def values(self, table: pd.DataFrame) -> FloatArray:
        """[K, D], of every row."""
        # Where nothing is feasible, a table may lack the columns.
        return table.reindex(columns=list(self.figures)).to_numpy(dtype=float)

    @property
    def ranking(self) -> tuple[str, bool]:
        """The figure that ranks the designs of the front, and whether more of it is better."""
        both = {TIME, ENERGY} <= set(self.figures)
        return (ENERGY_DELAY, False) if both else (self.figures[0], self.maximise[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The designs of a study that stand out, as rows of its table.

    Attributes:
        feasible: those that have figures, in the table's order.
        front: those that no other beats, the best in the first objective first.
        best: at most ten of the front, by ``Goals.ranking``, the best first; designs alike in every objective count
            once.
        knee: where the front bends; None when nothing is feasible.
    """

    feasible: IntArray
    front: IntArray
    best: IntArray
    knee: int | None


def choose(table: pd.DataFrame, goals: Goals, *, count: int = 10) -> Chosen:
    """The front of a study's table, its knee and its best designs.

    Args:
        table: with a column ``feasible`` and one for each objective.
        goals: the objectives.
        count: how many best ones.
    """
    feasible = np.flatnonzero(table["feasible"].to_numpy(dtype=bool))
    if not len(feasible):
        return Chosen(feasible=feasible, front=feasible, best=feasible, knee=None)
    values = goals.values(table)
    front = feasible[pareto_mask(values[feasible], goals.maximise)]
    costs = oriented(values[front], goals.maximise)
    front = front[np.lexsort(costs.T[::-1])]
    figure, more = goals.ranking
    ranks = table[figure].to_numpy(dtype=float)[front] * (-1 if more else 1)
    order = front[np.argsort(ranks, kind="stable")]
    return Chosen(
        feasible=feasible,
        front=front,
        best=_different(order, values)[:count],
        knee=int(front[knee(values[front], goals.maximise)]),
    )


def _different(rows: IntArray, values: FloatArray) -> IntArray:
    """The rows without those that are like an earlier one in every objective."""
    _, first = np.unique(values[rows], axis=0, return_index=True)
    return rows[np.sort(first)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a design stands to a front.

    Attributes:
        beaten_by: designs of the front that beat it.
        factors: for each objective, its value over that of the best design of the front that is no worse in the
            others (of one to maximise, the other way round): 1 when it is on the front, None when there is no such.
        all_at_once: the largest factor by which one design of the front is better in every objective at once; below
            1, the design lies beyond the front. None when an objective has values that are not positive.
    """

    beaten_by: int
    factors: tuple[float | None, ...]
    all_at_once: float | None


def standing(values: Sequence[float], front: npt.ArrayLike, goals: Goals) -> Standing:
    """Where a design with these values of the objectives stands to a front [F, D].

    >>> goals = Goals(figures=("a", "b"), maximise=(False, False))
    >>> standing([4.0, 4.0], [[1, 4], [2, 2], [4, 1]], goals)
    Standing(beaten_by=3, factors=(4.0, 4.0), all_at_once=2.0)
    """
    costs, own = oriented(front, goals.maximise), oriented([values], goals.maximise)[0]
    no_worse = costs <= own
    beating = no_worse.all(axis=1) & (costs < own).any(axis=1)
    factors: list[float | None] = []
    for at in range(len(own)):
        rivals = costs[np.delete(no_worse, at, axis=1).all(axis=1), at]
        factors.append(_factor(own[at], rivals.min()) if len(rivals) else None)
    everywhere = None
    if bool((np.asarray(front, dtype=float) > 0).all()) and min(values) > 0:
        # Of one to maximise both are negative, and the ratio turns round.
        ratios = np.where(np.asarray(goals.maximise), costs / own, own / costs)
        everywhere = float(ratios.min(axis=1).max())
    return Standing(beaten_by=int(beating.sum()), factors=tuple(factors), all_at_once=everywhere)


def _factor(own: float, best: float) -> float | None:
    if own * best <= 0:
        return None
    return float(own / best) if own > 0 else float(best / own)


def along(front: IntArray, most: int) -> IntArray:
    """At most so many designs of a front, evenly along it, both ends among them.

    >>> along(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(front) <= most:
        return front
    some: IntArray = front[np.unique(np.linspace(0, len(front) - 1, most).round().astype(int))]
    return some


def settings_at(table: pd.DataFrame, axes: Sequence[Any], row: int) -> dict[str, Any]:
    """The values of the axes that apply to a design, as the axes themselves have them.

    Args:
        table: of the study.
        axes: with ``name`` and ``values``.
        row: of the table.
    """
    found: dict[str, Any] = {}
    for axis in axes:
        if axis.name in table.columns:
            value = table[axis.name].iloc[row]
            # A column with gaps holds an axis's integers as floats.
            found.update((axis.name, own) for own in axis.values if own == value)
    return found
