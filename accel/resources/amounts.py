"""Amounts of what an FPGA has, and what is known of one: the lowest, the likeliest and the highest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

Resource = Literal["luts", "flip_flops", "dsps", "bram36", "urams"]

RESOURCES: tuple[Resource, ...] = get_args(Resource)
"""In the order of ``Amounts``."""

TITLES: dict[Resource, str] = {
    "luts": "LUTs",
    "flip_flops": "flip-flops",
    "dsps": "DSPs",
    "bram36": "block RAMs",
    "urams": "UltraRAMs",
}
"""In words; a block RAM has 36 Kib, an UltraRAM 288 Kib."""


class Amounts(NamedTuple):
    """How much of each: a sum of parts of designs, or what a part has."""

    luts: float = 0
    flip_flops: float = 0
    dsps: float = 0
    bram36: float = 0
    urams: float = 0

    def plus(self, other: Amounts) -> Amounts:
        """Both together.

        >>> Amounts(luts=1).plus(Amounts(luts=2, dsps=1))
        Amounts(luts=3, flip_flops=0, dsps=1, bram36=0, urams=0)
        """
        # Written out: a sweep adds them up a thousand times a design.
        a, b = self, other
        return Amounts(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4])

    def times(self, count: float) -> Amounts:
        """That many of it."""
        return Amounts(self[0] * count, self[1] * count, self[2] * count, self[3] * count, self[4] * count)

    def share_of(self, other: Amounts) -> float:
        """The largest share of another amount that it is, over all resources; infinite where the other has none.

        >>> Amounts(luts=10, dsps=1).share_of(Amounts(luts=100, dsps=4))
        0.25
        """
        return max(map(share, self, other))


class Estimate(NamedTuple):
    """What is known of an amount: every resource lies between the two ends."""

    low: Amounts
    value: Amounts
    high: Amounts

    def plus(self, other: Estimate) -> Estimate:
        """Both together: the ends add up, as if all were low or all high at once."""
        return Estimate(self[0].plus(other[0]), self[1].plus(other[1]), self[2].plus(other[2]))

    def times(self, count: float) -> Estimate:
        """That many of it, all alike."""
        return Estimate(*(each.times(count) for each in self))


End = Literal["low", "value", "high"]

ENDS: tuple[End, ...] = get_args(End)


def exactly(amounts: Amounts) -> Estimate:
    """An amount that is not in doubt."""
    return Estimate(amounts, amounts, amounts)


def total(estimates: Iterable[Estimate]) -> Estimate:
    """All together."""
    found = exactly(Amounts())
    for each in estimates:
        found = found.plus(each)
    return found


def share(needed: float, there: float) -> float:
    """How much of what is there is needed.

    >>> share(1, 4), share(0, 0), share(1, 0)
    (0.25, 0.0, inf)
    """
    return needed / there if there else float("inf") if needed else 0.0
