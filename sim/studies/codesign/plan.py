"""What a co-design study trains: a dense run for every seed, and as many of each recipe at each ratio.

A recipe with a switch (STEP) is defined for Adam alone. Where the study trains with another optimizer, the runs of such
a recipe take Adam at ``ADAM_LEARNING_RATE``, all other settings alike, and are paired with dense runs that do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....accel.specification import Hardware
from ....configs.errors import ConfigError, MappingError
from ....configs.file_names import file_name
from ....configs.formats import parse_format
from ....configs.operand_format import OperandFormat
from ....configs.pattern import DENSE, Pattern
from ....configs.schema import Loaded
from ....training.recipes.declaration import Recipe, load_recipe
from ....training.settings import TrainingSettings, settings_for

BASELINE = "dense"
"""The recipe that every study trains."""

ADAM_LEARNING_RATE = 1e-3
"""Of runs that need Adam in a study of another optimizer: torch's own default, not searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPoint:
    """One recipe at one ratio, to be trained.

    Attributes:
        recipe: the method.
        pattern: its ratio, N:M or a share of zeros; 1:1 of dense, and of a recipe that rewrites layers and prunes none.
        baseline: whether others are paired with it.
        runs: settings of each run, a seed each.
        folders: of the runs, in the study's ``runs``.
    """

    recipe: Loaded[Recipe]
    pattern: OperandFormat
    baseline: bool
    runs: tuple[TrainingSettings, ...]
    folders: tuple[str, ...]


def plan(
    model: str,
    data: str,
    recipes: Sequence[str],
    sparsities: Sequence[str | OperandFormat],
    *,
    seeds: int,
    hardware: Loaded[Hardware],
    **given: Any,
) -> tuple[PlannedPoint, ...]:
    """The points of a study, baselines first.

    Args:
        model: a name, or ``package.module:factory``.
        data: a name, or a path.
        recipes: names or YAML files; dense is added when it is not among them.
        sparsities: the ratios.
        seeds: runs of each point; their seeds count from 0.
        hardware: the design, which must have every ratio.
        **given: other fields of ``TrainingSettings``; None where the model's own default holds.

    Raises:
        ConfigError: no such model, data or recipe, two recipes of one name, or a setting is wrong.
        MappingError: the design lacks a ratio.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise ConfigError(f"seeds: got {seeds!r}, need at least 1; try 3")
    given = {name: value for name, value in given.items() if name != "seed"}
    loaded = _recipes(recipes)
    patterns = _patterns(sparsities, hardware) if any(each.model.prunes for each in loaded.values()) else ()
    usual = settings_for(model, data, BASELINE, str(DENSE), **given)
    adam = given | {"optimizer": "adam", "learning_rate": ADAM_LEARNING_RATE}
    dense = load_recipe(BASELINE)
    points = [_point(BASELINE, dense, DENSE, seeds, model, data, given)]
    sparse = []
    for name, recipe in loaded.items():
        switched = recipe.model.schedule.switch is not None and usual.optimizer != "adam"
        if switched and len(points) == 1:
            points.append(_point(BASELINE, dense, DENSE, seeds, model, data, adam, beside="-adam"))
        if recipe.model.prunes:
            for pattern in patterns:
                if recipe.model.mask_search.method != "given":
                    Pattern.only(pattern)
                sparse.append(_point(name, recipe, pattern, seeds, model, data, adam if switched else given))
        elif not recipe.model.is_baseline:
            sparse.append(_point(name, recipe, DENSE, seeds, model, data, given))
    return (*points, *sparse)


def _recipes(names: Sequence[str]) -> dict[str, Loaded[Recipe]]:
    """The recipes by what the user calls them; dense is trained in any case."""
    found: dict[str, Loaded[Recipe]] = {}
    called: dict[str, str] = {}
    for name in dict.fromkeys(names):
        recipe = load_recipe(name)
        recipe.model.check_trains()
        if not recipe.model.is_baseline and called.setdefault(recipe.model.name, name) != name:
            raise ConfigError(f"recipes: got {called[recipe.model.name]} and {name}, both named {recipe.model.name}, "
                              "need a name each; try another name in one of the files")  # fmt: skip
        if recipe.model.is_baseline and recipe.sha256 != load_recipe(BASELINE).sha256:
            raise ConfigError(
                f"recipes: got {name}, which prunes nothing, need dense or a recipe that prunes or rewrites"
            )
        found[name] = recipe
    return found


def _patterns(sparsities: Sequence[str | OperandFormat], hardware: Loaded[Hardware]) -> tuple[OperandFormat, ...]:
    patterns = dict.fromkeys(each if isinstance(each, OperandFormat) else parse_format(each) for each in sparsities)
    if not patterns:
        raise ConfigError("sparsity: got none, need at least one ratio; try 2:8")
    for pattern in patterns:
        if pattern.is_dense:
            raise ConfigError(f"sparsity: got {pattern}, which is dense, need a ratio that prunes; try 2:8")
        check_ratio(pattern, hardware)
    return tuple(patterns)


def check_ratio(pattern: OperandFormat, hardware: Loaded[Hardware]) -> None:
    """Refuse a ratio that the design lacks, before anything is trained: the time of such a run cannot be simulated.

    Raises:
        MappingError: it does.
    """
    if not hardware.model.tensor_engine.takes(pattern):
        offered = ", ".join(hardware.model.tensor_engine.patterns) or "dense only"
        raise hardware.placed(
            MappingError(
                f"sparsity: got {pattern}, need one that {hardware.model.name} has: {offered}",
                field="tensor_engine.patterns",
            )
        )


def _point(
    name: str,
    recipe: Loaded[Recipe],
    pattern: OperandFormat,
    seeds: int,
    model: str,
    data: str,
    given: dict[str, Any],
    *,
    beside: str = "",
) -> PlannedPoint:
    baseline = recipe.model.is_baseline
    ratio = "" if pattern.is_dense else f"-{pattern}".replace(":", "-")
    label = f"{BASELINE}{beside}" if baseline else f"{recipe.model.name}{ratio}"
    first = settings_for(model, data, name, str(pattern), **given)
    return PlannedPoint(
        recipe=recipe,
        pattern=pattern,
        baseline=baseline,
        runs=tuple(TrainingSettings.from_document(first.document() | {"seed": seed}) for seed in range(seeds)),
        folders=tuple(file_name(f"{label}-seed{seed}") for seed in range(seeds)),
    )
