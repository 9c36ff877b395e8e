"""A product laid out for the weight-stationary array: the steps of every fold, what moves with them, and what stays.

A fold holds R * g groups of k for C columns; rows hold consecutive groups, and past the last group there are only
zeros. Every group takes N slots, a short last one too, so that all rows keep step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....configs.arrays import BoolArray, FloatArray, IntArray
from .operands import Groups, compress
from .sequencer import NONE, Steps, counted_on, issue_times, joined, steps_after_another, with_idle
from .specification import Machine, Mapping, require_registers


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A product, laid out for the array: what every step does, what the west edge sends with it, what the PEs hold.

    Attributes:
        steps: registers, predecessors and results of every step.
        times: of each fold, the issue time of each of its steps.
        vector: moving vector of each step, [steps + 1].
        slot: slot of each step inside its PE, [steps + 1].
        opens_fold: whether a PE changes to its next stationary values with this step, [steps + 1].
        brings_vectors: whether the step brings group vectors that a PE must keep, [steps + 1].
        feed: what the edge of each row sends with each step, [steps + 1, rows, M or 2].
        stationary: what each fold keeps in the array, [folds, rows, words a PE, cols, 2].
        column_fold: fold along the columns of each fold, [folds].
        interleave: partial sums a PE turns between.
        group_slots: slots a group.
        group_words: stationary words a group.
        moving_is_compressed: whether pairs move and plain values stay, or the other way about.
    """

    steps: Steps
    times: tuple[IntArray, ...]
    vector: IntArray
    slot: IntArray
    opens_fold: BoolArray
    brings_vectors: BoolArray
    feed: FloatArray
    stationary: FloatArray
    column_fold: IntArray
    interleave: int
    group_slots: int
    group_words: int
    moving_is_compressed: bool


def lay_out(
    machine: Machine,
    mapping: Mapping,
    moving: FloatArray,
    stationary: FloatArray,
    groups: Groups,
    moving_is_compressed: bool,
) -> Program:
    """Lay a product out for the array; see ``run_weight_stationary``."""
    kept, size = groups.pattern.kept, groups.pattern.group
    resident = min(mapping.resident_groups, -(-groups.count // machine.rows))
    group_words = size if moving_is_compressed else kept
    require_registers(resident * group_words, machine, f"{resident} resident groups of {group_words} values")
    slots = resident * kept
    interleave = 1 if slots == 1 else min(mapping.interleave, len(moving))

    fold_groups = machine.rows * resident
    depth_folds = -(-groups.count // fold_groups)
    column_folds = -(-len(stationary) // machine.cols)
    folds = depth_folds * column_folds

    vector, slot, turn, predecessor, times = _rounds(len(moving), slots, interleave, machine)
    fold = np.repeat(np.arange(folds), len(vector))
    predecessor = np.tile(predecessor, folds) + fold * len(vector)
    every_vector, every_slot, every_turn = (np.tile(entries, folds) for entries in (vector, slot, turn))

    # [folds along k, rows, groups a PE] names the group that each PE holds; past the last group there are only zeros.
    moving_groups = _fill(groups.vectors(moving), 1, depth_folds * fold_groups)
    stationary_groups = _fill(groups.vectors(stationary), 1, depth_folds * fold_groups)
    frames = Groups(taps=depth_folds * fold_groups, channels=size, pattern=groups.pattern)
    group = (
        (fold // column_folds)[:, None] * fold_groups
        + np.arange(machine.rows) * resident
        + (every_slot // kept)[:, None]
    )
    brings_vectors = every_slot % kept == 0
    if moving_is_compressed:
        pairs = compress(frames.flatten(moving_groups), frames).both()
        sent = pairs[every_vector[:, None], group, (every_slot % kept)[:, None]]
        words = np.stack([stationary_groups, np.zeros_like(stationary_groups)], axis=-1)
    else:
        sent = moving_groups[every_vector[:, None], group] * brings_vectors[:, None, None]
        words = compress(frames.flatten(stationary_groups), frames).both()
    by_fold = _fill(words, 0, column_folds * machine.cols).reshape(
        column_folds, machine.cols, depth_folds, machine.rows, resident * group_words, 2
    )
    return Program(
        steps=Steps(
            register=with_idle(every_turn, interleave),
            predecessor=with_idle(predecessor, NONE),
            accumulates=np.append(np.ones(len(fold)), 0.0),
            from_neighbour=np.append(every_slot == 0, False),
            completes=np.append(every_slot == slots - 1, False),
            fold=with_idle(fold, NONE),
        ),
        times=(times,) * folds,
        vector=with_idle(every_vector, NONE),
        slot=with_idle(every_slot, 0),
        opens_fold=np.append((every_slot == 0) & (every_vector == 0), False),
        brings_vectors=np.append(brings_vectors, False),
        feed=_fill(sent, 0, len(sent) + 1),
        stationary=by_fold.transpose(2, 0, 3, 4, 1, 5).reshape(
            folds, machine.rows, resident * group_words, machine.cols, 2
        ),
        column_fold=np.arange(folds) % column_folds,
        interleave=interleave,
        group_slots=kept,
        group_words=group_words,
        moving_is_compressed=moving_is_compressed,
    )


def one_after_another(programs: Sequence[Program]) -> Program:
    """Products whose PEs hold as much, with slots as far apart, fold after fold; vectors count on."""
    first, interleave = programs[0], max(program.interleave for program in programs)
    vectors = np.cumsum([0, *(int(program.vector.max()) + 1 for program in programs)])[:-1].tolist()
    return Program(
        steps=steps_after_another([program.steps for program in programs], idle_register=interleave),
        times=tuple(times for program in programs for times in program.times),
        vector=counted_on([program.vector for program in programs], vectors),
        slot=joined([program.slot for program in programs]),
        opens_fold=joined([program.opens_fold for program in programs]),
        brings_vectors=joined([program.brings_vectors for program in programs]),
        feed=joined([program.feed for program in programs]),
        stationary=np.concatenate([program.stationary for program in programs]),
        column_fold=np.concatenate([program.column_fold for program in programs]),
        interleave=interleave,
        group_slots=first.group_slots,
        group_words=first.group_words,
        moving_is_compressed=first.moving_is_compressed,
    )


def _rounds(moving: int, slots: int, interleave: int, machine: Machine) -> tuple[IntArray, ...]:
    """The steps of one fold in issue order: vector, slot, turn, predecessor and time of each, [steps].

    A short last batch keeps the full one's spacing: rows start a fixed delay apart, and its partial sums must not
    come sooner.
    """
    of_batch = issue_times(slots, interleave, machine.accumulate_latency)
    steps: list[list[int]] = []
    start = 0
    for first in range(0, moving, interleave):
        size = min(interleave, moving - first)
        base = len(steps)
        for slot in range(slots):
            for turn in range(size):
                # The first slot accumulates on what the PE above made of the same vector in its last slot.
                before = base + (slot - 1 if slot else slots - 1) * size + turn
                time = start + int(of_batch[slot, turn])
                steps.append([first + turn, slot, turn, before, time])
        start += int(of_batch[slots - 1, size - 1]) + 1
    table = np.array(steps, dtype=np.int64)
    return tuple(table.T)


def _fill(array: FloatArray, axis: int, extent: int) -> FloatArray:
    """``array`` lengthened with zeros to ``extent`` along ``axis``."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, extent - array.shape[axis])
    return np.pad(array, widths)
