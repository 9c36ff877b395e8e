"""Phases of a run in which a recipe's rewrites hold in part, or not at all: what is rewritten when, and what trains.

A network that is narrower from some step on is what pruning of structure makes of one that was trained. A simulation
takes any order. Training takes one ``keep`` with a choice of survivors, and phases that keep less and less; masks
beside it are those of the weights as they are in every step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..rewrites.adapters import Adapters
from ..rewrites.keep import Keep
from ..rewrites.kinds import AnyRewrite
from .courses import DeclaredPhase


def holding(rewrites: Sequence[AnyRewrite], share: float) -> tuple[AnyRewrite, ...]:
    """What holds of rewrites when a share of them does: none of 0, all of 1, of keep anything between.

    >>> [each.title for each in holding([Keep(kind="keep", channels=0.5)], 0.25)]
    ['keep channels 0.875']
    """
    if share in (0, 1):
        return tuple(rewrites) if share else ()
    return tuple(each.part_way(share) if isinstance(each, Keep) else each for each in rewrites)


def change_widths(phases: Sequence[DeclaredPhase]) -> bool:
    """Whether rewrites hold in some phases otherwise than in others, or in part."""
    return any(phase.rewrites != "full" for phase in phases)


def chooses(rewrites: Sequence[AnyRewrite]) -> bool:
    """Whether one chooses what of the weights stays: it looks at data."""
    return any(isinstance(each, Keep) and each.chosen_by is not None for each in rewrites)


def check_rewritten_phases(phases: Sequence[DeclaredPhase], rewrites: Sequence[AnyRewrite]) -> None:
    """Refuse phases that change what there is not, or what cannot hold in part.

    Raises:
        ValueError: they do; the message names the phase.
    """
    for number, phase in enumerate(phases):
        place = f"schedule.phases.{number}.rewrites"
        if phase.rewrites != "full" and not rewrites:
            raise ValueError(f"{place}: got {phase.rewrites}, need rewrites of the recipe")
        partly = [share for share in phase.rewritten_shares if share not in (0, 1)]
        other = next((each.title for each in rewrites if not isinstance(each, Keep)), None)
        if partly and other is not None:
            raise ValueError(f"{place}: got {partly[0]:g} of {other}, need keep alone: others hold or do not")


def is_gated_rank(path: str, rewrites: Sequence[AnyRewrite]) -> bool:
    """Whether a field that a phase sets is the rank of adapters whose gates say which ranks stay: these alone.

    >>> entry = Adapters(kind="adapters", rank=8, gate={"penalty": 0.1})
    >>> is_gated_rank("rewrites.0.rank", [entry]), is_gated_rank("rewrites.0.residual", [entry])
    (True, False)
    """
    gated = [f"rewrites.{at}.rank" for at, each in enumerate(rewrites) if isinstance(each, Adapters) and each.gate]
    return gated == [path]


def gated_rank(rewrites: Sequence[AnyRewrite]) -> int | None:
    """How many ranks of gated adapters stay, of the first entry that has some."""
    return next((each.rank for each in rewrites if isinstance(each, Adapters) and each.gate is not None), None)


def untrained_widths(phases: Sequence[DeclaredPhase], rewrites: Sequence[AnyRewrite], *, masks_stay: bool) -> str:
    """What training does not know of phases whose rewrites change; empty where it knows all.

    Args:
        phases: of a recipe.
        rewrites: of it.
        masks_stay: whether it prunes by masks that are more than the N largest weights of every M as they are now.
    """
    if not change_widths(phases):
        return ""
    if masks_stay:
        return "masks that stay, of a network that becomes narrower (schedule.phases, rewrites)"
    chosen = len(rewrites) == 1 and isinstance(rewrites[0], Keep) and rewrites[0].chosen_by is not None
    if not chosen:
        return "phases of rewrites other than one keep with chosen_by (schedule.phases, rewrites)"
    shares = [share for phase in phases for share in phase.rewritten_shares]
    if any(before > after for before, after in itertools.pairwise(shares)):
        return "a network that becomes wider again (schedule.phases, rewrites)"
    return ""
