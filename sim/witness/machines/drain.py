"""How output-stationary results leave: down their column, through the result registers of the PEs below.

A PE's I result registers are a ring: each shift reads the register under the pointer out to the south, puts what comes
from the north in its place, and moves the pointer on. A column begins when its last PE holds a complete fold and shifts
once a cycle, I * R times; a row takes part until the results of the rows above it have passed (row-wise shift enables),
and then stands still, so that the next fold's results can already wait in the upper rows while the lower ones still
shift.

Without overlap these are the accumulators themselves; with overlap they are shadow registers beside them. No cycle
differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ....configs.arrays import BoolArray, FloatArray, IntArray
from .specification import HazardError


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Results that leave the bottom of their columns in one cycle; each field is [results]."""

    fold: IntArray
    register: IntArray
    row: IntArray
    column: IntArray
    value: FloatArray


class DrainColumns:
    """The result registers of an array of ``rows`` x ``cols`` PEs, ``registers`` a PE."""

    def __init__(self, *, rows: int, cols: int, registers: int) -> None:
        self._rows = rows
        self._registers = registers
        self._shifts = rows * registers
        # Not-a-number marks an empty register: it cannot pass for a result.
        self._held = np.full((cols, registers, rows), np.nan)
        self._shifted = np.full(cols, self._shifts)
        self._fold = np.full(cols, -1)
        self._row_ends = (np.arange(rows) + 1) * registers
        self._waiting = 0

    @property
    def occupied(self) -> BoolArray:
        """Which registers hold a result, [cols, registers, rows]."""
        occupied: BoolArray = ~np.isnan(self._held)
        return occupied

    def shift(self) -> Iterator[Leaving]:
        """One cycle of every column that is draining; what leaves the array.

        Raises:
            HazardError: the bottom of a column had no result to give.
        """
        if not self._waiting:
            return
        complete = ~np.isnan(self._held[:, :, -1]).any(axis=1)
        begins = complete & (self._shifted == self._shifts)
        self._shifted[begins] = 0
        self._fold[begins] += 1
        column = np.nonzero(self._shifted < self._shifts)[0]
        if not column.size:
            return
        shift = self._shifted[column]
        pointer = shift % self._registers
        held = self._held[column, pointer]
        enabled = shift[:, None] < self._row_ends
        from_above = np.full_like(held, np.nan)
        from_above[:, 1:] = np.where(enabled, held, np.nan)[:, :-1]
        self._held[column, pointer] = np.where(enabled, from_above, held)
        self._shifted[column] += 1
        self._waiting -= len(column)
        if np.isnan(held[:, -1]).any():
            raise HazardError("a column shifted out a register that held no result")
        yield Leaving(
            fold=self._fold[column],
            register=pointer,
            row=self._rows - 1 - shift // self._registers,
            column=column,
            value=held[:, -1],
        )

    def capture(self, row: IntArray, column: IntArray, register: IntArray, value: FloatArray) -> None:
        """Take finished sums, one for each of the PEs named, at the end of a cycle.

        Raises:
            HazardError: a register still holds a result of the fold before.
        """
        if not np.isnan(self._held[column, register, row]).all():
            raise HazardError("a result was captured over one that had not left")
        self._held[column, register, row] = value
        self._waiting += len(value)
