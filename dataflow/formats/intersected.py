"""How long PEs that skip zeros of both operands take: each multiplies where both keep, and all wait for the fullest.

A fold has R rows of PEs, each with a row of A, and C columns, each with a column of B. Elements of a window of k are
kept independently, of A with probability a, of B with b; a PE multiplies as often as both are, and the fold leaves the
window when the PE with most to multiply does:

    X = max over R rows and C columns of |row and column|

PEs of a row share A's zeros and those of a column B's, so they are not independent. How many elements a row or a column
keeps carries nearly all of that: given these counts j and l, what they share is taken as hypergeometric and independent
of the others. Columns are taken by the fullest of them, L; the others keep at most as many, each by itself:

    P(X <= x) = sum over L of P(L) ( sum over j of P(j) E[ product over columns of H(x; j, l) | fullest keeps L ] )^R

and once more with rows and columns exchanged; the larger is taken: what both leave out raises it.
With one operand dense, or one row or column, this is exact. Never below what either operand alone would give. Source:
docs/hardware-model.md, "Zeros of both operands".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...configs.arrays import FloatArray, IntArray
from .waiting import Windows, at_most, windows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Where two sparse operands meet.

    Attributes:
        group: M, elements of k whose bitmaps a PE compares at once.
        queue: groups of a window.
        rows: of PEs in a fold, each with a row of A.
        cols: of PEs in a fold, each with a column of B.
    """

    group: int
    queue: int
    rows: int
    cols: int

    def windows(self, channels: int, taps: int) -> Windows:
        """What PEs meet along k: a short group at the end of every tap."""
        groups = [min(self.group, channels - start) for start in range(0, channels, self.group)] * taps
        return windows_of(sum(groups[start : start + self.queue]) for start in range(0, len(groups), self.queue))


@lru_cache(maxsize=65536)
def met_slots(met: Meeting, density_a: float, density_b: float, channels: int, taps: int) -> int:
    """Slots of a tile, expected and rounded up; never above the dense count, at least 1.

    Args:
        met: where the operands meet.
        density_a: probability that an element of A is kept.
        density_b: of B.
        channels: of the tile along k.
        taps: kernel positions.
    """
    slots = expected_met_slots(met, density_a, density_b, channels, taps)
    return min(max(1, math.ceil(slots - 1e-9)), channels * taps)


def expected_met_slots(met: Meeting, density_a: float, density_b: float, channels: int, taps: int) -> float:
    """The same, not rounded."""
    found = 0.0
    for length, times in met.windows(channels, taps):
        found += times * float(np.sum(1.0 - at_most_met(length, density_a, density_b, met.rows, met.cols)[:-1]))
    return found


@lru_cache(maxsize=4096)
def at_most_met(length: int, density_a: float, density_b: float, rows: int, cols: int) -> FloatArray:
    """[length + 1] probability that no PE of a fold has more than so many to multiply in a window.

    Args:
        length: elements of the window.
        density_a: probability that one of A is kept.
        density_b: of B.
        rows: R.
        cols: C.
    """
    sides = [
        _by_fullest(length, density_a, density_b, rows, cols),
        _by_fullest(length, density_b, density_a, cols, rows),
    ]
    alone = [at_most(length, density_b) ** cols, at_most(length, density_a) ** rows]
    found: FloatArray = np.minimum(np.maximum.accumulate(np.max(sides + alone, axis=0)), 1.0)
    return found


def _by_fullest(length: int, density: float, others: float, rows: int, cols: int) -> FloatArray:
    """[length + 1] the same, columns taken by the fullest of them.

    Args:
        length: elements of the window.
        density: probability that one of a row is kept.
        others: of a column.
        rows: R.
        cols: C.
    """
    of_row = np.diff(at_most(length, density), prepend=0.0)
    up_to = at_most(length, others)
    of_column = np.diff(up_to, prepend=0.0)
    fullest = np.diff(up_to**cols, prepend=0.0)
    # [j, L, x]: all columns keep at most L, and share at most x with a row that keeps j.
    within = np.cumsum(_shared(length) * of_column[:, None], axis=1) ** cols
    within = np.diff(within, prepend=0.0, axis=1)
    there = fullest > 0
    given = np.einsum("j,jlx->lx", of_row, within[:, there]) / fullest[there, None]
    return np.asarray(fullest[there] @ np.clip(given, 0.0, 1.0) ** rows)


@lru_cache(maxsize=8)
def _shared(length: int) -> FloatArray:
    """[j, l, x] probability that j and l elements of a window, placed at random, share at most x."""
    factorials = np.array([math.lgamma(count + 1) for count in range(length + 1)])
    row, column, both = np.indices((length + 1,) * 3)
    # What a column keeps besides lies where the row keeps nothing.
    possible = (both <= row) & (both <= column) & (column - both <= length - row)
    row, column, both = (np.where(possible, each, 0) for each in (row, column, both))
    all_of_it = np.full_like(row, length)
    ways = _ways(row, both, factorials) + _ways(all_of_it - row, column - both, factorials)
    shares = np.exp(ways - _ways(all_of_it, column, factorials))
    return np.asarray(np.minimum(np.cumsum(np.where(possible, shares, 0.0), axis=2), 1.0))


def _ways(of: IntArray, some: IntArray, factorials: FloatArray) -> FloatArray:
    """Logarithm of the ways to choose some."""
    return np.asarray(factorials[of] - factorials[some] - factorials[of - some])
