"""What designs that agree have in common, and what further number would tell them apart.

Were a number known, designs would be left that have it. How much less the answers of those differ is estimated from the
designs at hand: they are put into groups by the number (its values, or as many slices of equally many designs), and the
variance within groups stands against that of all, each over its degrees of freedom, so that a number that tells nothing
comes to 0 and not above. Draws that share a value because they are of one kind count as one of those degrees.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ....configs.arrays import FloatArray
from ..explore.axis_values import Value
from .consistency import DrawnDesign, Region, Telling
from .drawn_designs import Unknown

_MOST_GROUPS, _IN_A_GROUP = 5, 4
"""Slices of a number, at most; designs in each, at least."""


def region_of(unknown: Unknown, designs: Sequence[DrawnDesign]) -> Region:
    """What is left of an unknown."""
    drawn = [each.settings[unknown.name] for each in designs if unknown.name in each.settings]
    left = [each.settings[unknown.name] for each in designs if each.agrees and unknown.name in each.settings]
    numbers = unknown.is_number
    narrowed = 0.0
    if numbers and left:
        before, after = (_spread([float(each) for each in values], unknown) for values in (drawn, left))
        narrowed = 1 - after / before if before else 0.0
    elif left:
        before, after = _entropy(drawn), _entropy(left)
        narrowed = 1 - after / before if before else 0.0
    counted = not unknown.within
    return Region(
        name=unknown.name,
        choices=unknown.choices,
        within=unknown.within,
        least=float(min(left)) if numbers and left else None,
        most=float(max(left)) if numbers and left else None,
        survivors=_counts(left) if counted else {},
        drawn=_counts(drawn) if counted else {},
        narrowed=narrowed,
    )


def told_by(
    candidates: Mapping[str, Sequence[Value]], answers: Mapping[str, Sequence[float]], *, apart: Mapping[str, int]
) -> tuple[Telling, ...]:
    """What each candidate would tell of the answers, were it known; what tells most first.

    Args:
        candidates: of each its value in every design that agrees.
        answers: likewise; a candidate that is an answer tells nothing of itself.
        apart: how many values were drawn on their own, of candidates whose draws share them.
    """
    found = []
    for name, values in candidates.items():
        groups = _groups(values)
        if groups is None:
            continue
        by_answer = {
            other: reduction(groups, np.array(theirs, dtype=float), apart=apart.get(name, len(values)))
            for other, theirs in answers.items()
            if other != name
        }
        if by_answer:
            mean = math.fsum(by_answer.values()) / len(by_answer)
            found.append(Telling(name=name, reduction=mean, by_answer=by_answer))
    return tuple(sorted(found, key=lambda each: -each.reduction))


def reduction(groups: Sequence[int], values: FloatArray, *, apart: int) -> float:
    """The share by which values differ less within groups than in all.

    Args:
        groups: of each value.
        values: at least two.
        apart: how many of them were drawn on their own.

    >>> reduction([0, 0, 1, 1], np.array([1.0, 1.0, 2.0, 2.0]), apart=4)
    1.0
    >>> reduction([0, 1, 0, 1], np.array([1.0, 1.0, 2.0, 2.0]), apart=4)
    0.0
    """
    of_each = [values[np.array(groups) == group] for group in sorted(set(groups))]
    free = apart - len(of_each)
    whole = math.fsum(((values - values.mean()) ** 2).tolist())
    if free < 1 or whole <= len(values) * (1e-9 * abs(float(values.mean()))) ** 2:
        return 0.0
    inside = math.fsum(((each - each.mean()) ** 2).sum() for each in of_each)
    return 1 - math.sqrt(min(inside / free / (whole / (apart - 1)), 1.0))


def _groups(values: Sequence[Value]) -> list[int] | None:
    """A group a design; None where there are too few designs, or they are all alike."""
    kinds = list(dict.fromkeys(values))
    if len(values) < 2 * _IN_A_GROUP or len(kinds) < 2:
        return None
    if len(kinds) <= _MOST_GROUPS or isinstance(kinds[0], str):
        return [kinds.index(each) for each in values]
    numbers = np.array(values, dtype=float)
    slices = min(_MOST_GROUPS, len(values) // _IN_A_GROUP)
    edges = np.quantile(numbers, np.linspace(0, 1, slices + 1)[1:-1])
    return [int(each) for each in np.searchsorted(edges, numbers, side="right")]


def _spread(values: Sequence[float], unknown: Unknown) -> float:
    """How far values lie apart; of factors where all that it may be is above zero."""
    factors = all(float(each) > 0 for each in unknown.choices)
    return float(np.std(np.log(values) if factors else values))


def _entropy(values: Sequence[Value]) -> float:
    shares = [count / len(values) for count in Counter(values).values()]
    return -math.fsum(share * math.log(share) for share in shares)


def _counts(values: Sequence[Value]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items(), key=lambda each: str(each[0]))}
