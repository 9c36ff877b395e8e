"""A product laid out for the output-stationary array: the steps of every fold, and what each edge sends with them.

A fold is Im * In turns of R x C results. An operand is sent with the step that first needs it and kept in the PE until
the last that does: the group vectors of the dense side for all slots of a group, the pairs of the compressed side for
all turns of a slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....configs.arrays import BoolArray, FloatArray, IntArray
from .operands import Groups, compress
from .sequencer import NONE, Steps, issue_times, joined, steps_after_another, with_idle
from .specification import Machine, Operand


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One operand as its edge of the array sends it, and as a PE keeps it.

    Attributes:
        feed: what each lane sends with each step, [steps + 1, lanes, width]; zeros with steps that bring nothing new.
        writes: PE register that the operand is kept in; the last, a sink, where nothing new comes, [steps + 1].
        reads: PE register that the step multiplies, [steps + 1].
        registers: PE registers, the sink not counted.
    """

    feed: FloatArray
    writes: IntArray
    reads: IntArray
    registers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A product, laid out for the array.

    Attributes:
        steps: registers, predecessors and results of every step.
        times: of each fold, the issue time of each of its steps.
        west: A, as the west edge sends it and a PE keeps it.
        north: B, as the north edge sends it and a PE keeps it.
        west_holds_vectors: whether group vectors come from the west and pairs from the north, or the other way about.
        interleave: partial sums a PE turns between.
        folds: folds of the product.
    """

    steps: Steps
    times: tuple[IntArray, ...]
    west: Side
    north: Side
    west_holds_vectors: bool
    interleave: int
    folds: int


def fold_lanes(operand: FloatArray, turns: int, lanes: int) -> FloatArray:
    """``operand`` [extent, k] as [folds, turns, lanes, k], filled with zero vectors."""
    extent, length = operand.shape
    folds = -(-extent // (turns * lanes))
    filled = np.zeros((folds * turns * lanes, length))
    filled[:extent] = operand
    return filled.reshape(folds, turns, lanes, length)


def lay_out(
    machine: Machine, rows_tiled: FloatArray, columns_tiled: FloatArray, groups: Groups, compressed: Operand
) -> Program:
    """Lay a product out for the array.

    Args:
        machine: the tensor engine.
        rows_tiled: A as ``fold_lanes`` cuts it, [folds along m, Im, R, k].
        columns_tiled: the transpose of B likewise, [folds along n, In, C, k].
        groups: groups along k.
        compressed: the operand that travels as pairs.

    Raises:
        ValueError: the compressed operand is not pruned.
    """
    row_folds, row_turns, _, _ = rows_tiled.shape
    column_folds, column_turns, _, _ = columns_tiled.shape
    kept = groups.kept()
    group_of_slot = np.repeat(np.arange(groups.count), kept)
    opens_group = np.diff(group_of_slot, prepend=-1) > 0
    slots, turns, folds = len(group_of_slot), row_turns * column_turns, row_folds * column_folds

    row_fold, column_fold, slot, row_turn, column_turn = (
        index.reshape(-1) for index in np.indices((row_folds, column_folds, slots, row_turns, column_turns))
    )
    rows_first, columns_first = column_turn == 0, row_turn == 0

    def vectors_side(tiled: FloatArray, fold: IntArray, turn: IntArray, is_first: BoolArray, count: int) -> Side:
        new = opens_group[slot] & is_first
        sent = groups.vectors(tiled)[fold, turn, :, group_of_slot[slot]]
        return _side(sent, new, turn, count)

    def pairs_side(tiled: FloatArray, fold: IntArray, turn: IntArray, is_first: BoolArray, count: int) -> Side:
        pairs = compress(tiled, groups)
        by_slot = pairs.both()[..., pairs.used, :]
        return _side(by_slot[fold, turn, :, slot], is_first, turn, count)

    west, north = (vectors_side, pairs_side) if compressed == "b" else (pairs_side, vectors_side)
    step = np.arange(folds * slots * turns)
    first, last = slot == 0, slot == slots - 1
    return Program(
        steps=Steps(
            register=with_idle(row_turn * column_turns + column_turn, turns),
            predecessor=with_idle(np.where(first, NONE, step - turns), NONE),
            accumulates=np.append(np.where(first, 0.0, 1.0), 0.0),
            from_neighbour=np.zeros(len(step) + 1, dtype=np.bool_),
            completes=np.append(last, False),
            fold=with_idle(row_fold * column_folds + column_fold, NONE),
        ),
        times=(issue_times(slots, turns, machine.accumulate_latency).reshape(-1),) * folds,
        west=west(rows_tiled, row_fold, row_turn, rows_first, row_turns),
        north=north(columns_tiled, column_fold, column_turn, columns_first, column_turns),
        west_holds_vectors=compressed == "b",
        interleave=turns,
        folds=folds,
    )


def one_after_another(programs: Sequence[Program]) -> Program:
    """Products whose PEs turn between the same outputs, fold after fold."""
    first = programs[0]
    return Program(
        steps=steps_after_another([program.steps for program in programs], idle_register=first.interleave),
        times=tuple(times for program in programs for times in program.times),
        west=_sides_after_another([program.west for program in programs]),
        north=_sides_after_another([program.north for program in programs]),
        west_holds_vectors=first.west_holds_vectors,
        interleave=first.interleave,
        folds=sum(program.folds for program in programs),
    )


def _sides_after_another(sides: Sequence[Side]) -> Side:
    return Side(
        feed=joined([side.feed for side in sides]),
        writes=joined([side.writes for side in sides]),
        reads=joined([side.reads for side in sides]),
        registers=sides[0].registers,
    )


def _side(sent: FloatArray, new: BoolArray, register: IntArray, registers: int) -> Side:
    """An operand sent only with the steps where it is ``new``; every other step must find it in its register."""
    feed = np.zeros((len(sent) + 1, *sent.shape[1:]))
    feed[:-1][new] = sent[new]
    return Side(
        feed=feed,
        writes=with_idle(np.where(new, register, registers), registers),
        reads=with_idle(register, registers),
        registers=registers,
    )
