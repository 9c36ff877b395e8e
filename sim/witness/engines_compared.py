"""One schedule under both engines: how far apart they are, in the whole step and in the operator where most.

The event engine takes nothing of the analytic step; where the two differ, one of them is wrong or something is modelled
by one alone. ``examples/engines.py`` prints the table of docs/validation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...configs.arrays import Counts
from ...dataflow.schedule import Schedule
from ..event.engine import time_step as play
from ..step.analytic import time_step as time_in_closed_form
from ..step.step_figures import issued_macs
from ..step.step_time import StepTime, WorkTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both engines on one schedule.

    Attributes:
        analytic_cycles: of the step.
        event_cycles: of the step.
        worst_operator: where the two are furthest apart, as a share of the time that it takes.
        worst_share: how far.
        worst_update_cycles: how far apart the two are in what the step waits for of one update.
        above_roofline: whether neither engine beats the array's peak or the memory's, in the step or in any operator.
    """

    analytic_cycles: int
    event_cycles: int
    worst_operator: str
    worst_share: float
    worst_update_cycles: int
    above_roofline: bool

    @property
    def step_share(self) -> float:
        """How far apart the steps are, as a share of the analytic one."""
        return abs(self.event_cycles - self.analytic_cycles) / self.analytic_cycles


def compare_engines(schedule: Schedule) -> Comparison:
    """Run a schedule under both."""
    analytic, event = time_in_closed_form(schedule), play(schedule)
    apart = [
        (abs(one.cycles - two.cycles) / max(_alone(one), 1), one.work.operator)
        for one, two in zip(analytic.works, event.works, strict=True)
    ]
    updates = zip(analytic.updates, event.updates, strict=True)
    share, name = max(apart, default=(0.0, ""))
    return Comparison(
        analytic_cycles=analytic.total_cycles,
        event_cycles=event.total_cycles,
        worst_operator=name if share else "",
        worst_share=share,
        worst_update_cycles=max((abs(one.exposed_cycles - two.exposed_cycles) for one, two in updates), default=0),
        above_roofline=all(_above_roofline(schedule, step) for step in (analytic, event)),
    )


def _alone(time: WorkTime) -> Counts:
    """Cycles for which a work runs, those beside a product included."""
    return time.cycles + time.hidden_cycles


def _above_roofline(schedule: Schedule, step: StepTime) -> bool:
    """No operator issues more than the array can, or moves more than the pins can, in its cycles; nor does the step."""
    hardware = schedule.hardware
    moved_in_all = sum(update.work.read_bytes + update.work.write_bytes for update in step.updates)
    for time in step.works:
        issued = issued_macs(time)
        demand = time.work.demand()
        moved = sum(cost.read_bytes + cost.write_bytes for cost in time.costs) + demand.read_bytes + demand.write_bytes
        cycles = _alone(time)
        if issued > cycles * hardware.peak_macs_per_cycle or moved > cycles * hardware.dram_bytes_per_cycle:
            return False
        moved_in_all += moved
    return bool(moved_in_all <= step.total_cycles * hardware.dram_bytes_per_cycle)
