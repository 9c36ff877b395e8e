"""``bisparse train``: one network under one recipe, on real data."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import __version__, defaults
from ..configs.errors import ConfigError
from ..configs.file_names import shortened
from ..training.settings import TrainingSettings
from . import options
from .groups import DeclaredIn, grouped
from .terminal import Progress, note, print_json
from .train_seeds import tell_seeds

if TYPE_CHECKING:
    from ..accel.specification import Hardware
    from ..configs.schema import Loaded
    from ..sim.training_run import TrainingRun
    from ..training.run_summary import EpochResult, RunSummary

Told = Annotated[
    dict[str, Any],
    DeclaredIn(TrainingSettings, defaults={"recipe": defaults.RECIPE, "sparsity": defaults.SPARSITY}),
]
HardwareOption = Annotated[
    str | None,
    typer.Option(
        "--hardware", metavar="NAME|FILE", help="Also simulate the whole run on this design: its time and energy."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The run's directory; a run that was interrupted goes on. [runs/MODEL-DATA-RECIPE-N-M-seedS]",
    ),
]
Threads = Annotated[
    int | None,
    options.whole(
        "--threads",
        metavar="T",
        example=2,
        at_most=1024,
        help="Of torch. The same number gives the same bits. [1 for a network by name; else torch's own]",
    ),
]
Seeds = Annotated[
    int,
    options.whole(
        "--seeds",
        metavar="K",
        example=5,
        help="So many runs, of the seeds from --seed on, and the interval of their mean; each in a folder of --out.",
    ),
]


@grouped
def train(
    told: Told,
    hardware: HardwareOption = None,
    set_fields: options.SetFields = None,
    seeds: Seeds = 1,
    jobs: options.RunsAtATime = None,
    threads: Threads = None,
    device: options.Device = "cpu",
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Train a network under a recipe. Interrupted, the same command goes on where it was. Needs the extra train.

    Example: bisparse train --model convnet --data mnist-5k --recipe bdwp --sparsity 2:8 --hardware sat-vcu1525
    """
    from ..configs.needs import check_torch

    check_torch()
    from ..training.settings import settings_for

    settings = settings_for(**told)
    _check_seeds(seeds, jobs, threads)
    directory = out or _default_directory(settings)
    # Before hours of training: a design that does not exist, or lacks the ratio.
    design = None if hardware is None else _design(hardware, set_fields, settings)
    if set_fields and design is None:
        raise ConfigError(f"--set: got {set_fields[0]} without --hardware, need the design that it changes")
    if seeds > 1:
        of_seeds = [replace(settings, seed=settings.seed + number) for number in range(seeds)]
        folders = [_of_seed(each, out) for each in of_seeds]
        tell_seeds(list(zip(of_seeds, folders, strict=True)), design, jobs=jobs, device=device, as_json=as_json)
        return
    # A user's factory may print; standard output is for the result.
    with redirect_stdout(sys.stderr):
        summary = _trained(settings, directory, threads, device)
    simulated = None if design is None else _simulated(summary, directory, design)
    if as_json:
        document = summary.document()
        print_json(document if simulated is None else document | {"simulated": simulated.document()})
        return
    for line in _told(summary, directory):
        print(line)
    if simulated is not None:
        from ..reports import training_run_text

        print(training_run_text(simulated))


def _check_seeds(seeds: int, jobs: int | None, threads: int | None) -> None:
    if seeds == 1 and jobs is not None:
        raise ConfigError(f"--jobs: got {jobs} for one run, need several; try --seeds 5")
    if seeds > 1 and threads is not None:
        raise ConfigError(f"--threads: got {threads} with --seeds, need none: each run has a thread; try --jobs")


def _of_seed(settings: TrainingSettings, out: Path | None) -> Path:
    return _default_directory(settings) if out is None else out / f"seed{settings.seed}"


def _default_directory(settings: TrainingSettings) -> Path:
    words = (settings.model, settings.data, settings.recipe, settings.sparsity, f"seed{settings.seed}")
    name = "-".join(word.rpartition("/")[2].rpartition(":")[2] if word != settings.sparsity else word for word in words)
    return Path("runs") / shortened(name.replace(":", "-"))


def _trained(settings: TrainingSettings, directory: Path, threads: int | None, device: str) -> RunSummary:
    import torch

    from ..training.loop import train as train_run

    if threads is not None or ":" not in settings.model:
        torch.set_num_threads(threads or 1)
    watched = sys.stderr.isatty()
    with Progress() as progress:
        return train_run(
            settings,
            directory,
            version=__version__,
            progress=progress,
            epoch_done=None if watched else _note_epoch,
            device=device,
            told=note,
        )


def _note_epoch(result: EpochResult) -> None:
    note(
        f"epoch {result.epoch}: loss {result.train_loss:.4f}, validation loss {result.validation_loss:.4f}, "
        f"accuracy {result.validation_accuracy:.2%}"
    )


def _design(hardware: str, changed: list[str] | None, settings: TrainingSettings) -> Loaded[Hardware]:
    from ..configs.formats import parse_format
    from ..sim.studies.codesign.plan import check_ratio
    from ..training.recipes.declaration import load_recipe

    design = options.load_design(hardware, changed)
    if load_recipe(settings.recipe).model.prunes:
        check_ratio(parse_format(settings.sparsity), design)
    return design


def _simulated(summary: RunSummary, directory: Path, design: Loaded[Hardware]) -> TrainingRun:
    from ..sim.trained import simulate_trained

    return simulate_trained(summary, directory, design, version=__version__)


def _told(summary: RunSummary, directory: Path) -> list[str]:
    from ..training.recipes.declaration import load_recipe

    settings = summary.settings
    pruned = f"{len(summary.patterns)} layers pruned" if summary.patterns else "no weight pruned"
    lines = [
        f"{settings.model} on {settings.data} under {summary.recipe_name} "
        f"{settings.sparsity if summary.patterns else ''}".rstrip()
        + f": {summary.steps} steps, {pruned}",
        f"test accuracy {summary.test_accuracy:.2%} (loss {summary.test_loss:.4f}); validation "
        f"{summary.validation_accuracy:.2%} (loss {summary.validation_loss:.4f})",
    ]
    rewrites = load_recipe(settings.recipe).model.rewrites
    if rewrites:
        lines.append(f"{' and '.join(each.title for each in rewrites)}: {summary.parameters:,} parameters at the end")
    if summary.switch_step is not None:
        lines.append(f"switched to {settings.sparsity} after step {summary.switch_step}")
    for cycle in summary.cycles:
        name = f"cycle {cycle.cycle}, {cycle.kept:.1%} of the weights" if cycle.cycle else "first training"
        alone = ", ".join(f"{each:.2%}" for each in cycle.retrainings)
        of = f", the mean of retrainings with {alone}" if alone else ""
        lines.append(f"{name}: validation {cycle.validation_accuracy:.2%}{of}")
    for task in summary.tasks:
        each = ", ".join(f"{accuracy:.2%}" for accuracy in task.validation_accuracies)
        lines.append(
            f"task {task.task}, {task.classes} classes: validation of all so far {each}; {task.taken:.1%} of the "
            "weights under masks taken"
        )
    if summary.left_over:
        most = max(summary.left_over.values())
        lines.append(f"groups driven to zero: at most {most:.2%} of the squared norm of any was left over at the end")
    for network in summary.sub_networks:
        lines.append(
            f"{network.title}: {network.parameters:,} parameters, test accuracy {network.test_accuracy:.2%} "
            f"(loss {network.test_loss:.4f})"
        )
    lines.append(f"run: {directory}")
    return lines
