"""Pareto fronts: which designs no other beats, where the front bends, how far another front or design lies from it.

A design beats another when it is no worse in any objective and better in one; designs alike in all of them share their
fate. Distances are taken between logarithms, so that halving counts the same anywhere, unless an objective has values
that are not positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ....configs.arrays import BoolArray, FloatArray
from ....configs.sums import sum_in_order

_BLOCK = 1024
_STRONGEST = 64


def pareto_mask(values: npt.ArrayLike, maximise: Sequence[bool]) -> BoolArray:
    """Which designs lie on the front.

    Args:
        values: [K, D], a row a design, a column an objective. A row with NaN is never on the front.
        maximise: [D], whether more is better.

    Returns:
        [K].

    >>> pareto_mask([[1, 4], [2, 2], [2, 3], [4, 1]], [False, False]).tolist()
    [True, True, False, True]
    """
    costs = oriented(values, maximise)
    mask = np.zeros(len(costs), dtype=bool)
    known = ~np.isnan(costs).any(axis=1)
    if known.any():
        order = np.flatnonzero(known)
        order = order[np.lexsort(costs[order].T[::-1])]
        ordered = costs[order]
        new = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1)))
        mask[order] = _front_of_sorted(ordered[new])[np.cumsum(new) - 1]
    return mask


def oriented(values: npt.ArrayLike, maximise: Sequence[bool]) -> FloatArray:
    """The values with those to maximise negated: less is better everywhere, [K, D]."""
    costs: FloatArray = np.atleast_2d(np.asarray(values, dtype=float))
    return np.where(np.asarray(maximise, dtype=bool), -costs, costs)


def _front_of_sorted(costs: FloatArray) -> BoolArray:
    """The front of rows that are sorted, first column first, and all different."""
    if costs.shape[1] == 1:
        single: BoolArray = np.arange(len(costs)) == 0
        return single
    if costs.shape[1] == 2:
        # Whoever stands before is no worse in the first column: only a new low in the second survives.
        lowest = np.minimum.accumulate(costs[:, 1])
        return np.concatenate(([True], costs[1:, 1] < lowest[:-1]))
    # A design that beats another has smaller ranks, and so comes before it: one pass, in blocks, is enough.
    ranks = np.column_stack([np.unique(column, return_inverse=True)[1].reshape(-1) for column in costs.T])
    ranks = ranks.astype(np.int32)
    order = np.argsort(ranks.sum(axis=1, dtype=np.int64), kind="stable")
    mask = np.zeros(len(costs), dtype=bool)
    front = np.empty((0, costs.shape[1]), dtype=ranks.dtype)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        # Most are beaten by a few strong ones.
        block = block[~_beaten(ranks[block], front[:_STRONGEST])]
        block = block[~_beaten(ranks[block], front)]
        block = block[~_beaten(ranks[block], ranks[block])]
        mask[block] = True
        front = np.concatenate((front, ranks[block]))
    return mask


def _beaten(rows: npt.NDArray[Any], by: npt.NDArray[Any]) -> BoolArray:
    """Which rows another row beats; rows alike do not beat each other."""
    no_worse = np.ones((len(by), len(rows)), dtype=bool)
    better = np.zeros_like(no_worse)
    for own, other in zip(rows.T, by.T, strict=True):
        no_worse &= other[:, None] <= own
        better |= other[:, None] < own
    no_worse &= better
    beaten: BoolArray = np.logical_or.reduce(no_worse, axis=0)
    return beaten


def scaled(values: npt.ArrayLike, maximise: Sequence[bool], like: npt.ArrayLike | None = None) -> FloatArray:
    """Costs on a scale where the best of a set is 0 and its worst 1, by logarithm where all values are positive.

    Args:
        values: [K, D].
        maximise: [D].
        like: [L, D], the set that sets the scale; the values themselves when None.

    Returns:
        [K, D]; outside of 0 to 1 where a value lies outside of the set, 0 where the set has one value only.
    """
    own = np.atleast_2d(np.asarray(values, dtype=float))
    scale = own if like is None else np.atleast_2d(np.asarray(like, dtype=float))
    positive = (own > 0).all(axis=0) & (scale > 0).all(axis=0)
    own, scale = (
        oriented(np.where(positive, np.log(np.where(positive, each, 1.0)), each), maximise) for each in (own, scale)
    )
    low, high = scale.min(axis=0), scale.max(axis=0)
    wide = high > low
    shares: FloatArray = np.where(wide, (own - low) / np.where(wide, high - low, 1.0), 0.0)
    return shares


def knee(front: npt.ArrayLike, maximise: Sequence[bool]) -> int:
    """The design where the front bends: the farthest below the line, or plane, between the front's extremes.

    Args:
        front: [F, D], at least one.
        maximise: [D].

    Returns:
        Its position. Of a front in which each objective goes from its best, 0, to its worst, 1, the line is where
        they sum to 1.

    >>> knee([[1, 100], [2, 10], [20, 9], [100, 1]], [False, False])
    1
    """
    return int(np.argmin(scaled(front, maximise).sum(axis=1)))


def hypervolume(front: npt.ArrayLike, maximise: Sequence[bool], like: npt.ArrayLike) -> float:
    """The volume that a front beats, in units of the box between the best and the worst of another set.

    Args:
        front: [F, D].
        maximise: [D].
        like: [L, D], the set whose best and worst values span the box, on the scale of :func:`scaled`.

    Returns:
        Exact, by slices: 1 when a design is best in every objective. Time grows with the power D - 1 of F.

    >>> hypervolume([[2, 2]], [False, False], like=[[1, 4], [4, 1]])
    0.25
    """
    costs = np.maximum(scaled(front, maximise, like), 0.0)
    return _volume(costs[(costs < 1).all(axis=1)])


def _volume(costs: FloatArray) -> float:
    """The volume between costs and 1 in every objective."""
    if not len(costs):
        return 0.0
    if costs.shape[1] == 1:
        return float(1 - costs.min())
    costs = costs[pareto_mask(costs, [False] * costs.shape[1])]
    costs = costs[np.argsort(costs[:, 0], kind="stable")]
    if costs.shape[1] == 2:
        heights = 1 - np.minimum.accumulate(costs[:, 1])
        return float((heights * np.diff(costs[:, 0], append=1.0)).sum())
    widths = np.diff(costs[:, 0], append=1.0)
    return sum_in_order(float(width) * _volume(costs[: at + 1, 1:]) for at, width in enumerate(widths) if width > 0)


def share_found(found: npt.ArrayLike, whole: npt.ArrayLike) -> float:
    """The share of a front that a search found: points of ``whole`` [W, D] that are among ``found`` [F, D].

    >>> share_found([[1, 4], [3, 3]], [[1, 4], [2, 2]])
    0.5
    """
    wanted = {tuple(row) for row in np.asarray(whole, dtype=float).tolist()}
    got = {tuple(row) for row in np.asarray(found, dtype=float).tolist()}
    return len(wanted & got) / len(wanted)
