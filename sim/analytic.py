"""The analytic engine: a schedule's time in closed form, operator after operator.

Modelled: forward and backward work one after another in graph order, each with its own overlap of computing and DMA;
element-wise work on the way out of a product runs beside it; updates and reductions run beside later work when the
schedule says so, as far as their engines and the DRAM time left over allow. Not modelled: overlap between
neighbouring products, tensors kept on chip between operators. ``accel`` and ``dataflow`` give every product's time;
nothing here is fitted.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from ..accel.dram import DramTiming
from ..accel.engines import reduction_cycles, update_cycles, vector_cycles
from ..accel.specification import Hardware
from ..dataflow.actions import merge
from ..dataflow.product_cost import ProductCost, product_cost
from ..dataflow.schedule import ChainedVectorWork, PlannedProduct, Schedule, TensorWork, UpdateWork


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorTime:
    """A tensor work's time.

    Attributes:
        work: the work.
        cycles: from start to end, fused vector work included.
        product_cycles: of its products alone.
        causes: ``cycles`` by cause.
        costs: a cost a product.
        vector_cycles: of the fused vector work.
        dram_cycles: for which DRAM is busy.
    """

    work: TensorWork
    cycles: int
    product_cycles: int
    causes: dict[str, int]
    costs: tuple[ProductCost, ...]
    vector_cycles: int
    dram_cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorTime:
    """A vector work's time, with what rides on it."""

    work: ChainedVectorWork
    cycles: int
    vector_cycles: int
    dram_cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTime:
    """An update's time.

    Attributes:
        work: the update.
        update_cycles: of the update engine.
        reduction_cycles: of the reduction engine.
        dram_cycles: for which it needs DRAM.
        exposed_update: cycles that the step waits for update or its memory.
        exposed_reduction: cycles that the step waits for the reduction beyond that.
    """

    work: UpdateWork
    update_cycles: int
    reduction_cycles: int
    dram_cycles: int
    exposed_update: int
    exposed_reduction: int

    @property
    def hidden_cycles(self) -> int:
        """Cycles of the longer engine that ran beside other work."""
        longest = max(self.update_cycles, self.reduction_cycles, self.dram_cycles)
        return max(longest - self.exposed_update - self.exposed_reduction, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """A whole step."""

    works: tuple[TensorTime | VectorTime, ...]
    updates: tuple[UpdateTime, ...]

    @property
    def total_cycles(self) -> int:
        """Cycles of the step."""
        exposed = sum(update.exposed_update + update.exposed_reduction for update in self.updates)
        return sum(work.cycles for work in self.works) + exposed


class CostCache:
    """Costs of equal products under equal mappings on one design, worked out once."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._costs: dict[tuple[object, ...], ProductCost] = {}

    def cost(self, product: PlannedProduct) -> ProductCost:
        """The cost of a planned product."""
        key = (product.gemm.shape_key, product.mapping)
        if key not in self._costs:
            self._costs[key] = product_cost(product.gemm, self._hardware, product.mapping)
        return self._costs[key]


def time_step(schedule: Schedule, costs: CostCache | None = None) -> StepTime:
    """Time a schedule.

    Args:
        schedule: one training step.
        costs: shared with other schedules of the same design, to save work.
    """
    engine = _Analytic(hardware=schedule.hardware, costs=costs or CostCache(schedule.hardware))
    works = tuple(
        engine.tensor(work) if isinstance(work, TensorWork) else engine.vector(work) for work in schedule.works
    )
    jobs = [engine.job(update) for update in schedule.updates]
    if schedule.overlap_update:
        _run_beside(jobs, works)
    return StepTime(works=works, updates=_exposed(jobs))


@dataclass(frozen=True, kw_only=True)
class _Analytic:
    hardware: Hardware
    costs: CostCache
    memory: DramTiming = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "memory", DramTiming.of(self.hardware))

    def tensor(self, work: TensorWork) -> TensorTime:
        costs = tuple(self.costs.cost(product) for product in work.products)
        product = sum(cost.cycles for cost in costs)
        dram = sum(cost.dram_cycles for cost in costs) + self.memory.stream_cycles(
            work.fused.read_bytes, work.fused.write_bytes
        )
        on_lanes = vector_cycles(self.hardware.vector_engine, work.fused.lane_operations)
        cycles = max(product, on_lanes, dram)
        causes = merge(*(cost.causes for cost in costs))
        # The write-back cannot keep up: results wait for the vector engine's lanes, or for its memory.
        late = "dependence" if on_lanes == cycles else "output"
        causes[late] = causes.get(late, 0) + cycles - product
        return TensorTime(
            work=work,
            cycles=cycles,
            product_cycles=product,
            causes=causes,
            costs=costs,
            vector_cycles=on_lanes,
            dram_cycles=dram,
        )

    def vector(self, work: ChainedVectorWork) -> VectorTime:
        on_lanes = vector_cycles(self.hardware.vector_engine, work.head.lane_operations + work.fused.lane_operations)
        dram = self.memory.stream_cycles(
            work.head.read_bytes + work.fused.read_bytes, work.head.write_bytes + work.fused.write_bytes
        )
        latency = self.memory.latency_cycles if dram else 0
        return VectorTime(work=work, cycles=max(on_lanes, dram) + latency, vector_cycles=on_lanes, dram_cycles=dram)

    def job(self, update: UpdateWork) -> _Job:
        engine = self.hardware.reduction_engine
        return _Job(
            work=update,
            update=update_cycles(self.hardware.update_engine, update.weights),
            reduction=sum(int(reduction_cycles(engine, elements, group)) for elements, _, group in update.reductions),
            dram=self.memory.stream_cycles(update.read_bytes, update.write_bytes),
            latency=self.memory.latency_cycles,
        )


@dataclass(kw_only=True)
class _Job:
    """An update on its way. It advances through ``alone`` cycles, the time that it takes by itself.

    Every cycle of it needs its share of DRAM, so beside other work it advances no faster than the DRAM time left over
    allows; never faster than alone either.
    """

    work: UpdateWork
    update: int
    reduction: int
    dram: int
    latency: int
    left: float = field(init=False)
    """Cycles still to go."""

    def __post_init__(self) -> None:
        self.left = float(self.alone)

    @property
    def alone(self) -> int:
        """The engines work on one stream, so the slowest sets the pace."""
        return self.latency + max(self.update, self.reduction, self.dram)

    def advance(self, cycles: float, dram_cycles: float) -> tuple[float, float]:
        """Run beside other work for as long as both budgets last; gives back what was spent of each."""
        share = self.dram / self.alone
        ran = min(self.left, cycles, dram_cycles / share if share else cycles)
        self.left = 0.0 if math.isclose(ran, self.left) else self.left - ran
        return ran, ran * share

    @property
    def reducing(self) -> float:
        """Share of its time that it waits for the reduction engine alone."""
        return max(self.reduction - max(self.update, self.dram), 0) / self.alone


def _exposed(jobs: list[_Job]) -> tuple[UpdateTime, ...]:
    """What is left of each job runs at the end of the step, one after another, rounded up once over all of them."""
    times, before = [], 0.0
    for job in jobs:
        after = before + job.left
        exposed = math.ceil(after - _ROUNDING) - math.ceil(before - _ROUNDING)
        reducing = round(exposed * job.reducing)
        times.append(
            UpdateTime(
                work=job.work,
                update_cycles=job.update,
                reduction_cycles=job.reduction,
                dram_cycles=job.dram,
                exposed_update=exposed - reducing,
                exposed_reduction=reducing,
            )
        )
        before = after
    return tuple(times)


_ROUNDING = 1e-6
"""Cycles that sums of fractions may be off by."""


def _run_beside(jobs: list[_Job], works: tuple[TensorTime | VectorTime, ...]) -> None:
    """Let updates run beside other work, first come first served, in the DRAM time that it leaves idle."""
    waiting = deque(jobs)
    for index, work in enumerate(works):
        cycles, dram = float(work.cycles), float(work.cycles - work.dram_cycles)
        while waiting and waiting[0].work.ready_after < index and cycles > 0 and dram > 0:
            ran, moved = waiting[0].advance(cycles, dram)
            cycles, dram = cycles - ran, dram - moved
            if waiting[0].left:
                break
            waiting.popleft()
