"""Steps before any product is mapped, and what they ask of a design whatever its numbers are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ....accel.specification import Policy
from ....configs.formats import parse_format
from ....configs.operand_format import OperandFormat
from ....configs.pattern import DENSE
from ....dataflow.design_table import vector_prices_of
from ....dataflow.footprint import MemoryPlan
from ....dataflow.scheduler import Outline, outline
from ....dataflow.works import PlannedProduct
from ....training.passes.choice import Passes
from ....training.recipes.annotation import annotate
from ....training.recipes.declaration import Recipe
from ...simulation import DENSE_RECIPE
from ...step.step_size import check_step_size
from .point import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKey:
    """What tells the steps of points apart that differ in numbers of the hardware only.

    Attributes:
        workload: hash of the graph.
        passes: what of it is run.
        batch: samples.
        optimizer: of the update.
        policy: what the scheduler may do.
        vector: prices of vector work.
        recipe: hash of the recipe; empty of the dense step.
        pattern: N:M; None of the dense step.
        largest_group: that the reduction engine sorts, where a recipe has work for it beside the masks; else 0.
    """

    workload: str
    passes: Passes
    batch: int
    optimizer: str
    policy: Policy
    vector: tuple[object, ...]
    recipe: str = ""
    pattern: OperandFormat | None = None
    largest_group: int = 0

    @property
    def outline(self) -> tuple[object, ...]:
        """What the outline of the step depends on."""
        sparse = (self.recipe, self.pattern, self.policy.pre_generation, self.largest_group) if self.recipe else ()
        return self.workload, self.passes, self.batch, self.optimizer, self.vector, *sparse

    @classmethod
    def of(cls, point: Point) -> tuple[StepKey, StepKey]:
        """Of a point's sparse step and of the dense one."""
        options = point.options
        # A dense step has no N:M weights, whenever they would be made.
        policy = options.policy(point.hardware.model)
        dense = cls(
            workload=point.workload.sha256,
            passes=options.passes,
            batch=options.batch or point.graph.default_batch,
            optimizer=options.optimizer,
            policy=policy.model_copy(update={"pre_generation": False}),
            vector=vector_prices_of(point.hardware.model),
        )
        sparse = replace(dense, policy=policy, recipe=point.recipe.sha256, pattern=point.pattern)
        largest = point.hardware.model.reduction_engine.largest_group if point.recipe.model.works else 0
        return replace(sparse, largest_group=largest), dense


@dataclass(frozen=True, kw_only=True)
class Step:
    """The outline of a step, and what holds of it on any design of the group.

    Attributes:
        outline: of the step.
        peak_bytes: the most that lies in the card's memory at once.
        patterns: that the array must have.
        largest_group: that the reduction engine must sort.
    """

    outline: Outline
    peak_bytes: int
    patterns: frozenset[OperandFormat]
    largest_group: int

    def products(self) -> list[PlannedProduct]:
        """In the order in which they are mapped."""
        return [product for work in self.outline.every_work for product in work.products]


def outlined(key: StepKey, point: Point) -> Step:
    """Outline a step.

    Args:
        key: of the step.
        point: one that runs it.

    Raises:
        BisparseError: the step cannot be outlined.
    """
    hardware = point.hardware.model
    recipe = point.recipe.model if key.pattern is not None else DENSE_RECIPE
    pattern = key.pattern or DENSE
    graph = point.workload.graph_of(point.options, recipe.rewrites)
    graph.check_batch(key.batch)
    check_step_size(graph, key.batch)
    pruned = annotate(graph, recipe, pattern, pre_generation=key.policy.pre_generation)
    plan = MemoryPlan.of(pruned, hardware, key.optimizer)
    pruned_with = {pruning.pattern for pruning in pruned.prunings.values()}
    return Step(
        outline=outline(pruned, hardware, batch=key.batch, optimizer=key.optimizer),
        peak_bytes=plan.footprint(key.batch).peak_bytes,
        patterns=frozenset(pruned_with | _asked(recipe, pattern)),
        largest_group=max((each.sorted_group for each in pruned_with), default=1),
    )


def _asked(recipe: Recipe, pattern: OperandFormat) -> set[OperandFormat]:
    """Patterns that a recipe asks of a design, whether an operator takes them or not."""
    if not recipe.prunes:
        return set()
    return {pattern, *(parse_format(rule.sparsity) for rule in recipe.layers)}
