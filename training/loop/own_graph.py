"""The graph of the very model that is trained."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ..capture import capture
from ..data import DataSet
from ..graph import TrainingGraph
from ..recipes.declaration import Recipe
from ..rewrites.in_torch import rewrite_captured
from ..settings import TrainingSettings
from .calibrating import calibration_of


def rewritten_by(
    recipe: Recipe,
    model: nn.Module,
    graph: TrainingGraph,
    settings: TrainingSettings,
    data: DataSet,
    device: torch.device,
) -> TrainingGraph:
    """Make a recipe's rewrites on a run's model; the graph of what is then trained.

    Raises:
        ConfigError: they do not fit the model, or its code fixes a size that they change.
    """
    if not recipe.rewrites:
        return graph
    recipe.check_trains()
    return rewrite_captured(
        model,
        recipe.rewrites,
        lambda: captured(model, settings, data),
        graph,
        lambda batches: calibration_of(settings, data, device, batches),
        seed=settings.seed,
    )


def captured(model: nn.Module, settings: TrainingSettings, data: DataSet) -> TrainingGraph:
    """One training step of a run's model, as it is."""
    return capture(
        model,
        data.input_shape,
        name=f"{settings.model.rpartition(':')[2]}-{Path(data.name).stem}",
        default_batch=settings.batch,
        source=f"captured from the model trained: {settings.model} on {data.name}",
        loss="token-cross-entropy" if data.by_position else "cross-entropy",
    )
