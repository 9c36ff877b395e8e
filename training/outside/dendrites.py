"""Sparse codes that a neuron's dendrite recognises, and by chance mistakes for one another.

A population of n units has ``active`` a of them on; a segment of a dendrite has ``synapses`` s, each on a unit of the
pattern that it stores, and recognises a pattern where ``threshold`` theta of them or more are on. Which units of an
unknown pattern are on is taken to be drawn without preference, so that the overlap is hypergeometric:

    P(match) = sum over b from theta to s of C(s, b) C(n - s, a - b) / C(n, a)

Source: Ahmad and Hawkins, 2016: How do neurons operate on sparse distributed representations? (arXiv 1601.00720), and
the same authors' Why neurons have thousands of synapses (2016), whose figures the tests have.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb, sqrt

import numpy as np

from ...configs.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment of a dendrite beside the population that it listens to.

    Attributes:
        units: n, of the population.
        active: a, of them on in any pattern.
        synapses: s, of the segment.
        threshold: theta, synapses that must be on.
    """

    units: int
    active: int
    synapses: int
    threshold: int

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.synapses <= self.active <= self.units:
            raise ConfigError(
                f"threshold: got {self.threshold} of {self.synapses} synapses, {self.active} of {self.units} units "
                "active, need 1 <= threshold <= synapses <= active <= units: synapses lie on what a pattern has on"
            )

    def false_match_rate(self) -> float:
        """Of a pattern that the segment does not know: the chance that it is taken for the one stored.

        >>> f"{Segment(units=100_000, active=2000, synapses=6, threshold=6).false_match_rate():.4g}"
        '6.353e-11'
        """
        return _tail(self.units, self.active, self.synapses, self.threshold)

    def match_rate(self, lost: int) -> float:
        """Of the stored pattern with some of its units off, and as many others on: the chance that it is recognised.

        Units that come on are of no use to the segment: none of its synapses lies on them.

        Args:
            lost: units of the pattern that are off.

        Raises:
            ConfigError: it has not so many.
        """
        if not 0 <= lost <= self.active:
            raise ConfigError(f"lost: got {lost}, need 0 to {self.active}, the units that a pattern has on")
        return _tail(self.active, self.active - lost, self.synapses, self.threshold)

    def counted_false_matches(self, trials: int, seed: int = 0) -> tuple[float, float]:
        """The false match rate counted over patterns that are drawn, and the deviation of the count over trials.

        Args:
            trials: patterns drawn.
            seed: of the draws.
        """
        drawn = np.random.default_rng(seed)
        matches = 0
        for begin in range(0, trials, _AT_ONCE):
            many = min(_AT_ONCE, trials - begin)
            on = drawn.random((many, self.units)).argpartition(self.active - 1, axis=1)[:, : self.active]
            # Units have no order: the segment's synapses lie on the first ones.
            matches += int(((on < self.synapses).sum(axis=1) >= self.threshold).sum())
        rate = matches / trials
        return rate, sqrt(rate * (1 - rate) / trials)


_AT_ONCE = 4096


def _tail(units: int, active: int, synapses: int, threshold: int) -> float:
    """The chance that at least ``threshold`` of ``synapses`` given units are among ``active`` drawn of ``units``."""
    many = sum(
        comb(synapses, both) * comb(units - synapses, active - both)
        for both in range(threshold, min(synapses, active) + 1)
    )
    return float(Fraction(many, comb(units, active)))
