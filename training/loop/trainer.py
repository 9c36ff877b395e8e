"""One training run, from settings to summary. It may be killed at any moment, and goes on from its last checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ...configs.errors import ConfigError
from ..data import load_data
from ..recipes.declaration import load_recipe
from ..run_summary import SETTINGS_FILE, SUMMARY_FILE, RunSummary, read_summary
from ..settings import TrainingSettings
from .run import EpochDone, Progress, Run


def train(
    settings: TrainingSettings,
    directory: Path,
    *,
    version: str,
    progress: Progress | None = None,
    epoch_done: EpochDone | None = None,
    device: str = "cpu",
) -> RunSummary:
    """Train, or go on with a run that was interrupted, or return a finished one.

    Args:
        settings: of the run.
        directory: of the run; made when it is not there.
        version: of bisparse, for the summary.
        progress: given a task, steps done and steps in all.
        epoch_done: given the result of each epoch.
        device: of torch.

    Raises:
        ConfigError: a setting is wrong, or the directory holds a run of other settings.
        CaptureError: the model's step cannot be captured.
        TrainingError: the loss is no number.
    """
    recipe = load_recipe(settings.recipe)
    data = load_data(settings.data)
    identity = {"settings": settings.document(), "recipe": recipe.sha256, "data": data.sha256}
    if (directory / SUMMARY_FILE).exists():
        _check_identity(directory, identity)
        return read_summary(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if (directory / SETTINGS_FILE).exists():
        _check_identity(directory, identity)
    with torch.random.fork_rng(devices=[]):
        run = Run.begin(settings, recipe, data, directory, version, torch.device(device))
        # Once the settings are known to make a run, so that a mistake does not claim the directory.
        (directory / SETTINGS_FILE).write_text(json.dumps(identity, indent=1), encoding="utf-8")
        return run.finish(progress or (lambda *_: None), epoch_done or (lambda _: None))


def _check_identity(directory: Path, identity: dict[str, Any]) -> None:
    path = directory / SETTINGS_FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: got no readable settings, need those of the run; try another --out") from error
    if known == identity:
        return
    ours, theirs = (_flat(each) for each in (identity, known))
    other = next(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
    raise ConfigError(
        f"{directory}: got a run with {other} {theirs.get(other)}, need {ours.get(other)}; try another --out"
    )


def _flat(identity: dict[str, Any]) -> dict[str, Any]:
    return {**identity.get("settings", {}), "recipe content": identity.get("recipe"), "data": identity.get("data")}
