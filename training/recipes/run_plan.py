"""A whole training run as stretches of equal steps, whatever its schedule says: what each trains, and costs as.

The ramps, frames and switches of a recipe come from ``phases``. Stretches of phases declared one by one and of repeated
runs are made here; training follows the same ones (``training_phases``).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError

from ...configs.errors import ConfigError
from ...configs.formats import parse_format
from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE
from ...configs.unstructured import Unstructured
from ..rewrites.keep import Keep
from ..rewrites.kinds import AnyRewrite
from .courses import Course, DeclaredPhase, Repeats
from .declaration import Recipe
from .group_penalty import GroupPenalty
from .phases import Phase, PhaseKind, pattern_in, phases, recipe_in
from .rewritten_phases import holding
from .schedule import RecipeSchedule

_PLAIN = RecipeSchedule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Steps of a run that are alike.

    Attributes:
        kind: as of ``phases.Phase``.
        name: that the schedule gives its phase, or empty.
        first_step: in the run, counted from 0.
        at_step: in its training: a retraining begins where the weights were rewound to.
        steps: at least 1.
        times: that it is trained: each retraining of a cycle.
        trains: N:M or a share of zeros that is trained with; dense where nothing is pruned.
        recipe: what a step costs as, without a schedule; None where it costs as dense training.
        pattern: of that recipe.
        searches: masks are found in every step that save nothing: pruned weights count.
        reason: why it costs as dense although it trains otherwise; empty where it does not.
        on_the_way: its ratio is not the run's own: a design may lack it, and run it densely.
        begins: pruning begins here: what is done once is done here.
        pass_: whole steps or forward passes.
        freeze: parameters that do not learn.
        batch: samples; the run's when None.
        accumulate: micro-batches.
        task: of several that are trained one after another.
        rewrites: that hold in it.
        groups_to_zero: how groups that the next one leaves out are driven to zero; None where none are.
        search_passes: forward passes of the narrower network that choose what stays of it, before the first step.
        drawn: it stands for steps that are drawn among others of its phase: so many are expected.
    """

    kind: PhaseKind
    name: str = ""
    first_step: int
    at_step: int
    steps: int
    times: int = 1
    trains: OperandFormat
    recipe: Recipe | None
    pattern: OperandFormat
    searches: bool = False
    reason: str = ""
    on_the_way: bool = False
    begins: bool = False
    pass_: Literal["training", "inference"] = "training"
    freeze: str = ""
    batch: int | None = None
    accumulate: int = 1
    task: int | None = None
    rewrites: tuple[AnyRewrite, ...]
    groups_to_zero: GroupPenalty | None = None
    drawn: bool = False
    search_passes: int = 0

    @property
    def built(self) -> tuple[AnyRewrite, ...]:
        """The rewrites of the module that trains: whole where each step trains one of the networks within it."""
        return () if self.drawn else self.rewrites


def stretches(recipe: Recipe, pattern: OperandFormat, steps: int, *, switch_step: int | None = None) -> list[Stretch]:
    """The stretches of a run, in order.

    Args:
        recipe: the method.
        pattern: its full ratio.
        steps: of one training: of the run, unless it is repeated.
        switch_step: when a recipe that waits for the variance to settle did switch; at the latest when None.

    Raises:
        ConfigError: there are no steps, phases do not share them out, or a schedule does not suit the ratio.
    """
    if recipe.schedule.repeats is not None and recipe.prunes:
        found = _repeated(recipe, recipe.schedule.repeats, pattern, steps)
    elif follows_stretches(recipe):
        found = _declared(recipe, pattern, steps)
    else:
        found = (_of_phase(recipe, pattern, each) for each in phases(recipe, pattern, steps, switch_step=switch_step))
    return list(_searched(_begun(found)))


def follows_stretches(recipe: Recipe) -> bool:
    """Whether training asks the stretches what holds at a step: of declared phases, and of a repeated run."""
    repeats = recipe.schedule.repeats is not None and recipe.prunes
    return repeats or (bool(recipe.schedule.phases) and (recipe.prunes or bool(recipe.rewrites)))


def training_phases(found: Sequence[Stretch]) -> tuple[Phase, ...]:
    """The stretches as phases of a run that is trained: each retraining of a cycle is one of its own."""
    return tuple(
        Phase(
            kind=each.kind,
            first_step=each.first_step + again * each.steps,
            steps=each.steps,
            stretch=number,
            name=each.name if each.times == 1 else f"{each.name} retraining {again + 1}",
            freeze=each.freeze,
            batch=each.batch,
            accumulate=each.accumulate,
            task=each.task,
            pass_=each.pass_,
        )
        for number, each in enumerate(found)
        for again in range(each.times)
    )


def _searched(found: Iterator[Stretch]) -> Iterator[Stretch]:
    """The same, with what choosing survivors takes where a network becomes narrower."""
    before: tuple[AnyRewrite, ...] = ()
    for each in found:
        fresh = [entry for entry in each.rewrites if isinstance(entry, Keep) and entry not in before]
        yield replace(each, search_passes=sum(entry.search_passes for entry in fresh))
        before = each.rewrites


def _begun(found: Iterator[Stretch]) -> Iterator[Stretch]:
    """The same, marked where pruning begins: after what prunes nothing, and in every cycle."""
    pruning, trained_to = False, 0
    for each in found:
        prunes = each.recipe is not None
        yield replace(each, begins=prunes and (not pruning or each.at_step < trained_to))
        pruning, trained_to = pruning or prunes, each.at_step + each.steps


def _of_phase(recipe: Recipe, pattern: OperandFormat, phase: Phase) -> Stretch:
    plain = recipe_in(recipe, pattern, phase)
    trains = DENSE if phase.kind == "dense" else pattern_in(recipe, pattern, phase)
    return Stretch(
        kind=phase.kind,
        first_step=phase.first_step,
        at_step=phase.first_step,
        steps=phase.steps,
        trains=trains,
        recipe=None if plain is None else plain[0],
        pattern=DENSE if plain is None else plain[1],
        searches=phase.kind == "leak" and recipe.pruned_weights.count,
        reason="pruned weights still count" if phase.kind == "leak" else "",
        on_the_way=phase.frames_left > 0,
        rewrites=recipe.rewrites,
    )


# Repeated runs --------------------------------------------------------------------------------------------------------


def _repeated(recipe: Recipe, repeats: Repeats, pattern: OperandFormat, steps: int) -> Iterator[Stretch]:
    """A dense training, then a retraining, or several, at each density; N:M is at its full ratio at once."""
    if steps < 1:
        raise ConfigError(f"steps: got {steps}, need at least 1")
    plain = recipe.model_copy(update={"schedule": _PLAIN})
    yield Stretch(
        kind="dense",
        name="training",
        first_step=0,
        at_step=0,
        steps=steps,
        trains=DENSE,
        recipe=None,
        pattern=DENSE,
        rewrites=recipe.rewrites,
    )
    again, at = max(round(repeats.retrain_share * steps), 1), steps
    densities = repeats.densities(pattern.density)
    for number, density in enumerate(densities, 1):
        own = _with_zeros(pattern, 100 * (1 - density)) if isinstance(pattern, Unstructured) else pattern
        yield Stretch(
            kind="sparse" if own == pattern else "frame",
            name=f"cycle {number}",
            first_step=at,
            at_step=steps - again,
            steps=again,
            times=repeats.retrainings,
            trains=own,
            recipe=plain,
            pattern=own,
            on_the_way=own != pattern,
            rewrites=recipe.rewrites,
        )
        at += again * repeats.retrainings


def _with_zeros(pattern: Unstructured, percent: float) -> Unstructured:
    return replace(pattern, zeros_percent=max(round(percent, 4), 0.0))


# Phases one by one ----------------------------------------------------------------------------------------------------


def _declared(recipe: Recipe, pattern: OperandFormat, steps: int) -> Iterator[Stretch]:
    at = 0
    for number, (phase, own) in enumerate(zip(recipe.schedule.phases, _shared_out(recipe, steps), strict=True)):
        pieces = _pieces(recipe, number, phase, pattern)
        edges = [own * each // len(pieces) for each in range(len(pieces) + 1)]
        for (trains, changed), first, end in zip(pieces, edges, edges[1:], strict=False):
            if first == end:
                continue
            yield Stretch(
                kind="dense" if trains.is_dense else "sparse" if trains == pattern else "frame",
                name=phase.name,
                first_step=at + first,
                at_step=at + first,
                steps=end - first,
                trains=trains,
                recipe=None if trains.is_dense else changed,
                pattern=trains,
                on_the_way=trains != pattern,
                pass_=phase.pass_,
                freeze=phase.freeze,
                batch=phase.batch,
                accumulate=phase.accumulate,
                task=phase.task,
                reason=_rewritten(changed) if _rewrites_change(recipe) else "",
                rewrites=changed.rewrites,
                groups_to_zero=phase.groups_to_zero,
                drawn=phase.drawn,
            )
        at += own


def _shared_out(recipe: Recipe, steps: int) -> list[int]:
    """Steps of each phase; together they are all."""
    if steps < 1:
        raise ConfigError(f"steps: got {steps}, need at least 1")
    declared = recipe.schedule.phases
    shares = list(itertools.accumulate(phase.share or 0.0 for phase in declared))
    edges = [0, *(round(share * steps) for share in shares)]
    own = [phase.steps or after - before for phase, before, after in zip(declared, edges, edges[1:], strict=False)]
    rest = steps - sum(own)
    takes = [number for number, phase in enumerate(declared) if phase.share is None and phase.steps is None]
    if takes and rest >= 0:
        own[takes[0]] = rest
    elif rest:
        raise ConfigError(
            f"schedule.phases: got {sum(own):,} steps together, need {'at most' if takes else 'all'} {steps:,} of the "
            "run; try a phase without share and steps, which takes the rest",
            field="schedule.phases",
        )
    return own


def _pieces(
    recipe: Recipe, number: int, phase: DeclaredPhase, pattern: OperandFormat
) -> list[tuple[OperandFormat, Recipe]]:
    """What a phase trains with, piece by piece, and the recipe in each."""
    place = f"schedule.phases.{number}"
    ratios = _ratios(phase, pattern) if recipe.prunes else [DENSE]
    shares = phase.rewritten_shares
    plain = recipe.model_copy(update={"schedule": _PLAIN})
    values = {path: _values(plain, f"{place}.set", path, value) for path, value in phase.set_.items()}
    count = max(map(len, (ratios, shares, *values.values())))
    pieces = []
    for piece in range(count):
        changed = _with_fields(plain, place, {path: own[piece * len(own) // count] for path, own in values.items()})
        rewrites = holding(changed.rewrites, shares[piece * len(shares) // count])
        pieces.append((ratios[piece * len(ratios) // count], changed.model_copy(update={"rewrites": rewrites})))
    return pieces


def _rewrites_change(recipe: Recipe) -> bool:
    """Whether rewrites hold in some phases otherwise than in others, or are others."""
    paths = (path for phase in recipe.schedule.phases for path in phase.set_)
    return recipe.changes_widths or any(path.partition(".")[0] == "rewrites" for path in paths)


def _rewritten(recipe: Recipe) -> str:
    """What the network is in a phase, of a recipe whose rewrites do not hold in all of them."""
    titles = " and ".join(each.title for each in recipe.rewrites)
    return f"the network is rewritten, {titles}" if titles else "the network is as it was"


def _ratios(phase: DeclaredPhase, pattern: OperandFormat) -> Sequence[OperandFormat]:
    """One after another, equally long; N:M is at its full ratio at once where a share of zeros would change."""
    if phase.zeros_percent is not None:
        if not isinstance(pattern, Unstructured):
            return [pattern]
        values = phase.zeros_percent.over(0.0, pattern.zeros_percent)
        return [_with_zeros(pattern, each) for each in values]
    match phase.sparsity:
        case "full":
            return [pattern]
        case "dense":
            return [DENSE]
        case str(text):
            return [parse_format(text)]
        case several:
            return [parse_format(text) for text in several]


def _values(recipe: Recipe, place: str, path: str, value: Any) -> Sequence[Any]:
    """A field's values in turn, whole where the field's own is."""
    if not isinstance(value, Course):
        return [value]
    own = _field(recipe.model_dump(mode="json"), place, path)
    if isinstance(own, bool) or not isinstance(own, int | float):
        raise ConfigError(f"{place}.{path}: got a course, need a number that changes; it is {own!r}", field=place)
    values = value.over(float(own), float(own))
    return [round(each) for each in values] if isinstance(own, int) else values


def _field(plain: Any, place: str, path: str) -> Any:
    for step in path.split("."):
        try:
            plain = plain[int(step)] if isinstance(plain, list) else plain[step]
        except (LookupError, TypeError, ValueError):
            raise ConfigError(f"{place}: got {path!r}, need the path of a field of the recipe", field=place) from None
    return plain


def _with_fields(recipe: Recipe, place: str, values: dict[str, Any]) -> Recipe:
    """The recipe with other values of some fields, held to what its file is held to."""
    if not values:
        return recipe
    plain = recipe.model_dump(mode="json", by_alias=True)
    for path, value in values.items():
        _field(plain, place, path)
        way, _, last = path.rpartition(".")
        inner: Any = _field(plain, place, way) if way else plain
        inner[int(last) if isinstance(inner, list) else last] = value
    try:
        return Recipe.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        told = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{place}.set: got {values}: {told}: {first['msg']}", field=place) from None
