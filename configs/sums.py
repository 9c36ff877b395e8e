"""Sums of floats that come out the same on every Python."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Literal, TypeVar

Summed = TypeVar("Summed")


def sum_in_order(values: Iterable[Summed]) -> Summed | Literal[0]:
    """What ``sum`` gives up to Python 3.11: each number added to the sum of those before it, and rounded.

    From 3.12 on ``sum`` makes up for the rounding of floats, and ends in other last bits. Integers, of which every sum
    is exact, and NumPy's numbers and arrays need no care.

    >>> sum_in_order([1e16, 1.0, 1.0, -1e16])
    0.0
    """
    total: Summed | Literal[0] = reduce(operator.add, values, 0)
    return total
