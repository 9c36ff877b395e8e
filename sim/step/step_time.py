"""What an engine finds: the time of every piece of work of a step, plain data whichever engine found it.

A work's cycles are those by which it moves the end of the step; they sum to the step's. Which engine ran is not told
here: the analytic and the event engine give the same types, so that everything above reads either. Counts are numbers
of one design, or arrays, [S], of many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...configs.arrays import Counts
from ...dataflow.design_view import of_design
from ...dataflow.product_cost import ProductCost
from ...dataflow.works import UpdateWork, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTime:
    """A work's time, what is fused into it included.

    Attributes:
        work: the work.
        cycles: by which it moves the end of the step: of vector work, those with no product beside it.
        causes: what the tensor engine's cycles go to meanwhile; they sum to ``cycles``.
        busy: cycles of the shared resources, see ``accel.engines.RESOURCES``; those with products name lanes and DRAM.
        costs: a cost a product.
        product_cycles: of its products alone.
        hidden_cycles: of those that it takes alone, the rest.
    """

    work: Work
    cycles: Counts
    causes: dict[str, Counts]
    busy: dict[str, Counts]
    costs: tuple[ProductCost, ...] = ()
    product_cycles: Counts = 0
    hidden_cycles: Counts = 0

    @property
    def vector_cycles(self) -> Counts:
        """Cycles of the vector lanes."""
        return self.busy["vector"]

    @property
    def dram_cycles(self) -> Counts:
        """Cycles for which DRAM is busy."""
        return self.busy["dram"]

    @property
    def reduced_elements(self) -> Counts:
        """Elements that pass the reduction engine on their way into products."""
        return sum(cost.reduced_elements for cost in self.costs)

    def of_design(self, design: int, costs: dict[int, ProductCost]) -> WorkTime:
        """The same on one of many designs; equal products share their costs, which ``costs`` keeps by identity."""
        for cost in self.costs:
            if id(cost) not in costs:
                costs[id(cost)] = of_design(cost, design)
        return WorkTime(
            work=self.work,
            cycles=of_design(self.cycles, design),
            causes=of_design(self.causes, design),
            busy=of_design(self.busy, design),
            costs=tuple(costs[id(cost)] for cost in self.costs),
            product_cycles=of_design(self.product_cycles, design),
            hidden_cycles=of_design(self.hidden_cycles, design),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTime:
    """An update's time.

    Attributes:
        work: the update.
        busy: cycles of the shared resources.
        exposed_update: cycles that the step waits for update or its memory.
        exposed_reduction: cycles that the step waits for the reduction beyond that.
    """

    work: UpdateWork
    busy: dict[str, Counts]
    exposed_update: Counts
    exposed_reduction: Counts

    @property
    def update_cycles(self) -> Counts:
        """Cycles of the update engine."""
        return self.busy["update"]

    @property
    def reduction_cycles(self) -> Counts:
        """Cycles of the reduction engine."""
        return self.busy["reduction"]

    @property
    def dram_cycles(self) -> Counts:
        """Cycles for which it needs DRAM."""
        return self.busy["dram"]

    @property
    def exposed_cycles(self) -> Counts:
        """Cycles that the step waits for it."""
        return self.exposed_update + self.exposed_reduction

    @property
    def hidden_cycles(self) -> Counts:
        """Cycles of the resource that is busy longest that ran beside other work. Of one design."""
        return max(max(self.busy.values()) - self.exposed_cycles, 0)

    def of_design(self, design: int) -> UpdateTime:
        """The same on one of many designs."""
        return replace(
            self,
            busy=of_design(self.busy, design),
            exposed_update=of_design(self.exposed_update, design),
            exposed_reduction=of_design(self.exposed_reduction, design),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """A whole step."""

    works: tuple[WorkTime, ...]
    updates: tuple[UpdateTime, ...]

    @property
    def total_cycles(self) -> Counts:
        """Cycles of the step."""
        return sum(work.cycles for work in self.works) + sum(update.exposed_cycles for update in self.updates)

    def of_design(self, design: int) -> StepTime:
        """The same on one of many designs."""
        costs: dict[int, ProductCost] = {}
        return StepTime(
            works=tuple(work.of_design(design, costs) for work in self.works),
            updates=tuple(update.of_design(design) for update in self.updates),
        )
