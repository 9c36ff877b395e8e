"""Cycles of one request to memory, in plain integers. The tiles of a product ask for a few, again and again."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from ...accel.dram import DramTiming

_REMEMBERED = 1 << 14


@lru_cache(_REMEMBERED)
def plain_cycles(transfer_bytes: int, run_bytes: int, overhead_bytes: int, per_second: float, clock_hz: float) -> int:
    """Of a memory that knows bytes over bandwidth, and an overhead a run.

    >>> plain_cycles(3840, 64, 64, 384e9, 1e9)
    20
    """
    efficiency = Fraction(run_bytes, run_bytes + overhead_bytes)
    # Exact: the quotient of the two as a float may lie on the wrong side of a whole number.
    bytes_per_cycle = Fraction(per_second) / Fraction(clock_hz)
    return math.ceil(transfer_bytes / efficiency / bytes_per_cycle)


@lru_cache(_REMEMBERED)
def timed_cycles(memory: DramTiming, transfer_bytes: int, run_bytes: int, stride_bytes: int, write: bool) -> int:
    """Of the timed memory, which has a witness of its own, ``sim/witness/machines/dram_banks.py``."""
    request = (np.array([each]) for each in (transfer_bytes, run_bytes, stride_bytes))
    return int(memory.cycles(*request, write=write)[0])
