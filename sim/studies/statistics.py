"""What a few seeds say of a mean: Student's interval, and that of paired differences.

Runs are paired by seed: the same initial weights and order of data under a recipe and dense. What the seed does to both
then drops out of the difference, whose interval is narrower than those of the two means side by side. The interval
speaks of seeds alone: the split that accuracy is measured on is the same in every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...configs.errors import ConfigError
from ...configs.needs import install_line

LEVEL = 0.95
"""The share of intervals that hold the true mean, were the differences normally distributed."""

_NO_SPREAD = 1e-12
"""A standard deviation below this is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean and its interval.

    Attributes:
        mean: of the samples.
        half_width: of the interval around it; None when one sample gives none.
    """

    mean: float
    half_width: float | None

    @property
    def resolved(self) -> bool:
        """Whether the interval excludes 0; one without width does not, for want of a spread."""
        return bool(self.half_width) and abs(self.mean) > (self.half_width or 0.0)


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of samples and Student's 95% interval.

    Args:
        values: at least one.

    Raises:
        ConfigError: there are none.

    >>> estimate([1.0, 2.0, 3.0]).mean
    2.0
    >>> round(estimate([1.0, 2.0, 3.0]).half_width, 4)  # 4.3027 standard errors of 1 / sqrt(3)
    2.4841
    >>> estimate([1.0])
    Estimate(mean=1.0, half_width=None)
    """
    count = len(values)
    if not count:
        raise ConfigError("samples: got none, need at least one")
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(mean=mean, half_width=None)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    if deviation < _NO_SPREAD:
        return Estimate(mean=mean, half_width=0.0)
    return Estimate(mean=mean, half_width=student_quantile(count - 1) * deviation / math.sqrt(count))


def paired_difference(values: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """The mean of ``values[i] - baseline[i]`` and its 95% interval.

    Args:
        values: of the runs.
        baseline: of the runs that they are paired with, in the same order.

    Raises:
        ConfigError: there are none, or not as many of both.
    """
    if len(values) != len(baseline):
        raise ConfigError(f"pairs: got {len(values)} and {len(baseline)} samples, need as many of both")
    return estimate([value - other for value, other in zip(values, baseline, strict=True)])


MOST_SEEDS = 1000
"""Differences that as many seeds would not resolve are as good as none."""

_NORMAL, _FEW = 1.959963984540054, {1: 12.7062, 2: 4.3027}
"""The two-sided 95% quantile of the normal distribution, and Student's of one and two degrees of freedom."""


def seeds_to_resolve(values: Sequence[float], baseline: Sequence[float]) -> int | None:
    """How many seeds would make the interval of the paired difference exclude 0, did mean and spread stay as they are.

    An estimate, and from few seeds a rough one: with three, the spread may be half or six times what it seems, at 95%.

    Args:
        values: of the runs.
        baseline: of the runs that they are paired with, in the same order; at least two of each.

    Returns:
        The least number, at least the one that there are; None beyond ``MOST_SEEDS``, or of one pair.

    >>> seeds_to_resolve([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]), seeds_to_resolve([1.0, -1.0], [0.0, 0.0])
    (4, None)
    """
    apart = [value - other for value, other in zip(values, baseline, strict=True)]
    if len(apart) < 2:
        return None
    mean = math.fsum(apart) / len(apart)
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in apart) / (len(apart) - 1))
    fitting = (
        count
        for count in range(len(apart), MOST_SEEDS + 1)
        if abs(mean) > _quantile(count - 1) * deviation / math.sqrt(count)
    )
    return next(fitting, None)


def _quantile(degrees: int) -> float:
    """Student's 95% quantile without scipy, within a hundredth (Abramowitz and Stegun, 26.7.5)."""
    if degrees in _FEW:
        return _FEW[degrees]
    z = _NORMAL
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    )


def student_quantile(degrees: int, level: float = LEVEL) -> float:
    """How many standard errors the interval reaches on each side of the mean.

    Args:
        degrees: of freedom, samples less one.
        level: of the interval.

    Raises:
        ConfigError: scipy is missing.
    """
    # Here: who reads results does not wait for scipy, and needs it not.
    try:
        from scipy.special import stdtrit  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ConfigError(f"intervals: got no package 'scipy', need it; try {install_line('train')}") from error
    return float(stdtrit(degrees, (1 + level) / 2))
