"""Steps before any product is mapped, and what they ask of a design whatever its numbers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....configs.pattern import DENSE, Pattern
from ....dataflow.footprint import MemoryPlan
from ....dataflow.gemm import Gemm
from ....dataflow.schedule import TensorWork
from ....dataflow.scheduler import Outline, outline
from ....training.recipes.annotation import annotate
from ....training.recipes.declaration import Recipe
from ...simulation import DENSE_RECIPE
from ...step.step_size import check_step_size
from .design import Design


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
    patterns: frozenset[Pattern]
    largest_group: int

    def products(self) -> list[Gemm]:
        """In the order in which they are mapped."""
        works = (work for work in self.outline.works if isinstance(work, TensorWork))
        return [product.gemm for work in works for product in work.products]


def outlined(key: tuple[Any, ...], design: Design) -> Step:
    """Outline a step.

    Args:
        key: of the step, see ``evaluation``: workload, batch, optimizer, policies, then recipe, ratio and whether N:M
            weights are made ahead, or ``dense``.
        design: one that runs it.

    Raises:
        BisparseError: the step cannot be outlined.
    """
    hardware, batch, optimizer = design.hardware.model, key[1], key[2]
    check_step_size(design.workload.graph, batch)
    recipe, pattern, pre_generation = DENSE_RECIPE, DENSE, hardware.policy.pre_generation
    if len(key) > 6:
        recipe, pattern, pre_generation = design.recipe.model, key[6], key[7]
    pruned = annotate(design.workload.graph, recipe, pattern, pre_generation=pre_generation)
    laid_out = outline(pruned, hardware, batch=batch, optimizer=optimizer)
    plan = MemoryPlan.of(pruned, hardware, optimizer)
    pruned_with = {pruning.pattern for pruning in pruned.prunings.values()}
    return Step(
        outline=laid_out,
        peak_bytes=plan.footprint(batch).peak_bytes,
        patterns=frozenset(pruned_with | _asked(recipe, pattern)),
        largest_group=max((pattern.group for pattern in pruned_with), default=1),
    )


def _asked(recipe: Recipe, pattern: Pattern) -> set[Pattern]:
    """Patterns that a recipe asks of a design, whether an operator takes them or not."""
    if not recipe.prunes:
        return set()
    return {pattern, *(Pattern.parse(rule.sparsity) for rule in recipe.layers)}
