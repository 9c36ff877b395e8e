"""Which axis matters: how an objective goes with each axis, and what share of its variance each axis explains.

Shares are those of an analysis of variance, of the logarithm of an objective (of the objective itself where it has
values that are not positive). First order: the variance of the means by the axis's value, over the whole variance.
Total: what is left of the variance where all other axes are held still, over the whole variance; what the axis does
alone and together with others. On a full factorial both are exact (Saltelli et al., Computer Physics Communications
181, 2010, have the definitions); infeasible designs leave gaps in it, and axes that a constraint ties together then
share what they explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Setting = bool | int | float | str

MOST_GROUPS = 8
"""A sampled axis of more values than this is cut into so many groups, as equal in size as its values allow."""

_FLOOR = 1e-12
"""A variance of logarithms below this is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What an objective is at one value of an axis.

    Attributes:
        value: of the axis; None where it does not apply.
        count: designs that have it.
        median: of the objective, over the median of all designs.
        low: its lower quartile, likewise.
        high: its upper quartile, likewise.
    """

    value: Setting | None
    count: int
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What an axis explains of an objective.

    Attributes:
        axis: its name.
        first: share of the variance that it explains alone.
        total: alone and together with others; None of a sample, which does not tell.
    """

    axis: str
    first: float
    total: float | None


def level_codes(column: pd.Series[Any], values: Sequence[Setting]) -> npt.NDArray[np.int64]:
    """The position of each setting among the axis's values, [K]; after the last of them where it does not apply."""
    places = {value: place for place, value in enumerate(values)}
    codes, different = pd.factorize(column)
    known = np.array([places[value] for value in different.tolist()] + [len(values)], dtype=np.int64)
    # Of a missing setting the code is -1: the last.
    return known[codes]


def main_effects(
    codes: npt.NDArray[np.int64], values: Sequence[Setting], objective: npt.NDArray[np.float64]
) -> tuple[Level, ...]:
    """An objective by the values of an axis, those that feasible designs have.

    Args:
        codes: [K], see ``level_codes``.
        values: of the axis.
        objective: [K].
    """
    middle = float(np.median(objective)) or 1.0
    levels = []
    for code in np.unique(codes).tolist():
        ratios = objective[codes == code] / middle
        low, median, high = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
        value = values[code] if code < len(values) else None
        levels.append(Level(value=value, count=len(ratios), median=median, low=low, high=high))
    return tuple(levels)


def response(objective: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What variance is taken of: the logarithm, where there is one."""
    return np.log(objective) if bool((objective > 0).all()) else objective


def shares(
    axes: Sequence[str], codes: npt.NDArray[np.int64], objective: npt.NDArray[np.float64], *, factorial: bool
) -> tuple[Share, ...]:
    """What each axis explains of an objective, the most important first.

    Args:
        axes: [A], names.
        codes: [K, A], see ``level_codes``.
        objective: [K].
        factorial: every combination was tried; else the designs are a sample, in which means of small groups differ
            by chance: what chance explains is taken off, and no total is given.
    """
    target = response(objective)
    whole = float(target.var()) if len(target) else 0.0
    found = []
    for at, axis in enumerate(axes):
        if whole < _FLOOR:
            first, total = 0.0, 0.0
        elif factorial:
            first = max(0.0, 1 - _within(codes[:, at], target) / whole)
            total = _within(_joined(np.delete(codes, at, axis=1)), target) / whole
        else:
            first, total = _adjusted(_grouped(codes[:, at]), target), 0.0
        found.append(Share(axis=axis, first=first, total=total if factorial else None))
    return tuple(sorted(found, key=lambda share: -(share.first if share.total is None else share.total)))


def _within(groups: npt.NDArray[np.int64], target: npt.NDArray[np.float64]) -> float:
    """The mean variance inside groups, each weighing as many designs as it has."""
    _, place = np.unique(groups, return_inverse=True)
    size = np.bincount(place)
    means = np.bincount(place, weights=target) / size
    return float(np.square(target - means[place]).mean())


def _adjusted(groups: npt.NDArray[np.int64], target: npt.NDArray[np.float64]) -> float:
    """The share that groups explain beyond what as many groups of random designs would."""
    number, count = len(np.unique(groups)), len(target)
    if count <= number:
        return 0.0
    inside = count * _within(groups, target) / (count - number)
    whole = count * float(target.var()) / (count - 1)
    return min(1.0, max(0.0, 1 - inside / whole))


def _joined(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """One number for each combination of codes."""
    joined = np.zeros(len(codes), dtype=np.int64)
    for column in codes.T:
        # Made small again at every column: many axes would overflow.
        _, joined = np.unique(joined * (int(column.max()) + 1) + column, return_inverse=True)
    return joined


def _grouped(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Codes of neighbouring values joined, if there are too many of them."""
    if len(np.unique(codes)) <= MOST_GROUPS:
        return codes
    edges = np.unique(np.quantile(codes, np.linspace(0, 1, MOST_GROUPS + 1)[1:-1]))
    return np.searchsorted(edges, codes, side="right").astype(np.int64)
