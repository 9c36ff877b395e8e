"""``bisparse codesign``: recipes and ratios trained on real data, their accuracy beside simulated time and energy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import __version__, defaults
from ..configs.file_names import shortened
from ..training.settings import TrainingSettings
from . import options
from .groups import DeclaredIn, grouped
from .pages import Output
from .runs_told import RunsTold
from .terminal import Progress
from .usage import between_commas

RECIPES = "dense,sr-ste,sdgp,sdwp,bdwp"
"""Those that the paper compares."""

Trained = Annotated[dict[str, Any], DeclaredIn(TrainingSettings, only=("model", "data"))]
Settings = Annotated[
    dict[str, Any], DeclaredIn(TrainingSettings, without=("model", "data", "recipe", "sparsity", "seed"))
]
Recipes = Annotated[
    str,
    typer.Option(
        "--recipes", metavar="NAME|FILE,...", help="Shipped recipes or YAML files; dense is trained in any case."
    ),
]
Sparsities = Annotated[
    str, typer.Option("--sparsity", metavar="N:M,...", help="Ratios that every recipe is trained and simulated at.")
]
Seeds = Annotated[
    int,
    options.whole(
        "--seeds",
        metavar="K",
        example=3,
        help="Runs of each point, paired with dense runs of the same seed; one gives no interval.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The study's directory: codesign.html, .json, .csv, .md and runs. A study that was interrupted goes on. "
        "[runs/codesign-MODEL-DATA]",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What is set side by side."""

    recipes: Recipes = RECIPES
    sparsity: Sparsities = defaults.SPARSITY
    seeds: Seeds = 3


@grouped
def codesign(
    trained: Trained,
    points: Points,
    on: options.Design,
    *,
    settings: Settings,
    jobs: options.RunsAtATime = None,
    device: options.Device = "cpu",
    out: Out = None,
    output: Output,
) -> None:
    """Train recipes at several ratios and set accuracy beside simulated time and energy. Needs the extra train.

    Runs that are finished are not trained again: a study can be added to, ratio by ratio.

    Example: bisparse codesign --model mlp --data digits --recipes dense,sr-ste,bdwp --sparsity 2:4,2:8
    """
    from ..configs.needs import check_torch
    from ..sim.studies.codesign.plan import plan
    from ..sim.studies.codesign.run_codesign import run_study

    check_torch()
    design = on.load()
    model, data = trained["model"], trained["data"]
    recipes = between_commas("--recipes", points.recipes, example="dense,bdwp")
    ratios = between_commas("--sparsity", points.sparsity, example="2:4,2:8")
    planned = plan(model, data, recipes, ratios, seeds=points.seeds, hardware=design, **settings)
    directory = out or _default_directory(model, data)
    output.hold(directory)
    with Progress() as progress:
        told = RunsTold(progress, f"training {model} on {data}")
        study = run_study(
            planned,
            directory,
            design,
            version=__version__,
            jobs=jobs,
            device=device,
            done=told.run,
            steps_done=told.steps,
            given=[name for name in settings if output.is_given(name)],
        )

    def write(directory: Path, command: str) -> Path:
        from ..reports.codesign.directory import CODESIGN

        return CODESIGN.write(study, directory, command=command, keep_command=True)

    def show() -> None:
        from ..reports import codesign_text

        print(codesign_text(study))

    output.deliver(directory, write=write, document=study.document, show=show)


def _default_directory(model: str, data: str) -> Path:
    return Path("runs") / shortened(f"codesign-{model.rpartition(':')[2]}-{Path(data).stem}")
