"""``bisparse codesign``: recipes and ratios trained on real data, their accuracy beside simulated time and energy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import __version__, defaults
from . import options, training_options
from .pages import show_page, write_page
from .terminal import Progress, note, print_json
from .usage import whole_number

if TYPE_CHECKING:
    from ..reports.shared.report_kind import JsonReport
    from ..sim.studies.codesign.codesign import Codesign
    from ..sim.studies.codesign.run_codesign import RunDone
    from ..training.run_summary import RunSummary

RECIPES = "dense,sr-ste,sdgp,sdwp,bdwp"
"""Those that the paper compares."""

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
    typer.Option(
        "--seeds",
        metavar="K",
        parser=whole_number("--seeds", at_least=1, example=3),
        help="Runs of each point, paired with dense runs of the same seed; one gives no interval.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="J",
        parser=whole_number("--jobs", at_least=1, example=2),
        help="Runs at a time, a thread each. [as many as cores]",
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


def codesign(
    context: typer.Context,
    model: training_options.Model,
    data: training_options.Data,
    recipes: Recipes = RECIPES,
    sparsity: Sparsities = defaults.SPARSITY,
    seeds: Seeds = 3,
    hardware: options.HardwareOption = None,
    epochs: training_options.Epochs = None,
    batch: training_options.Batch = None,
    optimizer: training_options.Optimizer = None,
    learning_rate: training_options.LearningRate = None,
    weight_decay: training_options.WeightDecay = None,
    warmup_epochs: training_options.WarmupEpochs = None,
    precision: training_options.PrecisionOption = "fp32",
    shift: training_options.Shift = 0,
    flip: training_options.Flip = False,
    context_length: training_options.Context = None,
    resize: training_options.Resize = None,
    jobs: Jobs = None,
    out: Out = None,
    as_json: options.Json = False,
    open_report: options.Open = False,
) -> None:
    """Train recipes at several ratios and set accuracy beside simulated time and energy. Needs bisparse[train].

    Runs that are finished are not trained again: a study can be added to, ratio by ratio.

    Example: bisparse codesign --model mlp --data digits --recipes dense,sr-ste,bdwp --sparsity 2:4,2:8
    """
    from ..accel.specification import load_hardware
    from ..configs.needs import check_torch
    from ..sim.studies.codesign.plan import plan
    from ..sim.studies.codesign.run_codesign import run_study

    check_torch()
    design = load_hardware(hardware or defaults.HARDWARE)
    asked = {
        "epochs": epochs,
        "batch": batch,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "warmup_epochs": warmup_epochs,
        "precision": precision,
        "shift": shift,
        "flip": flip,
        "context": context_length,
        "resize": resize,
    }
    directory = out or _default_directory(model, data)
    planned = plan(model, data, _listed(recipes), _listed(sparsity), seeds=seeds, hardware=design, **asked)
    with Progress() as progress:
        progress(f"training {model} on {data}", 0, sum(len(point.runs) for point in planned))
        study = run_study(
            planned,
            directory,
            design,
            version=__version__,
            jobs=jobs,
            done=_told_by(progress),
            given=[name for name in asked if _is_given(context, name)],
        )

    def kind() -> JsonReport[Codesign]:
        from ..reports.codesign.directory import CODESIGN

        return CODESIGN

    page = write_page(kind, study, context, directory, open_page=open_report)
    if as_json:
        print_json(study.document())
    else:
        from ..reports import codesign_text

        print(codesign_text(study))
    if page is not None:
        show_page(page, open_page=open_report, as_json=as_json)


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _default_directory(model: str, data: str) -> Path:
    return Path("runs") / f"codesign-{model.rpartition(':')[2]}-{Path(data).stem}"


def _told_by(progress: Progress) -> RunDone:
    """A bar where somebody watches; else a line as each run ends."""
    watched = sys.stderr.isatty()

    def done(summary: RunSummary, finished: int, of: int) -> None:
        settings = summary.settings
        name = f"{summary.recipe_name} {settings.sparsity}" if summary.patterns else summary.recipe_name
        said = f"{name}, seed {settings.seed}: test accuracy {summary.test_accuracy:.2%}"
        if watched:
            progress(said, finished, of)
        else:
            note(f"{finished} of {of}: {said}")

    return done
