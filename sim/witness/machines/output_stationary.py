"""The output-stationary array: results stay in their PE, both operands pass through.

A operands enter from the west and B operands from the north, each lane a cycle after the one before, and meet at PE (r,
c) after r + c hops. A PE holds Im * In partial sums, and the operands that it uses for more than one of them or more
than one slot: a dense operand as group vectors of M values, a compressed one as (value, index) pairs. It multiplies the
pair's value by the element of the group vector that the index selects. A fold is (R * Im) x (C * In) results; lanes
beyond the edge of the product carry zeros.

Overlapped folds begin at a constant interval: the smallest at which neither the issue port nor a result register is
claimed while the fold before still holds it. How long a result register is held is observed, on one column that runs
one fold alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....configs.arrays import FloatArray, IntArray
from .arithmetic import AccumulatePipelines
from .drain import DrainColumns
from .links import OperandLink, values_in
from .operands import Groups
from .output_program import Program, fold_lanes, lay_out
from .sequencer import FoldStream
from .specification import HazardError, Machine, Mapping, Operand, Outcome, require_registers


def run_output_stationary(
    machine: Machine,
    mapping: Mapping,
    rows_operand: FloatArray,
    columns_operand: FloatArray,
    groups: Groups,
    compressed: Operand,
) -> Outcome:
    """Multiply ``rows_operand`` [m, k] by the transpose of ``columns_operand`` [n, k].

    Args:
        machine: the tensor engine.
        mapping: ``interleave_m`` and ``interleave_n`` are used.
        rows_operand: A.
        columns_operand: the transpose of B.
        groups: groups along k; of single elements when dense.
        compressed: the operand that travels as pairs (either, when dense).

    Raises:
        MappingError: the interleave needs more partial sums than a PE has.
    """
    m, n = len(rows_operand), len(columns_operand)
    row_turns = min(mapping.interleave_m, -(-m // machine.rows))
    column_turns = min(mapping.interleave_n, -(-n // machine.cols))
    require_registers(row_turns * column_turns, machine, f"{row_turns} x {column_turns} interleaved outputs")
    rows_tiled = fold_lanes(rows_operand, row_turns, machine.rows)
    columns_tiled = fold_lanes(columns_operand, column_turns, machine.cols)
    program = lay_out(machine, rows_tiled, columns_tiled, groups, compressed)
    interval = 0
    if machine.overlapped and machine.drain == "shift" and program.folds > 1:
        interval = longest_hold(machine, rows_tiled, columns_tiled, groups, compressed)
    array = OutputStationaryArray(machine, program)
    array.run(interval)
    return Outcome(
        product=product_of(array.results, (row_turns, column_turns), m, n),
        cycles=array.last_leaving + 1,
        fold_starts=tuple(array.stream.starts),
        west_words=values_in(program.west.feed, pairs=not program.west_holds_vectors),
        north_words=values_in(program.north.feed, pairs=program.west_holds_vectors),
        sums=int(np.count_nonzero(array.results)),
    )


def product_of(results: FloatArray, turns: tuple[int, int], m: int, n: int) -> FloatArray:
    """The product [m, n] of which these are the results, [folds, Im * In, rows, columns of the array].

    Args:
        results: fold after fold.
        turns: Im and In.
        m: rows of the product.
        n: columns.
    """
    folds, _, rows, cols = results.shape
    row_folds = -(-m // (turns[0] * rows))
    by_fold = results.reshape(row_folds, folds // row_folds, *turns, rows, cols)
    return by_fold.transpose(0, 2, 4, 1, 3, 5).reshape(row_folds * turns[0] * rows, -1)[:m, :n]


def longest_hold(
    machine: Machine, rows_tiled: FloatArray, columns_tiled: FloatArray, groups: Groups, compressed: Operand
) -> int:
    """Cycles that one fold keeps a result register, observed on one column of the array that runs it alone."""
    program = lay_out(machine, 0 * rows_tiled[:1], 0 * columns_tiled[:1, :, :1], groups, compressed)
    column = OutputStationaryArray(machine, program)
    occupied = np.zeros(column.drain.occupied.shape, dtype=np.int64)
    while not column.ended:
        column.cycle(0)
        occupied += column.drain.occupied
    return int(occupied.max())


class OutputStationaryArray:
    """The PEs and links of the array, and the port that its results leave by."""

    def __init__(self, machine: Machine, program: Program) -> None:
        self._machine = machine
        self._program = program
        rows, cols = program.west.feed.shape[1], program.north.feed.shape[1]
        elements = rows * cols
        self._row, self._column = (index.reshape(-1) for index in np.indices((rows, cols)))
        self._element = np.arange(elements)
        self._from_west = OperandLink(program.west.feed, cols, delay=1)
        self._from_north = OperandLink(program.north.feed, rows, delay=1)
        self._west_kept = np.zeros((program.west.registers + 1, elements, program.west.feed.shape[2]))
        self._north_kept = np.zeros((program.north.registers + 1, elements, program.north.feed.shape[2]))
        self._pipelines = AccumulatePipelines(
            elements=elements,
            registers=program.interleave,
            mac_latency=machine.mac_latency,
            accumulate_latency=machine.accumulate_latency,
            steps=program.steps,
        )
        self.drain = DrainColumns(rows=rows, cols=cols, registers=program.interleave)
        self.stream = FoldStream(program.times, program.steps.idle)
        self.results = np.zeros((program.folds, program.interleave, rows, cols))
        self.left_at = np.full(program.folds, -1)
        self.last_leaving = -1
        self._timetable: Sequence[int] | None = None
        self._left = 0
        self._clock = 0

    @property
    def ended(self) -> bool:
        """Whether every result has left the array."""
        return self._left == self.results.size

    def run(self, interval: int) -> None:
        """Run every fold; overlapped ones begin ``interval`` cycles apart, or later when the issue port is taken."""
        while not self.ended:
            self.cycle(interval)

    def run_by(self, timetable: Sequence[int]) -> None:
        """Run every fold in the cycle that a timetable has for it.

        Raises:
            HazardError: as for ``cycle``; or the issue port is not free in that cycle.
        """
        self._timetable = timetable
        self.run(0)

    def cycle(self, interval: int) -> None:
        """One cycle of everything.

        Raises:
            HazardError: a register was read too soon or written too soon.
        """
        if self._may_begin(interval):
            self.stream.begin(self._clock)
        step = self._advance_operands(self.stream.next())
        product = self._multiply(step)
        finished, total = self._pipelines.cycle(step, product)
        if self._machine.drain == "shift":
            for leaving in self.drain.shift():
                self._leave(leaving.fold, leaving.register, leaving.row, leaving.column, leaving.value)
        completes = self._program.steps.completes[finished]
        if completes.any():
            row, column, step = self._row[completes], self._column[completes], finished[completes]
            register = self._program.steps.register[step]
            if self._machine.drain == "shift":
                self.drain.capture(row, column, register, total[completes])
            else:
                self._leave(self._program.steps.fold[step], register, row, column, total[completes])
        self._clock += 1

    def _may_begin(self, interval: int) -> bool:
        starts = self.stream.starts
        if len(starts) == self._program.folds:
            return False
        if self._timetable is not None:
            return self.stream.is_due(self._clock, self._timetable)
        if not self.stream.ended:
            return False
        if not starts:
            return True
        if self._machine.overlapped:
            return self._clock >= starts[-1] + interval
        return self._left == len(starts) * int(self.results[0].size)

    def _advance_operands(self, step: int) -> IntArray:
        self._from_west.advance(step)
        self._from_north.advance(step)
        if not np.array_equal(self._from_west.step, self._from_north.step.T):
            raise HazardError("operands of different steps met in a PE")
        return self._from_west.step.flatten()

    def _kept_operands(self, step: IntArray) -> tuple[FloatArray, FloatArray]:
        """What each PE has from the west and from the north for its step, kept as it comes in."""
        west, north = self._program.west, self._program.north
        from_west, from_north = self._from_west.operand, self._from_north.operand.transpose(1, 0, 2)
        self._west_kept[west.writes[step], self._element] = from_west.reshape(len(step), -1)
        self._north_kept[north.writes[step], self._element] = from_north.reshape(len(step), -1)
        return self._west_kept[west.reads[step], self._element], self._north_kept[north.reads[step], self._element]

    def _multiply(self, step: IntArray) -> FloatArray:
        vectors, pairs = self._kept_operands(step)
        if not self._program.west_holds_vectors:
            vectors, pairs = pairs, vectors
        selected: FloatArray = vectors[self._element, pairs[:, 1].astype(np.int64)]
        return pairs[:, 0] * selected

    def _leave(self, fold: IntArray, register: IntArray, row: IntArray, column: IntArray, value: FloatArray) -> None:
        self.results[fold, register, row, column] = value
        self.left_at[fold] = self._clock
        self._left += len(value)
        self.last_leaving = self._clock
