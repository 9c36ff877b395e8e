"""Whole numbers as foreign files write them: counts that a machine could have."""

from __future__ import annotations

LARGEST_COUNT = 2**31 - 1
"""The largest count that is read: more rows, samples or bytes than anything has, and far from the end of 64 bits."""

NEED_COUNT = f"a positive integer up to {LARGEST_COUNT}"
"""What is needed instead of anything else."""


def count_of(text: str) -> int | None:
    """A positive integer in decimal digits; None for anything else, however long.

    >>> count_of("32"), count_of("0"), count_of("1e3"), count_of("9" * 5000)
    (32, None, None, None)
    """
    plain = text.strip()
    if not (plain.isascii() and plain.isdecimal()) or len(plain.lstrip("0")) > len(str(LARGEST_COUNT)):
        return None
    number = int(plain)
    return number if 0 < number <= LARGEST_COUNT else None
