"""Which recipe is tried on which design: every one of both, without every pair of them."""

from collections.abc import Sequence

from bisparse.accel.specification import load_hardware

EVERYWHERE = ("bdwp", "dense", "sdgp")
"""Tried on every design: the method, what it is measured against, and one that prunes gradients."""


def prunes(design: str) -> bool:
    return "2:8" in load_hardware(design).model.tensor_engine.patterns


def pairs(recipes: Sequence[str], designs: Sequence[str], *, turn: int = 0) -> list[tuple[str, str]]:
    """Each recipe on one design, given out in turn, and those of ``EVERYWHERE`` on all of them.

    Recipes times designs would be most of the suite's time, and a fault that takes both a certain recipe and a certain
    design is rare: what a design does is said by formats and stages, and those of ``EVERYWHERE`` hold them all.

    Args:
        recipes: names, in any order.
        designs: names; one that skips no zeros of 2:8 is tried with ``dense`` alone.
        turn: moves every recipe that many designs on, so that two uses meet two designs.
    """
    able = [design for design in designs if prunes(design)]
    ordered = sorted(recipes)
    once = {(recipe, able[(place + turn) % len(able)]) for place, recipe in enumerate(ordered)}
    fixed = {(recipe, design) for recipe in EVERYWHERE if recipe in recipes for design in able}
    dense = {("dense", design) for design in designs}
    return sorted(once | fixed | dense)
