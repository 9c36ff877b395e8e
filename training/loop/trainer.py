"""One training run, from settings to summary. It may be killed at any moment, and goes on from its last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...configs.errors import ConfigError
from ...configs.file_reading import read_file
from ...configs.library import content_hash
from ...configs.run_directory import sole_owner
from ...configs.strict_json import parse_json
from ...configs.whole_file import write_whole
from ..data import DataSet, load_data
from ..graph_file import graph_text
from ..recipes.declaration import load_recipe
from ..run_checksums import CHECKSUMS_FILE
from ..run_summary import CHECKPOINT_FILE, SETTINGS_FILE, SUMMARY_FILE, RunSummary, read_summary
from ..settings import TrainingSettings
from ..trainable import build
from .devices import reproducible, torch_device
from .identity import check_identity
from .own_graph import captured
from .run import EpochDone, Progress, Run
from .starting import start_hash


def train(
    settings: TrainingSettings,
    directory: Path,
    *,
    version: str,
    progress: Progress | None = None,
    epoch_done: EpochDone | None = None,
    device: str = "cpu",
    told: Callable[[str], None] | None = None,
) -> RunSummary:
    """Train, or go on with a run that was interrupted, or return a finished one.

    Args:
        settings: of the run.
        directory: of the run; made when it is not there.
        version: of bisparse, for the summary.
        progress: given a task, steps done and steps in all.
        epoch_done: given the result of each epoch.
        device: of torch.
        told: gets remarks, a sentence each.

    Raises:
        ConfigError: a setting is wrong, the recipe is simulated only, or the directory holds a run of other settings.
        CaptureError: the model's step cannot be captured.
        TrainingError: the loss is no number.
    """
    recipe = load_recipe(settings.recipe)
    recipe.model.check_trains()
    data = load_data(settings.data, context=settings.context, resize=settings.resize)
    identity = {"settings": settings.document(), "recipe": recipe.sha256, "data": data.sha256}
    asked = identity | {"start": None if settings.start is None else start_hash(settings.start)}
    if (directory / SUMMARY_FILE).exists():
        check_identity(directory, _known(directory), asked | _graph_of_code(settings, data))
        return read_summary(directory)
    tell, computed = told or (lambda _: None), torch_device(device)
    with sole_owner(directory, told=tell), reproducible(computed, tell):
        # A run that has not come to a checkpoint may be told otherwise.
        if (directory / CHECKPOINT_FILE).exists():
            check_identity(directory, _known(directory), asked)
        run = Run.begin(settings, recipe, data, directory, version, computed, identity)
        # Those of an earlier run, whose summary somebody took away.
        (directory / CHECKSUMS_FILE).unlink(missing_ok=True)
        # Once the settings are known to make a run, so that a mistake does not claim the directory.
        write_whole(directory / SETTINGS_FILE, json.dumps(run.identity, indent=1))
        return run.finish(progress or (lambda *_: None), epoch_done or (lambda _: None))


def _known(directory: Path) -> dict[str, Any]:
    path = directory / SETTINGS_FILE
    try:
        known = parse_json(read_file(path, need="settings"), file=path)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{path}: got no readable settings, need those of the run; try another --out") from error
    return known if isinstance(known, dict) else {}


def _graph_of_code(settings: TrainingSettings, data: DataSet) -> dict[str, Any]:
    """Of a user's factory, whose code may have changed since: the graph of what it makes now."""
    if ":" not in settings.model:
        return {}
    return {"graph": content_hash(graph_text(captured(build(settings.model, data), settings, data)))}
