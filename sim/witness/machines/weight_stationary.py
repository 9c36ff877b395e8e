"""The weight-stationary array: one operand stays in the PEs, the other passes east, partial sums pass south.

Row r of the array holds g groups along k of the stationary operand; T vectors of the moving operand stream past in
batches of I, and each PE takes a vector's partial sum from the PE above, accumulates its own slots on it, and hands it
on. There is no buffer between rows: a row starts so much later than the row above that every partial sum meets its
adder in the cycle in which it arrives. That delay is observed, on the arithmetic of one PE alone. Partial sums of the
folds along k are added outside, at the output buffer. Input stationary is the same array with the operands' roles
exchanged.

Compressed stationary operand: N (value, index) pairs a group, and the moving operand's M values of the group come in
one beat. Compressed moving operand: a pair a slot, which selects among the M stationary values of its group. Every
group takes N slots.

Overlapped folds begin as soon as the issue port is free and the next stationary values are in place; with latches,
which can be filled row by row, at the constant interval at which the bus of a column keeps up for any number of folds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....configs.arrays import FloatArray, IntArray
from .arithmetic import AccumulatePipelines
from .links import OperandLink, values_in
from .operands import Groups
from .sequencer import NONE, FoldStream
from .specification import Machine, Mapping, Outcome
from .stationary_load import StationaryChain, StationaryLatches
from .stationary_program import Program, lay_out


def run_weight_stationary(
    machine: Machine,
    mapping: Mapping,
    moving: FloatArray,
    stationary: FloatArray,
    groups: Groups,
    *,
    moving_is_compressed: bool,
) -> Outcome:
    """Multiply ``moving`` [T, k] by the transpose of ``stationary`` [columns, k].

    Args:
        machine: the tensor engine.
        mapping: ``interleave`` and ``resident_groups`` are used.
        moving: the operand that streams (A under WS).
        stationary: the operand that stays (the transpose of B under WS).
        groups: groups along k; of single elements when dense.
        moving_is_compressed: whether the moving operand travels as pairs; else the stationary one is kept as pairs.

    Raises:
        MappingError: a PE cannot hold the resident groups.
    """
    program = lay_out(machine, mapping, moving, stationary, groups, moving_is_compressed)
    array = WeightStationaryArray(machine, program, row_delay(machine, program))
    array.run()
    return Outcome(
        product=array.output_buffer[:, : len(stationary)],
        cycles=array.last_leaving + 1,
        fold_starts=tuple(array.stream.starts),
        west_words=values_in(program.feed, pairs=moving_is_compressed),
        north_words=values_in(program.stationary, pairs=True),
        sums=array.sums_left,
    )


def row_delay(machine: Machine, program: Program) -> int:
    """Cycles by which a row must start later than the row above, observed on the arithmetic of one PE.

    A partial sum that leaves the PE at the end of cycle t meets the adder below in cycle t + 1, and an operation meets
    its adder as many cycles after its issue as there are multiplier stages.
    """
    one = AccumulatePipelines(
        elements=1,
        registers=program.interleave,
        mac_latency=machine.mac_latency,
        accumulate_latency=machine.accumulate_latency,
        steps=program.steps,
    )
    stream = FoldStream(program.times, program.steps.idle)
    stream.begin(0)
    zero, from_edge = np.zeros(1), np.full(1, NONE)
    cycle = 0
    while True:
        finished, _ = one.cycle(np.array([stream.next()]), zero, zero, from_edge)
        cycle += 1
        if program.steps.completes[finished[0]]:
            return cycle - one.multiplier_stages


class WeightStationaryArray:
    """The PEs and links of the array, the port that fills them, and the output buffer below."""

    def __init__(self, machine: Machine, program: Program, delay: int) -> None:
        self._machine = machine
        self._program = program
        elements = machine.rows * machine.cols
        self._row, self._column = (index.reshape(-1) for index in np.indices((machine.rows, machine.cols)))
        self._element = np.arange(elements)
        self._from_west = OperandLink(program.feed, machine.cols, delay)
        self._kept = np.zeros((program.interleave + 1, elements, program.feed.shape[2]))
        self._active = np.zeros((elements, *program.stationary.shape[2:3], 2))
        self._pipelines = AccumulatePipelines(
            elements=elements,
            registers=program.interleave,
            mac_latency=machine.mac_latency,
            accumulate_latency=machine.accumulate_latency,
            steps=program.steps,
        )
        # Partial sums on their way south. What enters the top row is zero and of no step.
        self._arriving = np.zeros(elements)
        self._arrived_from = np.full(elements, NONE)
        self._port = (
            StationaryChain(program.stationary)
            if machine.stationary_load == "chain"
            else StationaryLatches(program.stationary, delay)
        )
        self._bus_cycles = 0
        self.stream = FoldStream(program.times, program.steps.idle)
        vectors = int(program.vector.max()) + 1
        column_folds = int(program.column_fold.max()) + 1
        self.output_buffer = np.zeros((vectors, column_folds * machine.cols))
        self._results_a_fold = vectors * machine.cols
        self._results = int(np.count_nonzero(program.steps.completes)) * machine.cols
        self._timetable: Sequence[int] | None = None
        self._comes: IntArray = np.zeros(0, dtype=np.int64)
        self._left = 0
        self._clock = 0
        self.left_at = np.full(len(program.stationary), -1)
        self.last_leaving = -1
        self.sums_left = 0

    def run(self, latch_interval: int | None = None) -> None:
        """Run every fold; with latches, overlapped ones ``latch_interval`` apart, by default as the bus needs."""
        while self._left < self._results:
            if self.stream.starts and latch_interval is not None:
                self._bus_cycles = latch_interval
            self.cycle()

    def run_by(self, timetable: Sequence[int], comes: Sequence[int]) -> None:
        """Run every fold in the cycle that a timetable has for it.

        Args:
            timetable: begin of each fold.
            comes: cycle from which the stationary values of each fold are there to be loaded.

        Raises:
            HazardError: as for ``cycle``; or the issue port is not free in that cycle.
        """
        self._timetable, self._comes = timetable, np.asarray(comes)
        if isinstance(self._port, StationaryLatches):
            self._port.opens = timetable
        self.run()

    def cycle(self) -> None:
        """One cycle of everything.

        Raises:
            HazardError: a register was read too soon or written too soon.
        """
        if self._may_begin():
            self.stream.begin(self._clock)
        allowed_folds = self._folds_allowed()
        self._from_west.advance(self.stream.next())
        step = self._from_west.step.flatten()
        opens = self._program.opens_fold[step]
        if opens.any():
            fold = self._program.steps.fold[step[opens]]
            self._active[opens] = self._port.take(self._row[opens], self._column[opens], fold)
        product = self._multiply(step)
        finished, total = self._pipelines.cycle(step, product, self._arriving, self._arrived_from)
        self._hand_south(finished, total)
        self._port.cycle(allowed_folds, max(self._bus_cycles, self.stream.length))
        self._clock += 1

    def _may_begin(self) -> bool:
        begun = len(self.stream.starts)
        if begun == len(self._program.stationary):
            return False
        if self._timetable is not None:
            return self.stream.is_due(self._clock, self._timetable)
        if not self.stream.ended:
            return False
        if begun and self._machine.overlapped and self._machine.stationary_load == "latch":
            # The bus must keep up fold after fold: no sooner than it was held to load one.
            return self._clock >= self.stream.starts[-1] + self._bus_cycles
        if self._port.loaded_folds() <= begun:
            return False
        if not begun:
            self._bus_cycles = self._port.words_sent
        return True

    def _folds_allowed(self) -> int:
        """Folds that may be loaded by now: one more than have left, or any if there are shadow banks."""
        if self._timetable is not None:
            return int(np.count_nonzero(self._comes <= self._clock))
        if self._machine.overlapped:
            return len(self._program.stationary)
        return self._left // self._results_a_fold + 1

    def _multiply(self, step: IntArray) -> FloatArray:
        program = self._program
        operand = self._from_west.operand.reshape(len(step), -1)
        group, in_group = np.divmod(program.slot[step], program.group_slots)
        if program.moving_is_compressed:
            selected = group * program.group_words + operand[:, 1].astype(np.int64)
            from_pair: FloatArray = operand[:, 0] * self._active[self._element, selected, 0]
            return from_pair
        sink = program.interleave
        register = program.steps.register[step]
        self._kept[np.where(program.brings_vectors[step], register, sink), self._element] = operand
        word = self._active[self._element, group * program.group_words + in_group]
        from_vector: FloatArray = word[:, 0] * self._kept[register, self._element, word[:, 1].astype(np.int64)]
        return from_vector

    def _hand_south(self, finished: IntArray, total: FloatArray) -> None:
        """Put finished sums on the link registers of the row below, and those of the last row in the output buffer."""
        cols = self._machine.cols
        completes = self._program.steps.completes[finished]
        self._arriving[cols:] = total[:-cols]
        self._arrived_from[cols:] = np.where(completes, finished, self._program.steps.idle)[:-cols]
        leaves = completes[-cols:]
        if leaves.any():
            self._leave(np.nonzero(leaves)[0], finished[-cols:][leaves], total[-cols:][leaves])

    def _leave(self, column: IntArray, step: IntArray, value: FloatArray) -> None:
        self.left_at[self._program.steps.fold[step]] = self._clock
        at = self._program.column_fold[self._program.steps.fold[step]] * self._machine.cols + column
        self.output_buffer[self._program.vector[step], at] += value
        self._left += len(column)
        self.sums_left += int(np.count_nonzero(value))
        self.last_leaving = self._clock
