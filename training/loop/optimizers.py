"""The optimizer that settings name, as the accelerator's update engine knows it."""

from __future__ import annotations

import torch
from torch import nn

from ...configs.errors import ConfigError
from ..recipes.declaration import Recipe
from ..recipes.in_torch import FrozenVarianceAdam
from ..settings import TrainingSettings

MOMENTUM = 0.9


def make_optimizer(settings: TrainingSettings, recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """An optimizer over the model's parameters; vectors (biases, gains of a normalisation) do not decay.

    Raises:
        ConfigError: the recipe needs Adam.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [each for each in trained if each.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [each for each in trained if each.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.schedule.switch is not None:
        if settings.optimizer != "adam":
            raise ConfigError(f"optimizer: got {settings.optimizer}, need adam: {recipe.name} waits for its variance")
        return FrozenVarianceAdam(groups, lr=settings.learning_rate)
    if settings.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=settings.learning_rate)
    momentum = MOMENTUM if settings.optimizer == "sgd-momentum" else 0.0
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=momentum)
