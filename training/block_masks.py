"""Blocks of attention's scores that a rule keeps: which, and what rows and columns of them come to. Free of torch.

A mask is a row of bits a row of blocks, bit j for the block of the j-th keys. A rule names blocks by their place (a
window around the diagonal, the first ones, a mask that is given) or by a share. A share says how many blocks of a row
are kept, not which: those are data's. They are laid out evenly, beginning at the diagonal, so that every column of
blocks is needed by about as many rows; a mask that is given is counted as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRule:
    """Blocks that are kept: all that any of these names.

    Attributes:
        density: share of the blocks that a row may keep, rounded up; the others count towards it. 0: no more than they.
        window: blocks around the diagonal on each side, itself included; 0: none.
        first: of the first blocks of keys, seen by all queries, and of queries, which see all keys: as many.
        given: rows of a mask of ones and zeros, one a row of blocks; none where it is not given.
    """

    density: Fraction = Fraction(0)
    window: int = 0
    first: int = 0
    given: tuple[str, ...] = ()


@cache
def kept_blocks(rule: BlockRule, rows: int, columns: int, *, causal: bool) -> tuple[int, ...]:
    """The mask of a rule, bit j of a row for the block of its j-th keys.

    Args:
        rule: what is kept.
        rows: blocks of queries.
        columns: blocks of keys.
        causal: whether blocks wholly above the diagonal are never kept.

    >>> local = BlockRule(window=1, first=1)
    >>> [f"{row:04b}"[::-1] for row in kept_blocks(local, 4, 4, causal=True)]
    ['1000', '1100', '1010', '1001']
    >>> [f"{row:04b}"[::-1] for row in kept_blocks(BlockRule(density=Fraction(1, 2)), 4, 4, causal=False)]
    ['1010', '0101', '1010', '0101']
    """
    return tuple(_row(rule, row, columns, causal=causal) for row in range(rows))


def _row(rule: BlockRule, row: int, columns: int, *, causal: bool) -> int:
    seen = min(row + 1, columns) if causal else columns
    may = (1 << seen) - 1
    if rule.given:
        return int(rule.given[row][::-1], 2) & may
    kept = may if row < rule.first else (1 << rule.first) - 1
    if rule.window:
        below = (1 << (row + rule.window)) - 1
        kept |= below & ~((1 << max(0, row + 1 - rule.window)) - 1)
    kept &= may
    wanted = math.ceil(rule.density * seen) if seen else 0
    own = min(row, seen - 1)
    # Evenly spread from the diagonal back, and around; then whatever is left, nearest first.
    for place in (*(own - step * seen // wanted for step in range(wanted)), *range(own, own - seen, -1)):
        if kept.bit_count() >= wanted:
            break
        kept |= 1 << place % seen
    return kept


@cache
def rows_of(mask: tuple[int, ...], queries: int, keys: int, block: int) -> dict[tuple[int, int], int]:
    """Rows of blocks: how many there are of each (queries, keys of the kept blocks); none of those that keep none.

    >>> rows_of((0b01, 0b11, 0b10), 5, 4, 2)
    {(2, 2): 1, (2, 4): 1, (1, 2): 1}
    """
    short = -keys % block
    last = -(-keys // block) - 1
    sizes = (
        (min(block, queries - number * block), kept.bit_count() * block - (kept >> last & 1) * short)
        for number, kept in enumerate(mask)
        if kept
    )
    return dict(Counter(sizes))


@cache
def columns_of(mask: tuple[int, ...], queries: int, keys: int, block: int) -> dict[tuple[int, int], int]:
    """Columns of blocks: how many there are of each (keys, queries of the kept blocks); none of those nobody needs.

    >>> columns_of((0b01, 0b11, 0b10), 5, 4, 2)
    {(2, 4): 1, (2, 3): 1}
    """
    columns = -(-keys // block)
    turned = [0] * columns
    for number, kept in enumerate(mask):
        left = kept
        while left:
            lowest = left & -left
            turned[lowest.bit_length() - 1] |= 1 << number
            left ^= lowest
    return rows_of(tuple(turned), keys, queries, block)
