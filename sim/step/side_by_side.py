"""Work side by side in closed form: the tensor engine's works, vector work and updates share DRAM, lanes and sorters.

Products go at their own pace: DRAM, lanes and sorters serve their tiles first. Vector work that the schedule lets run
beside them takes what they leave, evenly spread over each; updates what both leave. Each engine takes its works in
order, each when the works that it needs are over. Between two ends of anything all paces are constant, so the step is a
few hundred stretches. Not modelled: that what a product leaves comes in pieces. Source: docs/hardware-model.md, "The
step".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...dataflow.schedule import Schedule, UpdateWork
from .step_time import TensorTime, VectorTime

ROUNDING = 1e-4
"""Cycles that sums of fractions may be off by."""


@dataclass(slots=True, kw_only=True)
class Flow:
    """Something under way.

    Attributes:
        alone_cycles: that it takes by itself.
        dram_share: of those, DRAM is busy.
        lane_share: of those, the vector lanes are.
        sorter_share: of those, the reduction engine is.
        left_cycles: of them that are still to go.
    """

    alone_cycles: float
    dram_share: float
    lane_share: float = 0.0
    sorter_share: float = 0.0
    left_cycles: float = field(init=False)

    def __post_init__(self) -> None:
        self.left_cycles = self.alone_cycles

    @classmethod
    def of_work(cls, time: TensorTime | VectorTime, sorter_lanes: int) -> Flow:
        """A work by itself.

        Args:
            time: what it takes.
            sorter_lanes: elements that the reduction engine takes a cycle.
        """
        cycles = max(time.cycles, 1)
        costs = time.costs if isinstance(time, TensorTime) else ()
        return cls(
            alone_cycles=float(time.cycles),
            dram_share=time.dram_cycles / cycles,
            lane_share=time.vector_cycles / cycles,
            sorter_share=sum(cost.reduced_elements for cost in costs) / (sorter_lanes * cycles),
        )

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of DRAM, lanes and sorters, at its own pace."""
        return self.dram_share, self.lane_share, self.sorter_share

    def pace(self, left: Sequence[float]) -> float:
        """How fast it goes, 1 being alone, on what is left of DRAM, lanes and sorters."""
        pace = 1.0
        for share, remains in zip(self.shares, left, strict=True):
            if share > 0:
                pace = min(pace, max(remains, 0.0) / share)
        return pace

    def advance(self, cycles: float) -> bool:
        """Go on; whether it is over."""
        self.left_cycles -= cycles
        return self.left_cycles <= ROUNDING


@dataclass(slots=True, kw_only=True)
class UpdateFlow(Flow):
    """An update under way."""

    work: UpdateWork


@dataclass(slots=True, kw_only=True)
class Waited:
    """What the step waits for of a vector work.

    Attributes:
        cycles: for which it runs with no product beside it.
        idle_cycles: of those, after the last product.
    """

    cycles: float = 0.0
    idle_cycles: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Queue:
    """An engine's works in order, and the one under way."""

    waiting: deque[int]
    index: int = -1
    flow: Flow | None = None

    def begin(self, over: Sequence[bool], schedule: Schedule, times: Sequence[TensorTime | VectorTime]) -> None:
        """Take the next work if those that it needs are over."""
        if self.flow is None and self.waiting and all(over[need] for need in schedule.waits_for(self.waiting[0])):
            self.index = self.waiting.popleft()
            self.flow = Flow.of_work(times[self.index], schedule.hardware.reduction_engine.lanes)


def run_side_by_side(
    schedule: Schedule, times: Sequence[TensorTime | VectorTime], updates: Sequence[UpdateFlow]
) -> dict[int, Waited]:
    """Run a step's works; what the step waits for of each vector work, by its index. Updates keep what they have left.

    Args:
        schedule: says what needs what.
        times: of each work by itself.
        updates: earliest gradient first.
    """
    tensor = _Queue(waiting=deque(i for i, time in enumerate(times) if isinstance(time, TensorTime)))
    vector = _Queue(waiting=deque(i for i, time in enumerate(times) if isinstance(time, VectorTime)))
    over = [False] * len(times)
    unmade, ready = list(updates), deque[UpdateFlow]()
    waited: dict[int, Waited] = {}
    while tensor.waiting or vector.waiting or tensor.flow or vector.flow:
        for queue in (tensor, vector):
            queue.begin(over, schedule, times)
        assert tensor.flow or vector.flow, "works need only earlier ones"
        cycles = _stretch(tensor.flow, vector.flow, ready)
        if tensor.flow is None:
            found = waited.setdefault(vector.index, Waited())
            found.cycles += cycles
            found.idle_cycles += 0.0 if tensor.waiting else cycles
        for queue in (tensor, vector):
            if queue.flow is not None and queue.flow.left_cycles <= ROUNDING:
                over[queue.index], queue.flow = True, None
                if schedule.overlap_update:
                    ready.extend(flow for flow in unmade if flow.work.ready_after == queue.index)
                    unmade = [flow for flow in unmade if flow.work.ready_after != queue.index]
    return waited


def _stretch(tensor: Flow | None, vector: Flow | None, updates: deque[UpdateFlow]) -> float:
    """Let all flows go on until the first of them is over; the cycles that it takes."""
    left: tuple[float, ...] = (1.0, 1.0, 1.0)
    going: list[tuple[Flow, float]] = []
    for flow in (tensor, vector, updates[0] if updates else None):
        if flow is None:
            continue
        pace = 1.0 if flow is tensor else flow.pace(left)
        left = tuple(remains - pace * share for remains, share in zip(left, flow.shares, strict=True))
        going.append((flow, pace))
    cycles = min((flow.left_cycles / pace for flow, pace in going if pace > 0), default=0.0)
    for flow, pace in going:
        if flow.advance(cycles * pace) and updates and flow is updates[0]:
            updates.popleft().left_cycles = 0.0
    return cycles
