"""``bisparse train --seeds``: the same run of several seeds, side by side, and what they say of its accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..training.settings import TrainingSettings
from .runs_told import RunsTold
from .terminal import Progress, print_json

if TYPE_CHECKING:
    from ..accel.specification import Hardware
    from ..configs.schema import Loaded


def tell_seeds(
    runs: Sequence[tuple[TrainingSettings, Path]],
    design: Loaded[Hardware] | None,
    *,
    jobs: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Train what is not finished and print what came out.

    Args:
        runs: settings and directory of each, which differ in the seed alone.
        design: on which the first of them is simulated.
        jobs: runs at a time; as many as cores when None, or 1 on a GPU.
        device: of torch.
        as_json: one document in the place of lines.
    """
    from ..sim.studies.statistics import LEVEL, estimate
    from ..training.loop.study import train_all

    first = runs[0][0]
    with Progress() as progress:
        told = RunsTold(progress, f"training {first.model} on {first.data}")
        summaries = train_all(runs, version=__version__, jobs=jobs, device=device, done=told.run, steps_done=told.steps)
    accuracy = estimate([summary.test_accuracy for summary in summaries])
    loss = estimate([summary.test_loss for summary in summaries])
    simulated = None
    if design is not None:
        from ..sim.trained import simulate_trained

        simulated = simulate_trained(summaries[0], runs[0][1], design, version=__version__)
    if as_json:
        document = {
            "runs": [summary.document() for summary in summaries],
            "test_accuracy": {"mean": accuracy.mean, "half_width": accuracy.half_width},
            "test_loss": {"mean": loss.mean, "half_width": loss.half_width},
        }
        print_json(document if simulated is None else document | {"simulated": simulated.document()})
        return
    for summary, (settings, directory) in zip(summaries, runs, strict=True):
        reached = f"test accuracy {summary.test_accuracy:.2%} (loss {summary.test_loss:.4f})"
        print(f"seed {settings.seed}: {reached}, {directory}")
    print(
        f"{len(runs)} seeds: test accuracy {accuracy.mean:.2%} \u00b1 {accuracy.half_width or 0.0:.2%} "
        f"(loss {loss.mean:.4f}), at {LEVEL:.0%}"
    )
    if simulated is not None:
        from ..reports import training_run_text

        print(f"simulated: the run of seed {first.seed}")
        print(training_run_text(simulated))
