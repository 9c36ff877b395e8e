"""How long lanes that wait for each other take over random zeros: an expectation, exact to rounding.

Elements are kept independently with probability d. Along k a lane meets windows of elements; the lanes of a lockstep
group enter each window together and leave it together, so a window takes as many slots as the fullest of them keeps:
the largest of R binomial counts. Lockstep groups run apart from each other, and an operand is through when the last of
them is: the largest of B sums over windows.

    slots = E[ max over B groups of ( sum over windows of ( max over R lanes of Binomial(window, d) ) ) ]

With one group this is the sum of E[max of R Binomial(M, d)], as the methods' papers have it. Source:
docs/hardware-model.md, "Zeros without a rule".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from ...configs.arrays import FloatArray

Windows = tuple[tuple[int, int], ...]
"""Elements of a window and how many such windows there are, rising."""


def windows_of(lengths: Iterable[int]) -> Windows:
    """Count windows by their length.

    >>> windows_of([8, 8, 4])
    ((4, 1), (8, 2))
    """
    return tuple(sorted(Counter(lengths).items()))


def fullest(length: int, density: float, lanes: int) -> FloatArray:
    """[length + 1] probability of each count that the fullest of some lanes keeps of a window.

    Args:
        length: elements of the window.
        density: probability that one is kept.
        lanes: R.

    >>> round(float(fullest(8, 0.25, 8) @ np.arange(9)) / 8, 2)  # methods of the field: 0.48 of the dense time
    0.48
    """
    found: FloatArray = np.diff(at_most(length, density) ** lanes, prepend=0.0)
    return found


def at_most(length: int, density: float) -> FloatArray:
    """[length + 1] probability that a lane keeps at most so many: of a binomial count."""
    if density >= 1:
        return np.append(np.zeros(length), 1.0)
    kept = np.arange(length + 1)
    orders = np.array([math.lgamma(length + 1) - math.lgamma(n + 1) - math.lgamma(length - n + 1) for n in kept])
    each: FloatArray = np.exp(orders + kept * math.log(density) + (length - kept) * math.log1p(-density))
    return np.minimum(np.cumsum(each), 1.0)


@lru_cache(maxsize=4096)
def expected_slots(windows: Windows, density: float, lanes: int, groups: int) -> float:
    """Slots until the last of some lockstep groups is through all windows.

    Args:
        windows: that a lane meets along k.
        density: probability that an element is kept.
        lanes: R, lanes of a lockstep group.
        groups: B, lockstep groups side by side.
    """
    return slowest_of([(fullest(length, density, lanes), times) for length, times in windows], groups)


def sum_of_means(of_each: Sequence[tuple[FloatArray, int]]) -> float:
    """The mean of a sum of counts, each with its probabilities and met so many times."""
    return float(sum(times * (each @ np.arange(len(each))) for each, times in of_each))


def slowest_of(of_each: Sequence[tuple[FloatArray, int]], groups: int) -> float:
    """The mean of the largest of some such sums, counts and sums independent."""
    if groups == 1:
        return sum_of_means(of_each)
    longest = sum((len(each) - 1) * times for each, times in of_each)
    cumulated = np.minimum(np.cumsum(_summed(of_each, longest)), 1.0)
    # The mean of a count is the sum of the probabilities that it is above 0, 1, 2, ...
    return float(np.sum(1.0 - cumulated[:-1] ** groups))


def _summed(of_each: Iterable[tuple[FloatArray, int]], longest: int) -> FloatArray:
    """[longest + 1] probability of each sum of independent counts, each met so many times: a product of transforms."""
    size = 1 << longest.bit_length()
    transformed = np.ones(size // 2 + 1, dtype=np.complex128)
    for each, times in of_each:
        transformed *= np.fft.rfft(each, size) ** times
    return np.maximum(np.fft.irfft(transformed, size)[: longest + 1], 0.0)
