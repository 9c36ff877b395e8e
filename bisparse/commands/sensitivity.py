"""``bisparse sensitivity``: which assumptions an answer is most sensitive to, and within what all of them leave it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from .. import defaults
from ..configs.errors import ConfigError
from . import options
from .groups import grouped
from .pages import Output
from .terminal import Progress

if TYPE_CHECKING:
    from ..sim.results.simulation_result import SimulationResult

Draws = Annotated[
    int | None,
    options.whole("--draws", metavar="N", example=72, at_least=2, help="Designs drawn within all ranges at once. [72]"),
]
Seed = Annotated[int | None, options.whole("--seed", metavar="N", example=1, at_least=0, help="Of the draws. [0]")]


@grouped
def sensitivity(
    workload: options.Workload,
    design: options.Design,
    recipe: options.RecipeOption = defaults.RECIPE,
    sparsity: options.Sparsity = None,
    *,
    step: options.Step,
    draws: Draws = None,
    seed: Seed = None,
    out: options.Out = None,
    output: Output,
) -> None:
    """Find the assumptions that speedup and energy ratio are most sensitive to.

    Each value with a range in the files alone at either end, and all of them drawn at once, as a Latin hypercube: the
    dense step beside it on the same design at the same prices. What --range of simulate adds to an answer, on its own.

    Example: bisparse sensitivity resnet18-tinyimagenet --sparsity 2:8 --draws 144 --out runs/sensitivity
    """
    from ..configs.formats import parse_format
    from ..runs import Column, make_simulator
    from ..sim.studies.sensitivity.run_sensitivity import DRAWS, SEED, with_range
    from ..training.recipes.declaration import load_recipe

    loaded = load_recipe(recipe)
    if loaded.model.is_baseline:
        got = f"got {loaded.model.name}, which prunes nothing: its answer is 1.00x everywhere"
        raise ConfigError(f"--recipe: {got}, need a recipe that prunes; try --recipe bdwp")
    output.hold(out)
    with Progress() as progress:
        progress(f"simulating {workload}", 0, 1)
        simulator = make_simulator(workload, design.load(), step)
        column = Column.of(simulator, loaded, parse_format(sparsity) if sparsity else None)
        result = with_range(
            simulator,
            simulator.run(loaded, column.pattern),
            loaded,
            column.pattern,
            progress=progress,
            draws=DRAWS if draws is None else draws,
            seed=SEED if seed is None else seed,
        )

    def write(directory: Path, command: str) -> Path:
        from ..reports.run.directory import RUN

        return RUN.write([result], directory, command=command, keep_command=True)

    def show() -> None:
        from ..reports import sensitivity_text

        print(sensitivity_text(result))

    output.deliver(out, write=write, document=lambda: _document(result), show=show)


_TOLD = ("inputs", "batch", "sparsity", "engine", "speedup_vs_dense", "energy_ratio_vs_dense", "energy_joules", "range")
"""What the document has of the result's own."""


def _document(result: SimulationResult) -> dict[str, Any]:
    from ..sim.results.answer_range import MATTERS

    found, whole = result.range, result.document()
    assert found is not None, "the recipe prunes"
    moved = {
        "speedup": found.matter("speedups", result.speedup_vs_dense),
        "energy_ratio": found.matter("energy_ratios", result.energy_ratio_vs_dense),
    }
    matter = {name: [each.parameter for each in swings] for name, swings in moved.items()}
    either = {name for names in matter.values() for name in names}
    told = {name: whole[name] for name in ("schema_version", *_TOLD)}
    return told | {"matter": {"share": MATTERS, **matter, "neither": len(found.swings) - len(either)}}
