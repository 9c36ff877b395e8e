"""What an engine finds: the time of every piece of work of a step, plain data whichever engine found it.

A work's cycles are those by which it moves the end of the step; they sum to the step's. Which engine ran is not told
here: the analytic and the event engine give the same types, so that everything above reads either.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...dataflow.product_cost import ProductCost
from ...dataflow.schedule import ChainedVectorWork, TensorWork, UpdateWork


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
    """A vector work's time, with what rides on it.

    Attributes:
        work: the work.
        cycles: for which it runs with no product beside it.
        vector_cycles: of the lanes.
        dram_cycles: for which DRAM is busy.
        hidden_cycles: of those that it takes alone, the rest.
        idle_cycles: of ``cycles``, those after the last product of the step: the tensor engine waits for nothing.
    """

    work: ChainedVectorWork
    cycles: int
    vector_cycles: int
    dram_cycles: int
    hidden_cycles: int = 0
    idle_cycles: int = 0

    @property
    def causes(self) -> dict[str, int]:
        """What the tensor engine's cycles go to meanwhile."""
        found = {"dependence": self.cycles - self.idle_cycles, "idle": self.idle_cycles}
        return {cause: cycles for cause, cycles in found.items() if cycles}


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
