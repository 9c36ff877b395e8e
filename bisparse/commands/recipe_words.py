"""A recipe in words, for ``bisparse recipes show``: what is pruned where and when, and what is known of the method."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..training.recipes.courses import DeclaredPhase, Repeats
    from ..training.recipes.declaration import Recipe
    from ..training.recipes.extra_work import ExtraWork
    from ..training.recipes.mask_search import Moves
    from ..training.recipes.pruned_stage import PrunedStage
    from ..training.recipes.schedule import RecipeSchedule

_PRUNED_WEIGHTS = {
    "learning": "learn on behind the mask",
    "frozen": "are zero",
    "soft": "count with a factor that the loss is differentiated through, until the mask is hard",
    "shrinking": "count and shrink, until the mask is hard",
}

DEFINITIONS = {"published": "as published", "assumed": "our reading: what nobody published is assumed"}


def recipe_words(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What a recipe is and does, a label and a sentence at a time."""
    yield "kind", recipe.kind or "not said"
    yield "definition", DEFINITIONS[recipe.definition]
    yield "source", recipe.source
    if recipe.pass_ == "inference":
        yield "pass", "inference alone, of weights pruned before"
    for rewrite in recipe.rewrites:
        yield "layers", rewrite.title + ("" if recipe.changes_widths else ", before anything is pruned")
    yield "FF", _stage(recipe.forward, recipe)
    if recipe.pass_ == "training":
        yield "BP", _backward(recipe)
        yield "WU", _update(recipe)
    if recipe.prunes and recipe.pass_ == "training":
        if recipe.mask_search.moves is not None:
            yield "moves", _moves(recipe.mask_search.moves)
        if (rule := recipe.mask_search.refined) is not None:
            until = f"until its expected error is at most {rule.threshold:g}"
            yield "exchange", f"within each output, {until}; {rule.cycles} weights at most"
        weights = any(stage is not None and stage.operand == "weight" for stage in (recipe.forward, recipe.backward))
        if weights and (recipe.pruned_weights.state != "learning" or recipe.weight_gradient == "dense"):
            frozen = any(each.freezes for each in recipe.rewrites)
            yield "pruned weights", "stay as they were" if frozen else _PRUNED_WEIGHTS[recipe.pruned_weights.state]
    if recipe.prunes:
        yield "stays dense", _dense(recipe)
    if recipe.layer_density != "uniform":
        yield "by layer", f"a share of zeros is shared out as {recipe.layer_density.upper()} does"
    if (recipe.prunes or recipe.schedule.phases) and recipe.pass_ == "training":
        yield from (("when", words) for words in _when(recipe.schedule, prunes=recipe.prunes))
    yield from (("work", _work(work)) for work in recipe.extra_work)
    yield "runs", runs(recipe)
    if recipe.usual is not None:
        yield "usual run", usual_command(recipe)
    yield from _figures(recipe)


def runs(recipe: Recipe) -> str:
    """Whether it trains, or why it is simulated alone."""
    why = recipe.simulated_only
    return f"simulated only: training does not know {why}" if why else "simulated and trained"


def usual_command(recipe: Recipe) -> str:
    """The command that simulates it as it is usually run."""
    assert recipe.usual is not None, "asked of a recipe that says it"
    passes = ["--pass", "inference"] if recipe.pass_ == "inference" else []
    return shlex.join(
        [
            "bisparse", "simulate", recipe.usual.workload, "--recipe", recipe.name, "--sparsity", recipe.usual.sparsity,
            *passes,
        ]
    )  # fmt: skip


def pruned_words(stage: PrunedStage | None) -> str:
    """What a stage prunes, in a word or two."""
    if stage is None:
        return "nothing"
    how = [word for word, holds in (("online", stage.online), ("permuted", stage.permuted)) if holds]
    return f"{stage.operand} ({', '.join(how)})" if how else stage.operand


def _backward(recipe: Recipe) -> str:
    if recipe.backward is None and recipe.forward is not None and recipe.backward_weight == "forward":
        return "nothing; it multiplies by the weights of FF, whose zeros save nothing there"
    return _stage(recipe.backward, recipe)


def _update(recipe: Recipe) -> str:
    kept = ", of kept weights alone" if recipe.weight_gradient == "kept" else ""
    if any(each.freezes for each in recipe.rewrites):
        return "weight gradients of what learns beside frozen weights"
    if recipe.weight_update is None:
        return f"weight gradients{kept or ', all of them'}"
    return f"{_stage(recipe.weight_update, recipe)}, along samples and positions{kept}"


_SELECTIONS = {
    "magnitude": "the N largest of every M",
    "random": "any N of every M",
    "unbiased": "N of every M, drawn by magnitude and scaled so that their mean is the gradient",
}


def _stage(stage: PrunedStage | None, recipe: Recipe) -> str:
    if stage is None:
        return "nothing"
    search = recipe.mask_search
    if stage.operand != "weight":
        rescaled = ", scaled back to their L1 norm" if stage.rescale else ""
        streams = "output gradients" if stage.operand == "gradient" else "inputs"
        return f"{streams}: {_SELECTIONS[stage.selection]}, anew in each step{rescaled}"
    order = ", in a permuted order of channels" if stage.permuted else ""
    order += ", of what FF keeps" if stage.within_forward else ""
    order += ", less by the largest that is pruned beside them" if stage.soft else ""
    match search.method:
        case "given":
            if search.graph is not None:
                return f"weights: units joined by a random graph ({search.graph.kind}){order}"
            found = "drawn" if "random" in (search.start, search.score) else f"of the largest by {search.score}"
            if any(each.kind == "learned-scores" for each in recipe.rewrites):
                found = "where scores that learn are highest"
            scope = ", one threshold for the network" if search.scope == "network" else ""
            return f"weights: a mask that is given, {found}{scope}{order}"
        case "transposable":
            return f"weights: one mask that is N:M both ways, anew every {search.every_steps} steps{order}"
        case "top-n":
            often = "in each step" if search.every_steps == 1 or stage.permuted else f"every {search.every_steps} steps"
            return f"weights: the N largest of every M along what it sums over, anew {often}{order}"


def _moves(moves: Moves) -> str:
    grown = "those of the largest gradient" if moves.grow == "gradient" else "any"
    return (
        f"every {moves.every_steps} steps until {moves.until_share:.4g} of the run: {moves.exchanged:.4g} of what "
        f"is kept at first, {grown} come back"
    )


def _dense(recipe: Recipe) -> str:
    rule = recipe.dense
    said = {
        "the first convolution": rule.first_convolution,
        "weights tied to an embedding": rule.tied_embedding,
        "convolutions of more than one position": rule.wide_kernels,
        "layers whose channels M does not divide": rule.indivisible,
    }
    but = [*rule.all_but, *([f"{rule.all_but_weights} weights"] if rule.all_but_weights else [])]
    alone = [f"all but {', '.join(but)}"] if but else []
    return ", ".join((*alone, *(name for name, holds in said.items() if holds), *rule.names)) or "nothing"


def _when(schedule: RecipeSchedule, *, prunes: bool) -> Iterator[str]:
    if schedule.phases:
        widths = any(phase.rewrites != "full" for phase in schedule.phases)
        yield from (_phase(phase, widths=widths, prunes=prunes) for phase in schedule.phases)
        return
    if schedule.repeats is not None:
        yield _repeats(schedule.repeats)
        return
    if schedule.switch is not None:
        earliest, latest = schedule.switch.earliest_share, schedule.switch.latest_share
        yield f"dense until Adam's variance settles, between {earliest:.0%} and {latest:.0%} of the steps; then pruned"
        return
    if schedule.dense_share:
        yield f"dense for the first {schedule.dense_share:.4g} of the steps"
    if schedule.leak is not None:
        yield f"pruned weights count with a factor that falls to 0 ({schedule.leak})"
    elif schedule.frames is not None:
        yield f"the ratio tightens frame by frame ({schedule.frames})"
    elif schedule.ramp is not None:
        ramp = schedule.ramp
        yield f"zeros grow from {ramp.initial_percent:g}% in {ramp.updates} updates ({ramp.shape})"
    if schedule.final_share:
        yield f"at the full ratio for the last {schedule.final_share:.4g} of the steps"
    elif not schedule.dense_share:
        yield "from the first step to the last, all alike"


def _phase(phase: DeclaredPhase, *, widths: bool, prunes: bool) -> str:
    if phase.share is not None:
        long = f"{phase.share:.4g} of the steps"
    else:
        long = "the rest" if phase.steps is None else f"{phase.steps} steps"
    ratio = {"full": "at the full ratio", "dense": "dense"}.get(str(phase.sparsity), f"at {phase.sparsity}")
    if phase.zeros_percent is not None:
        ratio = f"zeros change ({phase.zeros_percent.shape})"
    forwards = ", forward passes alone" if phase.pass_ == "inference" else ""
    if widths:
        shares = [f"{share:.4g}" for share in phase.rewritten_shares]
        some = f"rewritten by a share of {', '.join(shares)}"
        held = {"0": "as they were", "1": "rewritten"}.get(", ".join(shares), some)
        one = ", one of them drawn for each step" if phase.drawn else ""
        rule = "" if phase.groups_to_zero is None else f", groups driven to zero ({phase.groups_to_zero.rule})"
        return f"{phase.name}: {long}, layers {held}{one}{rule}{forwards}"
    courses = {
        path: f" ({value.shape})"
        for path, value in phase.set_.items()
        if not isinstance(value, bool | int | float | str | list)
    }
    sets = f", sets {', '.join(path + courses.get(path, '') for path in phase.set_)}" if phase.set_ else ""
    return f"{phase.name}: {long}{f', {ratio}' if prunes else ''}{sets}{forwards}"


def _repeats(repeats: Repeats) -> str:
    back = "rewound" if repeats.rewind == "weights" else "the learning rate alone rewound"
    each = "once" if repeats.retrainings == 1 else f"{repeats.retrainings} times and averaged"
    return (
        f"a dense training, then {repeats.cycles} cycles: pruned ({repeats.density.shape}), {back}, "
        f"and retrained {each} for {repeats.retrain_share:.4g} of a training's steps"
    )


def _work(work: ExtraWork) -> str:
    often = work.every_steps
    told = "once, when pruning begins" if often == "once" else "in each step" if often == 1 else f"every {often} steps"
    within = [
        f"from {work.from_share:.4g} of the run" if work.from_share else "",
        f"until {work.until_share:.4g} of the run" if work.until_share < 1 else "",
    ]
    return " ".join(filter(None, (f"{work.title},", told, *within)))


def _figures(recipe: Recipe) -> Iterator[tuple[str, str]]:
    from ..training.recipes.measured import measured_accuracies

    for figure in recipe.published:
        yield "published", f'"{figure.text}": {figure.what} ({figure.where})'
    for ours in measured_accuracies():
        if ours.recipe == recipe.name:
            points = f"{ours.difference_points:+.2f} ± {ours.half_width_points:.2f} points".replace("-", "−")
            on = f"{ours.model} on {ours.data}, {ours.steps} steps, {ours.seeds} seeds"
            yield "measured here", f"{ours.sparsity}: {points} of accuracy against dense, {ours.verdict} ({on})"
