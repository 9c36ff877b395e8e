"""Phases of a run in which a recipe's rewrites hold in part, or not at all: what is rewritten when, and what trains.

A network that is narrower from some step on is what pruning of structure makes of one that was trained. A simulation
takes any order. Training takes one ``keep`` with a choice of survivors, and phases that keep less and less; masks
beside it are those of the weights as they are in every step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..rewrites.keep import Keep
from ..rewrites.kinds import AnyRewrite
from .courses import Course, DeclaredPhase


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
        check_driven(phases, number, rewrites)
        place = f"schedule.phases.{number}.rewrites"
        if phase.drawn and not (isinstance(phase.rewrites, Course) and _chosen_by(rewrites) == "first"):
            raise ValueError(
                f"schedule.phases.{number}.drawn: got true, need rewrites that change over the phase, of one keep with "
                "chosen_by: first: networks lie within each other"
            )
        if phase.rewrites != "full" and not rewrites:
            raise ValueError(f"{place}: got {phase.rewrites}, need rewrites of the recipe")
        partly = [share for share in phase.rewritten_shares if share not in (0, 1)]
        other = next((each.title for each in rewrites if not isinstance(each, Keep)), None)
        if partly and other is not None:
            raise ValueError(f"{place}: got {partly[0]:g} of {other}, need keep alone: others hold or do not")


def check_driven(phases: Sequence[DeclaredPhase], number: int, rewrites: Sequence[AnyRewrite]) -> None:
    """Refuse a phase that drives groups to zero which no phase after it removes.

    Raises:
        ValueError: it is one; the message names it.
    """
    phase, after = phases[number], phases[number + 1 : number + 2]
    if phase.groups_to_zero is None:
        return
    place = f"schedule.phases.{number}.groups_to_zero"
    if phase.rewrites != "none" or phase.set_ or phase.pass_ != "training":
        raise ValueError(f"{place}: got it, need rewrites: none, whole steps, and nothing that the phase sets")
    if not after or after[0].rewrites != "full":
        raise ValueError(f"{place}: got it, need a next phase with rewrites: full, which removes what is zero")
    if _chosen_by(rewrites) != "made" or getattr(rewrites[0], "layers", None) is not None:
        raise ValueError(f"{place}: got it, need one keep, not of layers, with chosen_by: made: what is zero goes")


def _chosen_by(rewrites: Sequence[AnyRewrite]) -> str | None:
    """How the survivors of a recipe's only entry are chosen, a keep of channels, heads or neurons."""
    if len(rewrites) != 1 or not isinstance(rewrites[0], Keep):
        return None
    return rewrites[0].chosen_by


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
    # Where steps are drawn the network is whole.
    shares = [0.0 if phase.drawn else share for phase in phases for share in phase.rewritten_shares]
    if any(before > after for before, after in itertools.pairwise(shares)):
        return "a network that becomes wider again (schedule.phases, rewrites)"
    return ""
