"""Works side by side, one design at a time and one flow after another in plain Python: the witness of ``flows``."""

from collections import deque
from dataclasses import dataclass, field

ROUNDING = 1e-4


@dataclass(kw_only=True)
class ScalarFlow:
    """Something under way: cycles alone, shares of each resource, cycles left."""

    alone_cycles: float
    shares: tuple[float, ...]
    ready_after: int = 0
    left_cycles: float = field(init=False)

    def __post_init__(self):
        self.left_cycles = self.alone_cycles

    def pace(self, left):
        pace = 1.0
        for share, remains in zip(self.shares, left, strict=True):
            if share > 0:
                pace = min(pace, max(remains, 0.0) / share)
        return pace

    def advance(self, cycles):
        self.left_cycles -= cycles
        return self.left_cycles <= ROUNDING


def stretch(tensor, vector, updates):
    """Let all flows go on until the first of them is over; the cycles that it takes."""
    left = (1.0,) * len((tensor or vector).shares)
    going = []
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


def run(works, on_array, waits_for, updates, *, overlap_update):
    """Run the works: cycles that the step waits for of each vector work, those after the last product; updates keep
    what they have left."""
    queues = [
        deque(index for index, tensor in enumerate(on_array) if tensor),
        deque(index for index, tensor in enumerate(on_array) if not tensor),
    ]
    now, over = [None, None], [False] * len(works)
    unmade, ready = list(updates), deque()
    waited, idle = [0.0] * len(works), [0.0] * len(works)
    while any(queues) or any(index is not None for index in now):
        for number, queue in enumerate(queues):
            if now[number] is None and queue and all(over[need] for need in waits_for[queue[0]]):
                now[number] = queue.popleft()
        flows = [None if index is None else works[index] for index in now]
        assert any(flows), "works need only earlier ones"
        cycles = stretch(*flows, ready)
        if now[0] is None:
            waited[now[1]] += cycles
            idle[now[1]] += 0.0 if queues[0] else cycles
        for number, index in enumerate(now):
            if index is not None and works[index].left_cycles <= ROUNDING:
                over[index], now[number] = True, None
                if overlap_update:
                    ready.extend(flow for flow in unmade if flow.ready_after == index)
                    unmade = [flow for flow in unmade if flow.ready_after != index]
    return waited, idle
