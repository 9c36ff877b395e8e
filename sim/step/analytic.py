"""The analytic engine: the time of a step in closed form, operator after operator, on many designs at once.

Modelled: forward and backward work one after another in graph order, each with its own overlap of computing and DMA;
element-wise work on the way out of a product holds up the store of each finished tile; updates and reductions run
beside later work when the schedule says so, as far as their engines and the DRAM time left over allow; what the
schedule keeps on chip takes no DRAM. Not modelled: overlap between neighbouring products. ``accel`` and ``dataflow``
give every product's time; nothing here is fitted.

Counts are arrays over designs, [S]; a schedule is S = 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...accel.engines import LARGEST_COUNT, TENSOR, longest, vector_cycles
from ...accel.tensor_engine import Count
from ...configs.arrays import FloatArray, IntArray
from ...dataflow.actions import merge
from ...dataflow.epilogue import NO_EPILOGUE
from ...dataflow.schedule import Schedule
from ...dataflow.works import UpdateWork, Work
from .costs import Asked, CostCache
from .flows import ROUNDING, Flow, FlowOutcome, play
from .planned_step import PlannedStep
from .step_time import StepTime, UpdateTime, WorkTime


def time_step(schedule: Schedule, costs: CostCache | None = None) -> StepTime:
    """Time a schedule: every count a number.

    Args:
        schedule: one training step.
        costs: shared with other schedules of the same design, to save work.
    """
    return time_steps(PlannedStep.of(schedule, costs)).of_design(0)


def time_all(steps: Sequence[PlannedStep]) -> list[StepTime]:
    """Time steps that share their costs, each on many designs: products that are alike are costed side by side."""
    asked = [[_asked(step, work) for work in step.works] for step in steps]
    for step in steps[:1]:
        step.costs.foresee(each for of_step in asked for each in of_step if each.products)
    return [_timed(step, of_step) for step, of_step in zip(steps, asked, strict=True)]


def time_steps(step: PlannedStep) -> StepTime:
    """Time a step on many designs: every count an array, [S]."""
    asked = [_asked(step, work) for work in step.works]
    step.costs.foresee_step(each for each in asked if each.products)
    return _timed(step, asked)


def _timed(step: PlannedStep, asked: Sequence[Asked]) -> StepTime:
    """Time a step whose works ask for these costs."""
    designs = len(step.rows)
    alone = [_alone(step, work, of_work) for work, of_work in zip(step.works, asked, strict=True)]
    jobs = [_Job.of(step, update) for update in step.order.updates]
    works = [_flow(step, time) for time in alone]
    played = play(step.order, works, [job.flow for job in jobs], designs)
    return StepTime(works=tuple(_beside(alone, played)), updates=tuple(_exposed(jobs, played)))


# Works by themselves -------------------------------------------------------------------------------------------------


def _asked(step: PlannedStep, work: Work) -> Asked:
    """What is asked of a work's products."""
    stays = step.residence.places(work) if work.products else None
    epilogue = work.epilogue(step.value_bytes, step.residence) if work.products else NO_EPILOGUE
    return Asked(products=work.products, rows=step.rows, stays=stays, epilogue=epilogue)


def _alone(step: PlannedStep, work: Work, asked: Asked) -> WorkTime:
    """What a work takes with nothing beside it."""
    if work.products:
        return _products(step, work, asked)
    return _zero_fill(step, work) if work.engine == TENSOR else _stream(step, work)


def _products(step: PlannedStep, work: Work, asked: Asked) -> WorkTime:
    stays, epilogue = asked.stays, asked.epilogue
    assert epilogue is not None, "costs are asked for"
    costs = tuple(step.costs.cost(product, step.rows, stays, epilogue) for product in work.products)
    if epilogue.nothing:
        bare = [cost.cycles for cost in costs]
    else:
        bare = [step.costs.bare_cycles(product, step.rows, stays) for product in work.products]
    return WorkTime(
        work=work,
        cycles=sum(cost.cycles for cost in costs),
        causes=merge(*(cost.causes for cost in costs)),
        busy={
            "vector": vector_cycles(step.engines.vector_lanes, epilogue.lane_operations),
            "dram": sum(cost.dram_cycles for cost in costs),
        },
        costs=costs,
        product_cycles=sum(bare),
    )


def _zero_fill(step: PlannedStep, work: Work) -> WorkTime:
    """An operator of which every result element is zero: only its fill takes time."""
    busy = step.engines.busy_cycles(work.demand(step.residence))
    lanes, dram = busy["vector"], busy["dram"]
    cycles, late = longest(lanes, dram), np.asarray(lanes >= dram)
    causes = {"dependence": np.where(late, cycles, 0), "output": np.where(late, 0, cycles)}
    return WorkTime(work=work, cycles=cycles, causes=causes, busy=busy)


def _stream(step: PlannedStep, work: Work) -> WorkTime:
    """Vector work goes at the pace of the slowest of lanes, sorters and DRAM, behind its first request's latency."""
    busy = step.engines.busy_cycles(work.demand(step.residence))
    latency = step.engines.memory.latency_cycles * (busy["dram"] > 0)
    slowest = longest(busy["vector"], busy["reduction"], busy["dram"])
    return WorkTime(work=work, cycles=slowest + latency, causes={}, busy=busy)


def _flow(step: PlannedStep, time: WorkTime) -> Flow:
    cycles = longest(time.cycles, 1)
    shares = {
        "dram": time.dram_cycles / cycles,
        "vector": time.vector_cycles / cycles,
        "reduction": time.reduced_elements / (1.0 * step.engines.reduction_lanes * cycles),
    }
    if any(work.reductions for work in time.work.own_vector_works):
        shares["reduction"] = time.busy["reduction"] / cycles
    return Flow(alone_cycles=time.cycles, shares=shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """An update by itself. Its engines work on one stream, so the slowest sets the pace."""

    work: UpdateWork
    busy: dict[str, Count]
    alone: Count

    @classmethod
    def of(cls, step: PlannedStep, work: UpdateWork) -> _Job:
        busy = step.engines.busy_cycles(work.demand)
        slowest = longest(busy["update"], busy["reduction"], busy["dram"])
        return cls(work=work, busy=busy, alone=step.engines.memory.latency_cycles + slowest)

    @property
    def flow(self) -> Flow:
        cycles = longest(self.alone, 1)
        return Flow(alone_cycles=self.alone, shares={name: self.busy[name] / cycles for name in ("dram", "reduction")})

    @property
    def reducing(self) -> FloatArray:
        """Share of its time that it waits for the reduction engine alone."""
        waits = longest(self.busy["reduction"] - longest(self.busy["update"], self.busy["dram"]), 0)
        return np.asarray(waits / np.maximum(np.asarray(self.alone, dtype=np.float64), 1.0))


# Beside each other ---------------------------------------------------------------------------------------------------


def _beside(alone: Sequence[WorkTime], played: FlowOutcome) -> Iterator[WorkTime]:
    """The works with what the step waits for of each; whole cycles, rounded once over all of them."""
    before = np.zeros(played.waited.shape[1])
    for time, waited, idle in zip(alone, played.waited, played.idle, strict=True):
        if time.work.engine == TENSOR:
            yield time
            continue
        after = before + waited
        cycles = _whole(after) - _whole(before)
        ends = np.minimum(cycles, _whole(idle))
        yield replace(
            time,
            cycles=cycles,
            causes={"dependence": cycles - ends, "idle": ends},
            hidden_cycles=np.maximum(time.cycles - cycles, 0),
        )
        before = after


def _exposed(jobs: Sequence[_Job], played: FlowOutcome) -> Iterator[UpdateTime]:
    """What is left of each job runs at the end of the step, one after another, rounded up once over all of them."""
    before = np.zeros(played.left.shape[1])
    for job, left in zip(jobs, played.left, strict=True):
        after = before + left
        exposed = _whole(after) - _whole(before)
        reducing = _integers(np.round(exposed.astype(np.float64) * job.reducing))
        yield UpdateTime(work=job.work, busy=job.busy, exposed_update=exposed - reducing, exposed_reduction=reducing)
        before = after


def _whole(cycles: FloatArray) -> IntArray:
    return _integers(np.ceil(cycles - ROUNDING))


def _integers(cycles: FloatArray) -> IntArray:
    """Whole numbers as integers, as Python's where 64 bits do not hold them: a step may last for years."""
    if cycles.max(initial=0.0) < LARGEST_COUNT:
        return cycles.astype(np.int64)
    return np.array([int(each) for each in cycles], dtype=object)
