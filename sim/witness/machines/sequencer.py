"""When a PE issues each of its multiply-accumulates, and what each one reads and writes.

The corner of the array issues in order, one operation a cycle, and holds an operation back until the one it accumulates
on has left the adder in time. Every other PE repeats the corner's timetable later, as the steps reach it through the
skew registers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....configs.arrays import BoolArray, FloatArray, IntArray

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
        times: cycle in which each step of a fold issues, from the start of the fold, [steps a fold].
        idle: the step number of a bubble.

    Attributes:
        length: cycles for which a fold holds the port.
        starts: the cycle in which each fold begun so far began.
    """

    def __init__(self, times: IntArray, idle: int) -> None:
        self._idle = idle
        self._steps_a_fold = len(times)
        self._step_at = {int(time): step for step, time in enumerate(times)}
        self.length = int(times[-1]) + 1
        self._clock = self.length
        self.starts: list[int] = []

    @property
    def ended(self) -> bool:
        """Whether every step of the folds begun so far has issued."""
        return self._clock == self.length

    def begin(self, cycle: int) -> None:
        """Begin the next fold in this cycle."""
        self.starts.append(cycle)
        self._clock = 0

    def next(self) -> int:
        """The step that issues in this cycle."""
        if self.ended:
            return self._idle
        step = self._step_at.get(self._clock)
        self._clock += 1
        return self._idle if step is None else (len(self.starts) - 1) * self._steps_a_fold + step


def with_idle(entries: IntArray, idle_entry: int) -> IntArray:
    """A table over steps with the entry of the idle step appended."""
    return np.append(entries, idle_entry)
