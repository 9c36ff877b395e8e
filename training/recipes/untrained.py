"""What training does not know of a recipe, so that it is simulated alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rewritten_phases import is_gated_rank, untrained_widths

if TYPE_CHECKING:
    from .declaration import Recipe

_NOT_SET_BY_PHASES = (
    *("rewrites", "schedule", "pruned_weights"),
    *(f"mask_search.{name}" for name in ("score", "scope", "start", "moves", "refined", "graph")),
)
"""Fields that training reads once, before the first phase."""


def untrained(recipe: Recipe) -> str:
    """Which of its fields ``bisparse.apply`` and ``bisparse train`` do not know; empty when they know all."""
    if recipe.pass_ == "inference":
        return "pass: inference"
    unmade = [each.title for each in recipe.rewrites if not each.trains]
    if unmade:
        return f"rewrites of layers ({unmade[0]})"
    if fault := _untrained_phase(recipe):
        return fault
    said = "schedule.repeats" if recipe.schedule.repeats is not None else "tasks" if recipe.tasks else ""
    if said and recipe.mask_search.method != "given":
        return f"{said} of masks that do not stay (mask_search.method: {recipe.mask_search.method})"
    if recipe.masks_change_together and (recipe.schedule.phases or said) and not _masks_are_a_tasks(recipe):
        return f"{said or 'schedule.phases'} of masks that are scored, drawn, moved or held (mask_search)"
    if any(work.work == "mask-update" for work in recipe.extra_work):
        return "a mask-update, which moves masks by a rule of its own (mask_search.moves has one)"
    return ""


def _masks_are_a_tasks(recipe: Recipe) -> bool:
    """Whether each task draws its masks, and by their weights alone, layer by layer, moves them."""
    search = recipe.mask_search
    by_weights = (search.score, search.scope, search.graph) == ("magnitude", "layer", None)
    return recipe.tasks > 0 and by_weights and recipe.pruned_weights.state in ("learning", "frozen")


def _untrained_phase(recipe: Recipe) -> str:
    for number, phase in enumerate(recipe.schedule.phases):
        for path in phase.set_:
            if path.startswith(_NOT_SET_BY_PHASES) and not is_gated_rank(path, recipe.rewrites):
                return f"a phase that sets {path} (schedule.phases.{number}.set)"
    soft = recipe.forward is not None and recipe.forward.soft
    masks_stay = recipe.prunes and (soft or recipe.mask_search.method != "top-n")
    return untrained_widths(recipe.schedule.phases, recipe.rewrites, masks_stay=masks_stay)
