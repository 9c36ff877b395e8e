"""What of a run hangs on its model's parameters, and is made anew when the model becomes narrower."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ...configs.formats import parse_format
from ..data import DataSet, steps_per_epoch
from ..graph import TrainingGraph
from ..recipes.declaration import Recipe
from ..recipes.in_torch import AppliedRecipe, apply
from ..recipes.in_torch.group_steps.driver import drivers_of
from ..settings import TrainingSettings
from .agreement import check_agreement
from .phase_rules import PhaseRules
from .tasks import Tasks


@dataclass(frozen=True, kw_only=True)
class HungOn:
    """Of one model.

    Attributes:
        applied: the recipe at work on it.
        tasks: what it is trained for.
        rules: what its phases ask of the loop.
    """

    applied: AppliedRecipe
    tasks: Tasks
    rules: PhaseRules

    @classmethod
    def of(
        cls,
        settings: TrainingSettings,
        recipe: Recipe,
        data: DataSet,
        model: nn.Module,
        graph: TrainingGraph,
        device: torch.device,
        *,
        first_step: int = 0,
    ) -> HungOn:
        """Hang a recipe on a model.

        Args:
            settings: of the run.
            recipe: the method.
            data: of the run.
            model: with the recipe's rewrites that hold.
            graph: of a step of it.
            device: of torch.
            first_step: updates of the run before it.

        Raises:
            ConfigError: the recipe does not fit the model.
        """
        applied = apply(
            model,
            recipe,
            parse_format(settings.sparsity),
            steps=settings.epochs * steps_per_epoch(data, settings.batch),
            precision=settings.precision,
            seed=settings.seed,
            follows_schedule=True,
            first_step=first_step,
        )
        check_agreement(applied, graph)
        applied.drive(drivers_of(applied.stretches, model, graph, first_step=first_step))
        tasks = Tasks(data, recipe.tasks, model, applied, device)
        return cls(applied=applied, tasks=tasks, rules=PhaseRules(settings, data, tasks.data, model, applied.phases))
