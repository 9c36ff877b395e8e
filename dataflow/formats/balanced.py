"""How long lanes wait for each other over random zeros where every lane keeps as many in all.

A lane keeps n of the L elements along k, at places drawn without replacement: what it keeps of a window of w is a
hypergeometric count, and the windows of a lane depend on each other. With one lockstep group

    slots = sum over windows of E[ max over R lanes of Hypergeometric(L, n, w) ]

is exact. Of several groups side by side the last one counts: the largest of B such sums. Their mean and their variance
are exact, from the joint counts of every two windows; between them the shape of the sum is taken as that of windows
that were independent. Source: docs/hardware-model.md, "Zeros without a rule".
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ...configs.arrays import FloatArray, IntArray
from .waiting import Windows, slowest_of, sum_of_means

_NEGLIGIBLE = 1e-16
_ROUNDED = 1e-9
"""What is left of a variance by rounding alone, as a share of its parts."""


@lru_cache(maxsize=4096)
def balanced_slots(windows: Windows, length: int, kept: int, lanes: int, groups: int) -> float:
    """Slots until the last of some lockstep groups is through all windows.

    Args:
        windows: that a lane meets along k, part of its elements or all.
        length: L, elements of a lane, in this tile or not.
        kept: n, of them.
        lanes: R, of a lockstep group.
        groups: B, lockstep groups side by side.

    >>> round(balanced_slots(((8, 4),), 32, 8, 1, 1), 6)  # one lane waits for nobody
    8.0
    >>> round(balanced_slots(((8, 4),), 32, 8, 1, 4), 6)  # and all of them keep as many
    8.0
    """
    if lanes == 1:
        # Nobody waits: windows may as well be one.
        windows = ((sum(window * times for window, times in windows), 1),)
    of_each = [(fullest_of_drawn(window, length, kept, lanes), times) for window, times in windows]
    mean = sum_of_means(of_each)
    if groups == 1:
        return mean
    apart = sum(times * _variance(each) for each, times in of_each)
    together = apart + _covariances(windows, length, kept, lanes)
    if together <= _ROUNDED * apart:
        return mean
    return mean + math.sqrt(together / apart) * (slowest_of(of_each, groups) - mean)


def fullest_of_drawn(window: int, length: int, kept: int, lanes: int) -> FloatArray:
    """[window + 1] probability of each count that the fullest of some lanes keeps of a window.

    Args:
        window: elements of it.
        length: of a lane.
        kept: of the lane.
        lanes: R.
    """
    cumulated = np.minimum(np.cumsum(_drawn(window, length, kept)), 1.0)
    found: FloatArray = np.diff(cumulated**lanes, prepend=0.0)
    return found


def _drawn(window: int, length: int, kept: int) -> FloatArray:
    """[window + 1] hypergeometric probability of each count in a window."""
    counts = np.arange(window + 1)
    logs = _log_choose(window, counts) + _log_choose(length - window, kept - counts)
    found: FloatArray = np.exp(logs - _log_choose(length, np.array(kept)))
    return found


def _variance(each: FloatArray) -> float:
    counts = np.arange(len(each))
    return float(each @ counts**2 - (each @ counts) ** 2)


def _covariances(windows: Windows, length: int, kept: int, lanes: int) -> float:
    """Sum over all ordered pairs of different windows of the covariance of what their fullest lanes keep."""
    found = 0.0
    for number, (first, times) in enumerate(windows):
        if times > 1:
            found += times * (times - 1) * _covariance(first, first, length, kept, lanes)
        for second, others in windows[number + 1 :]:
            found += 2 * times * others * _covariance(first, second, length, kept, lanes)
    return found


def _covariance(first: int, second: int, length: int, kept: int, lanes: int) -> float:
    """Of the largest counts in two windows of the same lanes: the sum of P(both above a, b) less that of each."""
    of_first, of_second = (_likely(_drawn(window, length, kept)) for window in (first, second))
    a, b = np.arange(*of_first)[:, None], np.arange(*of_second)[None, :]
    rest = kept - a - b
    logs = _log_choose(first, a) + _log_choose(second, b) + _log_choose(length - first - second, rest)
    joint = np.exp(logs - _log_choose(length, np.array(kept)))
    both = np.minimum(joint.cumsum(axis=0).cumsum(axis=1), 1.0) ** lanes
    # Beyond the last likely count each window's own probability is what is left of the joint one.
    return float((both - both[:, -1:] * both[-1:, :]).sum())


def _likely(probability: FloatArray) -> tuple[int, int]:
    """The range of counts that are not all but impossible."""
    found = np.flatnonzero(probability > _NEGLIGIBLE)
    return int(found[0]), int(found[-1]) + 1


def _log_choose(of: int, chosen: IntArray) -> FloatArray:
    """Logarithm of the ways to choose so many; minus infinity where there are none."""
    logs = _log_factorials(of)
    within = np.clip(chosen, 0, of)
    ways = logs[of] - logs[within] - logs[of - within]
    found: FloatArray = np.where(chosen == within, ways, -np.inf)
    return found


@lru_cache(maxsize=256)
def _log_factorials(most: int) -> FloatArray:
    """[most + 1]."""
    found: FloatArray = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
    return found
