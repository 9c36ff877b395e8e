"""A recipe over a whole training run: phases of steps that each train, and cost, in one way.

Most recipes have one phase. Dense warm-up, the frames and leaks of progressive gradient flow (Bambhaniya et al., 2024)
and STEP's switch (Lu et al., ICML 2023) are phases of their own. Training asks in which phase a step lies; a simulation
of the whole run weights the step of each phase by its steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from ...configs.errors import ConfigError
from ...configs.formats import parse_format
from ...configs.operand_format import OperandFormat
from ...configs.pattern import LARGEST_GROUP, Pattern
from ...configs.unstructured import Unstructured
from .declaration import Recipe
from .schedule import VarianceSwitch

PhaseKind = Literal["dense", "leak", "frame", "sparse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Consecutive steps of a training run.

    Attributes:
        kind: ``dense``: nothing is pruned. ``leak``: pruned weights count, with a factor. ``frame``: hard masks at a
            ratio on the way to the full one. ``sparse``: hard masks at the full ratio.
        first_step: counted from 0.
        steps: at least 1.
        frames_left: of a frame, or of a leak whose ratio tightens, how many follow it: 0 for the last, which has the
            full ratio.
        stretch: of a schedule of phases or repetitions, the number of its stretch in ``run_plan.stretches``: ratios and
            fields of the recipe are those of that stretch. None where the recipe's own ramps say what holds.
        name: that the schedule gives it, or empty.
        freeze: parameters that do not learn, as of ``--freeze``.
        batch: samples of a step; the run's when None.
        accumulate: micro-batches that a step is cut into.
        task: of several that are trained one after another; None where there is one.
        pass_: whole steps, or forward passes alone: then nothing is updated.
    """

    kind: PhaseKind
    first_step: int
    steps: int
    frames_left: int = 0
    stretch: int | None = None
    name: str = ""
    freeze: str = ""
    batch: int | None = None
    accumulate: int = 1
    task: int | None = None
    pass_: Literal["training", "inference"] = "training"

    @property
    def end_step(self) -> int:
        """The first step after it."""
        return self.first_step + self.steps


def phases(recipe: Recipe, pattern: OperandFormat, steps: int, *, switch_step: int | None = None) -> tuple[Phase, ...]:
    """The phases of a training run, in order; together they are all its steps.

    Args:
        recipe: the method.
        pattern: its full ratio.
        steps: of the run.
        switch_step: when a recipe that waits for the variance to settle did switch; at the latest when None.

    Raises:
        ConfigError: there are no steps, or the switch lies outside them.
    """
    if steps < 1:
        raise ConfigError(f"steps: got {steps}, need at least 1")
    schedule = recipe.schedule
    if schedule.switch is not None:
        at = latest_switch(schedule.switch, steps) if switch_step is None else switch_step
        if not 0 <= at <= steps:
            raise ConfigError(f"switch_step: got {at}, need a step between 0 and {steps}")
        return _joined([("dense", at, 0), ("sparse", steps - at, 0)])
    if not recipe.prunes:
        return _joined([("dense", steps, 0)])
    dense_share, final_share = _shares_of_steps(recipe, pattern)
    dense = round(dense_share * steps)
    final = min(round(final_share * steps), steps - dense)
    between = steps - dense - final
    middle: list[tuple[PhaseKind, int, int]]
    if schedule.leak is not None:
        middle = [("leak", between, 0)]
    elif schedule.frames is not None or (schedule.ramp is not None and isinstance(pattern, Unstructured)):
        count = len(frame_patterns(recipe, pattern))
        edges = [between * number // count for number in range(count + 1)]
        kind: PhaseKind = "leak" if recipe.pruned_weights.count else "frame"
        middle = [(kind, edges[i + 1] - edges[i], count - 1 - i) for i in range(count)]
    else:
        middle = [("leak" if recipe.pruned_weights.count else "sparse", between, 0)]
    return _joined([("dense", dense, 0), *middle, ("sparse", final, 0)])


def _shares_of_steps(recipe: Recipe, pattern: OperandFormat) -> tuple[float, float]:
    """Of all steps, those trained dense first and those at the full ratio last.

    Shares c of the compute are shares c / d of the steps, over the sum of all such, d being the density of what is
    pruned: 1 first, the mean of the frames' between, that of the full ratio last.

    >>> from .declaration import load_recipe
    >>> halves = load_recipe("journey-matters").model
    >>> [round(each, 3) for each in _shares_of_steps(halves, parse_format("50%"))]
    [0.158, 0.316]
    """
    schedule = recipe.schedule
    if schedule.shares_of == "steps":
        return schedule.dense_share, schedule.final_share
    frames = frame_patterns(recipe, pattern)
    between = sum(each.density for each in frames) / len(frames)
    spent = schedule.dense_share, 1 - schedule.dense_share - schedule.final_share, schedule.final_share
    taken = [share / density for share, density in zip(spent, (1.0, between, pattern.density), strict=True)]
    return taken[0] / sum(taken), taken[2] / sum(taken)


def latest_switch(rule: VarianceSwitch, steps: int) -> int:
    """The update after which STEP switches at the latest; there is no variance to freeze before the first."""
    return max(1, round(rule.latest_share * steps))


def _joined(parts: list[tuple[PhaseKind, int, int]]) -> tuple[Phase, ...]:
    """Phases of these kinds and steps one after the other; those without a step are left out, equal ones are one."""
    found: list[Phase] = []
    at = 0
    for kind, steps, frames_left in parts:
        if steps and found and (found[-1].kind, kind) == ("sparse", "sparse"):
            found[-1] = Phase(kind="sparse", first_step=found[-1].first_step, steps=found[-1].steps + steps)
        elif steps:
            found.append(Phase(kind=kind, first_step=at, steps=steps, frames_left=frames_left))
        at += steps
    return tuple(found)


def frame_patterns(recipe: Recipe, pattern: OperandFormat) -> tuple[OperandFormat, ...]:
    """The ratios that a recipe's frames pass through, the full one last; only that one when it has no frames.

    Stepwise keeps M - 1, then M/2, M/4, ... of every M; geometric keeps the ratio and shrinks the group from 8M,
    leaving out groups above ``configs.pattern.LARGEST_GROUP``. A share of zeros grows along the recipe's ramp.

    >>> from .declaration import load_recipe
    >>> [str(each) for each in frame_patterns(load_recipe("sdgf-stepwise").model, Pattern(2, 8))]
    ['7:8', '4:8', '2:8']
    >>> [str(each) for each in frame_patterns(load_recipe("sdgf-geometric").model, Pattern(2, 4))]
    ['16:32', '8:16', '4:8', '2:4']
    """
    ramp = recipe.schedule.ramp
    if ramp is not None and isinstance(pattern, Unstructured):
        shares = (ramp.zeros_percent(pattern.zeros_percent, update) for update in range(1, ramp.updates + 1))
        return tuple(replace(pattern, zeros_percent=round(share, 4)) for share in shares)
    if pattern.is_dense or recipe.schedule.frames is None or not isinstance(pattern, Pattern):
        return (pattern,)
    kept, group = pattern.kept, pattern.group
    if recipe.schedule.frames == "geometric":
        sizes = [size for size in (8, 4, 2, 1) if size * group <= LARGEST_GROUP]
        return tuple(Pattern(size * kept, size * group) for size in sizes)
    halves = [group >> shift for shift in range(1, group.bit_length()) if group >> shift > kept]
    return tuple(Pattern(each, group) for each in dict.fromkeys((group - 1, *halves, kept)))


def pattern_in(recipe: Recipe, pattern: OperandFormat, phase: Phase) -> OperandFormat:
    """The ratio in force for a layer whose full ratio is ``pattern``: of a frame or leak its own, else the full one.

    A layer with a ratio of its own may have fewer frames than the run: it starts with its first when the run's frames
    are as many as its own.
    """
    if phase.kind not in ("frame", "leak"):
        return pattern
    own = frame_patterns(recipe, pattern)
    return own[max(len(own) - 1 - phase.frames_left, 0)]


def leak_at(recipe: Recipe, phase: Phase, step: int) -> float:
    """The factor with which pruned weights count at a step: 1 in a dense phase, 0 under a hard mask."""
    if phase.kind == "dense":
        return 1.0
    if phase.kind != "leak":
        return 0.0
    if recipe.pruned_weights.count:
        return 1.0
    passed = (step - phase.first_step) / phase.steps
    if recipe.schedule.leak == "exponential":
        return math.exp(-recipe.schedule.leak_folds * passed)
    return 1.0 - passed


def recipe_in(recipe: Recipe, pattern: OperandFormat, phase: Phase) -> tuple[Recipe, OperandFormat] | None:
    """What a step of a phase costs as: a recipe without a schedule at a ratio; None where it costs as dense training.

    A leak saves nothing: every product still multiplies by every weight.
    """
    if phase.kind in ("dense", "leak"):
        return None
    layers = tuple(
        rule.model_copy(update={"sparsity": str(pattern_in(recipe, parse_format(rule.sparsity), phase))})
        for rule in recipe.layers
    )
    plain = recipe.model_copy(update={"layers": layers, "schedule": type(recipe.schedule)()})
    return plain, pattern_in(recipe, pattern, phase)
