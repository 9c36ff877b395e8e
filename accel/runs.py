"""Runs of bytes at a stride: how many blocks (bursts, rows) they touch, counted exactly and with no loop over the runs.

``length`` units lie in runs of ``run`` units that start ``stride`` units apart, the first at a block's start; a short
last run holds what is left. Neighbouring runs in one block touch it once. The sums of floors are those of Euclid's
algorithm (Graham, Knuth, Patashnik, *Concrete Mathematics*, section 3.5).
"""

from __future__ import annotations

import numpy as np

from ..configs.arrays import IntArray


def blocks_touched(length: IntArray, run: IntArray, stride: IntArray, block: IntArray | int) -> IntArray:
    """Blocks touched, one after another, by runs.

    Args:
        length: units in all; 0 touches nothing.
        run: units of a run, at least 1.
        stride: from the start of a run to the start of the next, at least ``run``.
        block: units of a block, at least 1.

    >>> def touched(length, run, stride, block):
    ...     return blocks_touched(*(np.array([each]) for each in (length, run, stride)), block).item()
    >>> touched(1000, 1000, 1000, 64), touched(8, 2, 100, 64)  # 2 bytes at 0, 100, 200, 300
    (16, 4)
    >>> touched(8, 2, 4, 64), touched(30, 10, 60, 64)  # in one block; at 0-9, 60-69 (two blocks), 120-129 (two)
    (1, 3)
    """
    length, run, stride, block = np.broadcast_arrays(
        *(np.asarray(each, np.int64) for each in (length, run, stride, block))
    )
    whole, left = length // run, length % run
    # Runs that follow each other without a gap are one.
    joined = (stride == run) | (length <= run)
    whole = np.where(joined, 0, whole)
    touches = floor_sum(whole, block, stride, run - 1) - floor_sum(whole, block, stride, np.zeros_like(run)) + whole
    # A run that begins in the block in which the one before ended touches it no second time.
    between = np.maximum(whole - 1, 0)
    steps = floor_sum(between, block, stride, stride) - floor_sum(between, block, stride, run - 1)
    touches -= np.where(stride - run + 1 <= block, between - steps, 0)
    start = whole * stride
    tail = (start + left - 1) // block - start // block + 1
    tail -= (whole > 0) & ((start - stride + run - 1) // block == start // block)
    touches += np.where(left > 0, tail, 0)
    return np.where(joined, -(-length // block), touches)


def floor_sum(count: IntArray, divisor: IntArray, slope: IntArray, offset: IntArray) -> IntArray:
    """The sum of (slope * i + offset) // divisor over i in range(count), element by element.

    >>> floor_sum(*(np.array([each]) for each in (5, 4, 3, 2))).item(), sum((3 * i + 2) // 4 for i in range(5))
    (8, 8)
    """
    total = np.zeros(np.broadcast(count, divisor, slope, offset).shape, dtype=np.int64)
    n, m, a, b = (np.array(np.broadcast_to(each, total.shape)) for each in (count, divisor, slope, offset))
    # Totals may pass 64 bits on the way; they are summed and subtracted only, and differences come out right.
    with np.errstate(over="ignore"):
        while (n > 0).any():
            total += n * (n - 1) // 2 * (a // m) + n * (b // m)
            a, b = a % m, b % m
            top = a * n + b
            going = top >= m
            n, b = np.where(going, top // m, 0), np.where(going, top % m, 0)
            m, a = np.where(going, a, 1), np.where(going, m, 0)
    return total
