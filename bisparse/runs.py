"""What the command line and the Python face share: a simulator of what was asked for, and all that is run of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .accel.specification import Hardware, load_hardware
from .asked_recipes import AskedRecipe
from .configs.errors import ConfigError
from .configs.formats import parse_format
from .configs.operand_format import OperandFormat
from .configs.schema import Loaded
from .defaults import OWN_RECIPE, SPARSITY
from .sim.options import Options
from .sim.results.simulation_result import SimulationResult
from .sim.simulation import Simulator, Workload
from .sim.training_run import with_training
from .training.densities import load_densities
from .training.own_weights import load_weights
from .training.recipes.declaration import Recipe
from .training.uncounted import refuse_uncounted
from .version import __version__
from .workload import load_workload

Design = str | Path | Mapping[str, Any] | Loaded[Hardware]
"""A shipped design's name, a file's path, or what a file would say."""


def make_simulator(
    workload: Workload | str | Path,
    hardware: Design,
    options: Mapping[str, Any],
    *,
    strict: bool = False,
    named: object = None,
) -> Simulator:
    """What simulates recipes on a workload and a design.

    Args:
        workload: loaded, or its name or path.
        hardware: a shipped design's name, a YAML file, or what such a file would say, as a mapping.
        options: fields of ``sim.options.Options``; ``densities`` may be the directory of a training run, ``weights``
            a file.
        strict: refuse a workload with operators that may multiply and are not counted.
        named: what a loaded workload was called, for messages.

    Raises:
        ConfigError: one of them is wrong.
        CaptureError: ``strict`` refuses the workload.
    """
    loaded = workload if isinstance(workload, Workload) else load_workload(workload)
    if strict:
        refuse_uncounted(loaded.graph)
    given = options_said(options)
    try:
        return Simulator(workload=loaded, hardware=design_of(hardware), options=given, version=__version__)
    except ConfigError as error:
        told = workload if named is None else named
        if isinstance(told, str | Path) and str(error).startswith("workload: "):
            # A graph knows its name, and not the file that it came from.
            raise ConfigError(f"{told}: {error}") from None
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One of several runs that are set side by side.

    Attributes:
        simulator: of the workload on a design, with the batch among its options.
        recipe: the method.
        pattern: its ratio.
    """

    simulator: Simulator
    recipe: Loaded[Recipe]
    pattern: OperandFormat

    @classmethod
    def of(cls, simulator: Simulator, recipe: Loaded[Recipe], pattern: OperandFormat | None) -> Column:
        """A run at a ratio, or where a checkpoint says what is zero at what that is.

        Raises:
            ConfigError: a ratio and a checkpoint both say it, or the recipe finds masks of its own, or has ratios.
        """
        own = simulator.own_weights(recipe.model)
        if own is None:
            if simulator.options.weights is not None:
                does = "finds its own masks" if recipe.model.prunes else "prunes nothing"
                raise ConfigError(
                    f"weights: got {simulator.options.weights.name} with {recipe.model.name}, which {does}, need a "
                    f"recipe whose masks are given; try {OWN_RECIPE}"
                )
            return cls(
                simulator=simulator, recipe=recipe, pattern=parse_format(SPARSITY) if pattern is None else pattern
            )
        if pattern is not None:
            raise ConfigError(
                f"sparsity: got {pattern} with {own.weights.name}, which says itself what is zero, need one of them"
            )
        if recipe.model.layers:
            raise ConfigError(
                f"layers: got ratios in {recipe.model.name} with {own.weights.name}, which says itself what is zero, "
                "need a recipe without"
            )
        if recipe.model.schedule != type(recipe.model.schedule)():
            raise ConfigError(
                f"schedule: got a change over time in {recipe.model.name} with {own.weights.name}, whose zeros stay, "
                f"need a recipe without; try {OWN_RECIPE}"
            )
        return cls(simulator=simulator, recipe=recipe, pattern=own.pattern)


def columns(
    workload: Workload | str | Path,
    designs: Sequence[Design],
    recipes: Sequence[AskedRecipe],
    batches: Sequence[int | None],
    options: Mapping[str, Any],
    *,
    strict: bool = False,
) -> Iterator[Column]:
    """Every combination, design by design; a recipe that prunes nothing once, whatever the ratios.

    So is one that prunes a checkpoint's own zeros; beside it others keep their ratios.

    Args:
        workload: as for ``make_simulator``, and so are ``options`` and ``strict``.
        designs: as for ``make_simulator``.
        recipes: methods, each with its ratios.
        batches: samples in the step; what the options or the workload say for None.
        options: but for the batch.
        strict: refuse a workload with operators that may multiply and are not counted.
    """
    loaded = workload if isinstance(workload, Workload) else load_workload(workload)
    options = opened(options)
    if options.get("weights") is not None and not any(is_given(each.recipe) for each in recipes):
        named = ", ".join(each.recipe.model.name for each in recipes)
        raise ConfigError(f"weights: got them with {named}, need a recipe whose masks are given; try {OWN_RECIPE}")
    for design in designs:
        for batch in batches:
            said = options if batch is None else {**options, "batch": batch}
            simulator = make_simulator(loaded, design, said, strict=strict, named=workload)
            for each in recipes:
                recipe, patterns = each.recipe, each.patterns
                if simulator.options.weights is not None and is_given(recipe):
                    yield Column.of(simulator, recipe, patterns[0] if each.own_ratio else None)
                    continue
                for pattern in patterns if recipe.model.prunes else patterns[:1]:
                    yield Column(simulator=simulator, recipe=recipe, pattern=pattern)


def run_column(
    column: Column,
    *,
    training_steps: int | None = None,
    with_range: bool = False,
    what_if: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> SimulationResult:
    """Simulate a step, and what else was asked for of it.

    Args:
        column: what is simulated.
        training_steps: as for ``simulate``, and so the others.
        with_range: the range of the answer.
        what_if: what would help.
        progress: told how far the range is.
    """
    simulator, recipe, pattern = column.simulator, column.recipe, column.pattern
    result = simulator.run(recipe, pattern)
    return beside_the_step(
        column, result, training_steps=training_steps, with_range=with_range, what_if=what_if, progress=progress
    )


def beside_the_step(
    column: Column,
    result: SimulationResult,
    *,
    training_steps: int | None,
    with_range: bool,
    what_if: bool,
    progress: Callable[[str, int, int], None] | None = None,
) -> SimulationResult:
    """A step's result with what else was asked for; arguments as for ``run_column``."""
    simulator, recipe, pattern = column.simulator, column.recipe, column.pattern
    result = with_training(simulator, result, recipe, pattern, training_steps)
    if what_if:
        from .sim.studies.what_if import with_what_ifs

        result = with_what_ifs(simulator, result, recipe, pattern)
    if with_range:
        from .sim.studies.sensitivity.run_sensitivity import with_range as found_range

        result = found_range(simulator, result, recipe, pattern, progress=progress)
    return result


def is_given(recipe: Loaded[Recipe]) -> bool:
    """Whether a recipe's masks are given: a checkpoint may bring them."""
    return recipe.model.mask_search.method == "given"


def options_said(given: Mapping[str, Any]) -> Options:
    """Options as keywords say them; densities may be the directory of a training run, weights a file."""
    return Options(**opened(given))


def opened(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options with what files hold in the place of their paths."""
    said = dict(given)
    for name, load in (("densities", load_densities), ("weights", load_weights)):
        if isinstance(said.get(name), str | Path):
            said[name] = load(said[name])
    return said


def design_of(given: Design) -> Loaded[Hardware]:
    """A design as Python may be given it, loaded; ``ConfigError`` when it is wrong."""
    if isinstance(given, Loaded):
        return given
    return load_hardware(given if isinstance(given, Mapping) else str(given))
