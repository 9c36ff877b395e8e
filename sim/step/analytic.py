"""The analytic engine: a schedule's time in closed form, operator after operator.

Modelled: forward and backward work one after another in graph order, each with its own overlap of computing and DMA;
element-wise work on the way out of a product holds up the store of each finished tile; updates and reductions run
beside later work when the schedule says so, as far as their engines and the DRAM time left over allow; what the
schedule keeps on chip takes no DRAM. Not modelled: overlap between neighbouring products. ``accel`` and ``dataflow``
give every product's time; nothing here is fitted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...accel.dram import DramTiming
from ...accel.engines import reduction_cycles, update_cycles, vector_cycles
from ...accel.specification import BYTES_OF, Hardware
from ...dataflow.actions import merge
from ...dataflow.epilogue import NO_EPILOGUE, Epilogue
from ...dataflow.product_cost import ProductCost, product_cost
from ...dataflow.schedule import ChainedVectorWork, PlannedProduct, Schedule, TensorWork, UpdateWork
from .side_by_side import ROUNDING, UpdateFlow, Waited, run_side_by_side
from .step_time import StepTime, TensorTime, UpdateTime, VectorTime


class CostCache:
    """Costs of equal products under equal mappings on one design, worked out once."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._costs: dict[tuple[object, ...], ProductCost] = {}

    def cost(self, product: PlannedProduct, epilogue: Epilogue = NO_EPILOGUE) -> ProductCost:
        """The cost of a planned product with what rides on its results."""
        key = (product.gemm.shape_key, product.mapping, epilogue)
        if key not in self._costs:
            self._costs[key] = product_cost(product.gemm, self._hardware, product.mapping, epilogue)
        return self._costs[key]


def time_step(schedule: Schedule, costs: CostCache | None = None) -> StepTime:
    """Time a schedule.

    Args:
        schedule: one training step.
        costs: shared with other schedules of the same design, to save work.
    """
    engine = _Analytic(hardware=schedule.hardware, costs=costs or CostCache(schedule.hardware))
    alone = tuple(
        engine.tensor(work) if isinstance(work, TensorWork) else engine.vector(work) for work in schedule.works
    )
    jobs = [engine.job(update) for update in schedule.updates]
    waited = run_side_by_side(schedule, alone, [job.flow for job in jobs])
    return StepTime(works=tuple(_beside(alone, waited)), updates=_exposed(jobs))


def _beside(alone: Sequence[TensorTime | VectorTime], waited: dict[int, Waited]) -> Iterator[TensorTime | VectorTime]:
    """The works with what the step waits for of each; whole cycles, rounded once over all of them."""
    before = 0.0
    for index, time in enumerate(alone):
        if isinstance(time, TensorTime):
            yield time
            continue
        found = waited.get(index, Waited())
        after = before + found.cycles
        cycles = math.ceil(after - ROUNDING) - math.ceil(before - ROUNDING)
        yield replace(
            time,
            cycles=cycles,
            hidden_cycles=max(time.cycles - cycles, 0),
            idle_cycles=min(cycles, math.ceil(found.idle_cycles - ROUNDING)),
        )
        before = after


@dataclass(frozen=True, kw_only=True)
class _Analytic:
    hardware: Hardware
    costs: CostCache
    memory: DramTiming = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "memory", DramTiming.of(self.hardware))

    def tensor(self, work: TensorWork) -> TensorTime:
        if not work.products:
            return self._without_products(work)
        epilogue = work.epilogue(BYTES_OF[self.hardware.tensor_engine.precision])
        costs = tuple(self.costs.cost(product, epilogue) for product in work.products)
        return TensorTime(
            work=work,
            cycles=sum(cost.cycles for cost in costs),
            product_cycles=sum(self.costs.cost(product).cycles for product in work.products),
            causes=merge(*(cost.causes for cost in costs)),
            costs=costs,
            vector_cycles=vector_cycles(self.hardware.vector_engine.lanes, work.fused.lane_operations),
            dram_cycles=sum(cost.dram_cycles for cost in costs),
        )

    def _without_products(self, work: TensorWork) -> TensorTime:
        """An operator whose every result element is zero: only its fill takes time."""
        dram = self.memory.stream_cycles(work.fused.read_bytes, work.fused.write_bytes)
        on_lanes = vector_cycles(self.hardware.vector_engine.lanes, work.fused.lane_operations)
        return TensorTime(
            work=work,
            cycles=max(on_lanes, dram),
            product_cycles=0,
            causes={"dependence" if on_lanes >= dram else "output": max(on_lanes, dram)},
            costs=(),
            vector_cycles=on_lanes,
            dram_cycles=dram,
        )

    def vector(self, work: ChainedVectorWork) -> VectorTime:
        on_lanes = vector_cycles(self.hardware.vector_engine.lanes, work.lane_operations)
        dram = self.memory.stream_cycles(work.read_bytes, work.write_bytes)
        latency = int(self.memory.latency_cycles) if dram else 0
        return VectorTime(
            work=work,
            cycles=max(on_lanes, dram) + latency,
            vector_cycles=on_lanes,
            dram_cycles=dram,
        )

    def job(self, update: UpdateWork) -> _Job:
        lanes = self.hardware.reduction_engine.lanes
        return _Job(
            work=update,
            update=update_cycles(self.hardware.update_engine.lanes, update.weights),
            reduction=sum(int(reduction_cycles(lanes, elements, group)) for elements, _, group in update.reductions),
            dram=self.memory.stream_cycles(update.read_bytes, update.write_bytes),
            latency=int(self.memory.latency_cycles),
        )


@dataclass(kw_only=True)
class _Job:
    """An update, and how far it is. Its engines work on one stream, so the slowest sets the pace."""

    work: UpdateWork
    update: int
    reduction: int
    dram: int
    latency: int
    flow: UpdateFlow = field(init=False)

    def __post_init__(self) -> None:
        alone = self.latency + max(self.update, self.reduction, self.dram)
        self.flow = UpdateFlow(
            work=self.work,
            alone_cycles=float(alone),
            dram_share=self.dram / max(alone, 1),
            sorter_share=self.reduction / max(alone, 1),
        )

    @property
    def reducing(self) -> float:
        """Share of its time that it waits for the reduction engine alone."""
        return max(self.reduction - max(self.update, self.dram), 0) / max(self.flow.alone_cycles, 1.0)


def _exposed(jobs: list[_Job]) -> tuple[UpdateTime, ...]:
    """What is left of each job runs at the end of the step, one after another, rounded up once over all of them."""
    times, before = [], 0.0
    for job in jobs:
        after = before + job.flow.left_cycles
        exposed = math.ceil(after - ROUNDING) - math.ceil(before - ROUNDING)
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
