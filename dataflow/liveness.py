"""How long each tensor of a step lives: from the work that makes it to the work that reads it last.

Positions are those of the work order. A fused operator reads and writes with the work that it rides on, so what is
carried to it never lies in memory and has no life here. Parameters and buffers live across steps and have none either.
What a step is given (data, labels, the loss's seed) lives from the first work. A parameter's gradient lives to the end
of the step: the order does not say when its update has run, and an update may be the last thing that happens. A cache
is there for the next step, and lives through this one.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..training.graph import Stage
from .work_order import WorkOrder

_ACROSS_STEPS = ("parameter", "buffer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Where one tensor lies in memory.

    Attributes:
        tensor: its name.
        first: the work that makes it; 0 when it is there before the step.
        last: the work that reads it last, or makes it when nobody does.
        made: whether a work of the step makes it.
        updates: whether the update reads it: it is the gradient of a parameter.
        leaves: whether it is a result of a forward pass, which nobody in the step reads.
    """

    tensor: str
    first: int
    last: int
    made: bool
    updates: bool
    leaves: bool = False

    @property
    def works(self) -> int:
        """Works through which it is held."""
        return self.last - self.first + 1


def lives(order: WorkOrder) -> tuple[Life, ...]:
    """The life of every tensor that lies in memory within the step, in the order of their beginning."""
    end = len(order.groups) - 1
    last_read: dict[str, int] = {}
    made: dict[str, int] = {}
    for position, group in enumerate(order.groups):
        last_read.update(dict.fromkeys(group.reads, position))
        made.update(dict.fromkeys(group.writes, position))
    for_update = {name for op in order.graph.operators if op.stage is Stage.UPDATE for name in op.inputs}
    learns = any(operator.stage is not Stage.FORWARD for operator in order.graph.operators)
    found = []
    for name in dict.fromkeys((*last_read, *made)):
        role = order.tensor(name).role
        if role in _ACROSS_STEPS:
            continue
        first = made.get(name, 0)
        # A gradient that something else of the step reads is added up there, and the sum is what is updated with.
        updates = name in for_update or (role == "parameter_gradient" and name not in last_read)
        last = end if updates or role == "cache" else max(last_read.get(name, first), first)
        leaves = not learns and name not in last_read
        found.append(Life(tensor=name, first=first, last=last, made=name in made, updates=updates, leaves=leaves))
    return tuple(sorted(found, key=lambda life: (life.first, life.last, life.tensor)))
