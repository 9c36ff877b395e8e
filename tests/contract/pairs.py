"""Which recipe is tried on which design: every one of both, without every pair of them."""

from collections.abc import Sequence

from bisparse.accel.specification import load_hardware
from bisparse.configs.library import names
from bisparse.training.recipes.about import About
from bisparse.training.recipes.declaration import load_recipe

EVERYWHERE = ("bdwp", "dense", "sdgp")
"""Tried on every design: the method, what it is measured against, and one that prunes gradients."""


TIMED = "sat-vcu1525-timed"
"""Differs from ``sat-vcu1525`` by its memory alone, and takes ten times as long to search."""


def prunes(design: str) -> bool:
    return "2:8" in load_hardware(design).model.tensor_engine.patterns


def of_a_step(name: str) -> str:
    """What the figures of a step at N:M depend on, of what a recipe says."""
    recipe = load_recipe(name).model
    works = tuple(work for work in recipe.extra_work if work.in_every_step)
    plain = {"schedule": type(recipe.schedule)(), "extra_work": works, "layer_density": "uniform"}
    return recipe.model_copy(update=plain).model_dump_json(exclude={*About.model_fields})


def recipes_of_a_step() -> list[str]:
    """Those of a training step of the network as it is; of several that are one there the last stands for all."""
    models = {name: load_recipe(name).model for name in names("recipes")}
    plain = [name for name, model in models.items() if model.pass_ == "training" and not model.rewrites]
    return sorted({of_a_step(name): name for name in plain}.values())


def pairs(recipes: Sequence[str], designs: Sequence[str], *, turn: int = 0) -> list[tuple[str, str]]:
    """Each recipe on one design, given out in turn, and those of ``EVERYWHERE`` on all of them.

    Recipes times designs would be most of the suite's time, and a fault that takes both a certain recipe and a certain
    design is rare: what a design does is said by formats and stages, and those of ``EVERYWHERE`` hold them all.

    Args:
        recipes: names, in any order.
        designs: names; one that skips no zeros of 2:8 is tried with ``dense`` alone, and ``TIMED`` with the method.
        turn: moves every recipe that many designs on, so that two uses meet two designs.
    """
    able = [design for design in designs if prunes(design) and design != TIMED]
    ordered = sorted(recipes)
    once = {(recipe, able[(place + turn) % len(able)]) for place, recipe in enumerate(ordered)}
    fixed = {(recipe, design) for recipe in EVERYWHERE if recipe in recipes for design in able}
    alone = {("bdwp" if design == TIMED else "dense", design) for design in designs}
    return sorted(once | fixed | alone)
