"""The register-level machine of ``broadcast.py``: every issue, sum and result register, with real numbers flowing.

It knows no formula of the dataflow. A fold's accumulations issue in order, one a cycle, each no sooner than the one
that it depends on has left the adder; the wires reach all PEs at once, so all PEs do the same. A finished sum goes to a
result register of its PE. Columns of these begin to shift down when a fold is complete. A fold that would overwrite a
result that has not left is a hazard; overlapped folds begin at the least distance at which there is none.
"""

from __future__ import annotations

from itertools import count

import numpy as np
from bisparse.accel.tensor_engine import ArrayTiming
from bisparse.configs.arrays import FloatArray
from bisparse.dataflow.dataflows.tile import Sparsity

from bisparse.testing.dataflow_contract import Played


class HazardError(RuntimeError):
    """A result register was written before its result had left."""


def play(array: ArrayTiming, numbers: dict[str, int], a: FloatArray, b: FloatArray, sparsity: Sparsity) -> Played:
    """Multiply ``a`` [m, k] by ``b`` [k, n], dense or compressed along k."""
    for distance in count():
        try:
            return BroadcastMachine(array, numbers["turns"], a, b, sparsity).run(distance)
        except HazardError:
            # Only overlapped folds meet, and only when they begin too soon.
            continue
    raise AssertionError("some distance is free of hazards")


class BroadcastMachine:
    """The array with a product laid on it.

    Args:
        array: the array.
        turns: outputs of its row that a PE turns between.
        a: operand A, [m, k].
        b: operand B, [k, n].
        sparsity: of B.
    """

    def __init__(self, array: ArrayTiming, turns: int, a: FloatArray, b: FloatArray, sparsity: Sparsity) -> None:
        self.array, self.a, self.b = array, a, b
        self.turns = min(turns, -(-b.shape[1] // array.cols))
        size, kept = sparsity.pattern.group, sparsity.pattern.kept
        self.groups = [range(start, min(start + size, len(b))) for start in range(0, len(b), size)]
        # What a slot multiplies: which pair of which group.
        self.slots = [(group, pair) for group in self.groups for pair in range(min(kept, len(group)))]
        self.held = np.full((array.rows, self.turns, array.cols), np.nan)
        self.product = np.full((len(a), b.shape[1]), np.nan)
        self.captured = self.west_words = self.north_words = self.sums = 0

    def run(self, distance: int) -> Played:
        """Run every fold; overlapped ones begin ``distance`` apart, or later where the issue port is taken.

        Raises:
            HazardError: they began too soon.
        """
        wide = self.array.cols * self.turns
        (m, n), pipeline = self.product.shape, self.array.mac_latency - 1
        folds = [(top, left) for top in range(0, m, self.array.rows) for left in range(0, n, wide)]
        timetable = self._timetable()
        begun: list[int] = []
        leaving: list[tuple[int, int]] = []  # folds that are complete, their results still to come out
        shift, last = 0, -1
        for clock in count():
            if len(begun) < len(folds) and self._may_begin(clock, begun, max(timetable) + 1, distance):
                begun.append(clock)
            if leaving:
                self._leave(leaving[0], shift)
                shift, last = shift + 1, clock
                if shift == self.array.rows * self.turns:
                    leaving.pop(0)
                    shift = 0
            for fold, start in zip(folds, begun, strict=False):
                if (issued := timetable.get(clock - start)) is not None:
                    self._send(fold, *issued)
                finished = timetable.get(clock - start - pipeline)
                if finished is None or finished[0] < len(self.slots) - 1:
                    continue
                self._capture(fold, finished[1])
                if not self.array.shifted_drain:
                    self._leave_by_wire(fold, finished[1])
                    last = clock
                elif finished[1] == self.turns - 1:
                    leaving.append(fold)
            if self.captured == len(folds) * self.turns and not leaving:
                return Played(
                    product=self.product,
                    cycles=last + 1,
                    west_words=self.west_words,
                    north_words=self.north_words,
                    sums=self.sums,
                )
        raise AssertionError("the clock stops with the last result")

    def _timetable(self) -> dict[int, tuple[int, int]]:
        """Slot and turn that issue in each cycle of a fold."""
        free, issued = 0, {}
        for slot in range(len(self.slots)):
            for turn in range(self.turns):
                if slot:
                    free = max(free, issued[slot - 1, turn] + self.array.accumulate_latency)
                issued[slot, turn] = free
                free += 1
        return {clock: which for which, clock in issued.items()}

    def _may_begin(self, clock: int, begun: list[int], length: int, distance: int) -> bool:
        if not begun:
            return True
        if self.array.overlapped:
            return clock >= begun[-1] + max(length, distance)
        empty = bool(np.isnan(self.held).all())
        return clock >= begun[-1] + length + self.array.mac_latency - 1 and empty

    def _columns(self, fold: tuple[int, int], turn: int) -> slice:
        """Columns of C that PEs have in a turn."""
        left = fold[1] + turn * self.array.cols
        return slice(left, left + self.array.cols)

    def _rows(self, fold: tuple[int, int]) -> slice:
        return slice(fold[0], fold[0] + self.array.rows)

    def _send(self, fold: tuple[int, int], slot: int, turn: int) -> None:
        """What the edges send with an accumulation: a pair a column, and the rows' values with a group's first."""
        group, pair = self.slots[slot]
        self.north_words += sum(len(self._pairs(group, column)) > pair for column in self._pair_columns(fold, turn))
        if pair == turn == 0:
            self.west_words += int(np.count_nonzero(self.a[self._rows(fold), group.start : group.stop]))

    def _pair_columns(self, fold: tuple[int, int], turn: int) -> range:
        return range(self.b.shape[1])[self._columns(fold, turn)]

    def _pairs(self, group: range, column: int) -> list[int]:
        """Places along k of a column's pairs in a group."""
        return [k for k in group if self.b[k, column]]

    def _capture(self, fold: tuple[int, int], turn: int) -> None:
        """Put the finished sums of a turn into the result registers."""
        if not np.isnan(self.held[:, turn]).all():
            raise HazardError("a result was captured over one that had not left")
        self.captured += 1
        self.held[:, turn] = 0.0
        for lane, column in enumerate(self._pair_columns(fold, turn)):
            for group, pair in self.slots:
                places = self._pairs(group, column)[pair : pair + 1]
                values = self.a[self._rows(fold), places] @ self.b[places, column]
                self.held[: len(values), turn, lane] += values

    def _leave(self, fold: tuple[int, int], shift: int) -> None:
        """Shift every column down by one: a result leaves, rows whose own have passed stand still."""
        standing, turn = divmod(shift, self.turns)
        row = fold[0] + self.array.rows - 1 - standing
        self._out(row, fold, turn, self.held[-1, turn].copy())
        self.held[standing + 1 :, turn] = self.held[standing:-1, turn].copy()
        self.held[standing, turn] = np.nan

    def _leave_by_wire(self, fold: tuple[int, int], turn: int) -> None:
        for row in range(self.array.rows):
            self._out(fold[0] + row, fold, turn, self.held[row, turn].copy())
        self.held[:, turn] = np.nan

    def _out(self, row: int, fold: tuple[int, int], turn: int, values: FloatArray) -> None:
        if row < len(self.product):
            columns = self._pair_columns(fold, turn)
            self.product[row, columns] = values[: len(columns)]
            self.sums += len(columns)
