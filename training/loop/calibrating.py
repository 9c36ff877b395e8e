"""What a choice of survivors looks at in a run: batches of its training data, and its loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..capture.losses import main_output
from ..data import DataSet, TrainingBatches
from ..rewrites.in_torch import Calibration
from ..settings import TrainingSettings
from .evaluation import classes_first


def calibration_of(settings: TrainingSettings, data: DataSet, device: torch.device, batches: int) -> Calibration:
    """The first batches of a run's first epoch, without augmentation; fewer where there are fewer."""
    drawn = TrainingBatches(data, batch=settings.batch, seed=settings.seed, epoch=0)
    return Calibration(
        batches=[_on(device, *drawn[number]) for number in range(min(batches, len(drawn)))],
        loss=_loss,
        output=lambda model, given: main_output(model(given)),
    )


def _on(device: torch.device, inputs: object, targets: object) -> tuple[Tensor, Tensor]:
    return torch.as_tensor(inputs).to(device), torch.as_tensor(targets).to(device)


def _loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(*classes_first(model(inputs), targets))
