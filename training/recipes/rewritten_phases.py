"""Phases of a run in which a recipe's rewrites hold in part, or not at all: what is rewritten when, and what trains.

A network that is narrower from some step on is what pruning of structure makes of one that was trained. A simulation
takes any order. Training takes one ``keep`` with a choice of survivors, alone or of a network with adapters, and phases
that keep less and less; masks beside it are those of the weights as they are in every step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..rewrites.adapters import Adapters
from ..rewrites.keep import Keep
from ..rewrites.kinds import AnyRewrite
from ..rewrites.parallel import Parallel
from .courses import Course, DeclaredPhase


def holding(rewrites: Sequence[AnyRewrite], share: float) -> tuple[AnyRewrite, ...]:
    """What holds of rewrites when a share of them does: none of 0, all of 1, of keep anything between.

    >>> [each.title for each in holding([Keep(kind="keep", channels=0.5)], 0.25)]
    ['keep channels 0.875']
    """
    if share in (0, 1):
        return tuple(rewrites) if share else ()
    return tuple(each.part_way(share) if isinstance(each, Keep) else each for each in rewrites)


def change_widths(phases: Sequence[DeclaredPhase], rewrites: Sequence[AnyRewrite]) -> bool:
    """Whether rewrites hold in some phases otherwise than in others, or in part."""
    paths = (path for phase in phases for path in phase.set_)
    return any(phase.rewrites != "full" for phase in phases) or any(sets_widths(path, rewrites) for path in paths)


def sets_widths(path: str, rewrites: Sequence[AnyRewrite]) -> bool:
    """Whether a field that a phase sets is what a keep keeps, or all of the rewrites.

    >>> entry = Keep(kind="keep", heads=0.5, chosen_by="magnitude")
    >>> [sets_widths(each, [entry]) for each in ("rewrites", "rewrites.0.heads", "rewrites.0.batches")]
    [True, True, False]
    """
    widths = ("channels", "heads", "neurons")
    kept = [f"rewrites.{at}.{each}" for at, entry in enumerate(rewrites) if isinstance(entry, Keep) for each in widths]
    return path == "rewrites" or path in kept


def chooses(rewrites: Sequence[AnyRewrite]) -> bool:
    """Whether one chooses what of the weights stays: it looks at data."""
    return any(isinstance(each, Keep) and each.chosen_by is not None for each in rewrites)


def searches(rewrites: Sequence[AnyRewrite]) -> bool:
    """Whether one searches among candidates of layers."""
    return any(isinstance(each, Parallel) and each.searched for each in rewrites)


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
    if searches(rewrites):
        shares = [share for phase in phases for share in phase.rewritten_shares]
        once = len(rewrites) == 1 and shares[-1:] == [0.0] and shares[:1] == [1.0] and sorted(shares)[::-1] == shares
        return "" if once else "a search that no phase ends (rewrites of a searched layer alone, then rewrites: none)"
    if not change_widths(phases, rewrites):
        return ""
    if masks_stay:
        return "masks that stay, of a network that becomes narrower (schedule.phases, rewrites)"
    kept = [each.chosen_by for each in rewrites if isinstance(each, Keep)]
    others = [each for each in rewrites if not isinstance(each, Keep)]
    if (
        len(kept) != 1
        or kept[0] is None
        or not all(isinstance(each, Adapters) and not each.residual for each in others)
    ):
        return "phases of rewrites other than one keep with chosen_by, or it and adapters (schedule.phases, rewrites)"
    if others and any(phase.rewrites != "full" for phase in phases):
        return "adapters that come later than the first step (schedule.phases, rewrites)"
    # Where steps are drawn the network is whole.
    shares = [0.0 if phase.drawn else share for phase in phases for share in phase.rewritten_shares]
    if any(before > after for before, after in itertools.pairwise(shares)):
        return "a network that becomes wider again (schedule.phases, rewrites)"
    return ""
