"""The graph of the very model that is trained."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..capture import capture
from ..data import DataSet
from ..graph import TrainingGraph
from ..settings import TrainingSettings


def captured(model: nn.Module, settings: TrainingSettings, data: DataSet) -> TrainingGraph:
    """One training step of a run's model, before any recipe."""
    return capture(
        model,
        data.input_shape,
        name=f"{settings.model.rpartition(':')[2]}-{Path(data.name).stem}",
        default_batch=settings.batch,
        source=f"captured from the model trained: {settings.model} on {data.name}",
        loss="token-cross-entropy" if data.by_position else "cross-entropy",
    )
