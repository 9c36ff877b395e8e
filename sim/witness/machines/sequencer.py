"""When a PE issues each of its multiply-accumulates, and what each one reads and writes.

The corner of the array issues in order, one operation a cycle, and holds an operation back until the one it accumulates
on has left the adder in time. Every other PE repeats the corner's timetable later, as the steps reach it through the
skew registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ....configs.arrays import BoolArray, FloatArray, IntArray
from .specification import HazardError

NONE = -1
"""No step: the mark of a zero that enters at the edge, and of an operation that accumulates on nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """One entry a step, and a last one, ``idle``, for a PE that issues nothing.

    Attributes:
        register: partial sum written.
        predecessor: step whose sum is accumulated on, or ``NONE``.
        accumulates: 1.0, or 0.0 where a sum starts from zero.
        from_neighbour: whether the predecessor is a step of the PE above, met in the link register.
        completes: whether the sum written is a result that leaves the PE.
        fold: fold that the step belongs to.
    """

    register: IntArray
    predecessor: IntArray
    accumulates: FloatArray
    from_neighbour: BoolArray
    completes: BoolArray
    fold: IntArray

    @property
    def idle(self) -> int:
        """The step number of a PE that issues nothing."""
        return len(self.register) - 1


def joined(tables: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Tables over steps, one after another, each but the last without the entry of its idle step."""
    return np.concatenate([*(table[:-1] for table in tables), tables[-1][-1:]])


def counted_on(tables: Sequence[IntArray], before: Sequence[int]) -> IntArray:
    """The same of tables whose entries name something that counts on from table to table.

    Args:
        tables: whose last entry is that of the idle step.
        before: how many there were before each.
    """
    return joined([np.where(table == NONE, NONE, table + count) for table, count in zip(tables, before, strict=True)])


def steps_after_another(steps: Sequence[Steps], *, idle_register: int) -> Steps:
    """The steps of several products, one product after another.

    Args:
        steps: of each.
        idle_register: partial sum beyond those that any of them uses.
    """
    before = np.cumsum([0, *(each.idle for each in steps)])[:-1].tolist()
    folds = np.cumsum([0, *(int(each.fold.max()) + 1 for each in steps)])[:-1].tolist()
    return Steps(
        register=with_idle(joined([each.register for each in steps])[:-1], idle_register),
        predecessor=counted_on([each.predecessor for each in steps], before),
        accumulates=joined([each.accumulates for each in steps]),
        from_neighbour=joined([each.from_neighbour for each in steps]),
        completes=joined([each.completes for each in steps]),
        fold=counted_on([each.fold for each in steps], folds),
    )


def issue_times(slots: int, interleave: int, accumulate_latency: int) -> IntArray:
    """Cycle in which each accumulation of one round issues, [slots, interleave].

    In order, one a cycle, none sooner than ``accumulate_latency`` after the accumulation it depends on.

    >>> issue_times(2, 2, 3).tolist()
    [[0, 1], [3, 4]]
    """
    times = np.zeros((slots, interleave), dtype=np.int64)
    free = 0
    for slot in range(slots):
        for turn in range(interleave):
            if slot:
                free = max(free, int(times[slot - 1, turn]) + accumulate_latency)
            times[slot, turn] = free
            free += 1
    return times


class FoldStream:
    """The corner's issue port: the steps of one fold after another, with the bubbles between them.

    Args:
        times: of each fold, the cycle in which each of its steps issues, from the start of the fold.
        idle: the step number of a bubble.

    Attributes:
        length: cycles for which the fold begun last holds the port.
        starts: the cycle in which each fold begun so far began.
    """

    def __init__(self, times: Sequence[IntArray], idle: int) -> None:
        self._idle = idle
        first_steps = np.cumsum([0, *(len(each) for each in times)]).tolist()
        # Folds of a tile share their times, and so what is known of them.
        known: dict[int, dict[int, int]] = {}
        self._step_at = [
            known.setdefault(id(each), {int(time): step for step, time in enumerate(each)}) for each in times
        ]
        self._first_steps: list[int] = first_steps
        self._lengths = [int(each[-1]) + 1 for each in times]
        self.length = self._lengths[0]
        self._clock = self.length
        self.starts: list[int] = []

    @property
    def ended(self) -> bool:
        """Whether every step of the folds begun so far has issued."""
        return self._clock == self.length

    def is_due(self, cycle: int, timetable: Sequence[int]) -> bool:
        """Whether the next fold begins in this cycle.

        Raises:
            HazardError: it does, and the fold before still holds the port.
        """
        due = cycle == timetable[len(self.starts)]
        if due and not self.ended:
            raise HazardError("a fold began while the one before held the issue port")
        return due

    def begin(self, cycle: int) -> None:
        """Begin the next fold in this cycle."""
        self.length = self._lengths[len(self.starts)]
        self.starts.append(cycle)
        self._clock = 0

    def next(self) -> int:
        """The step that issues in this cycle."""
        if self.ended:
            return self._idle
        fold = len(self.starts) - 1
        step = self._step_at[fold].get(self._clock)
        self._clock += 1
        return self._idle if step is None else self._first_steps[fold] + step


def with_idle(entries: IntArray, idle_entry: int) -> IntArray:
    """A table over steps with the entry of the idle step appended."""
    return np.append(entries, idle_entry)
