"""Activations with a cut or a penalty under a recipe: told how far the run is, asked what they add to the loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...rewrites.in_torch.sparse_activation import SparseActivation
from .step_clock import StepClock


class ActivationsAtWork:
    """Those of one model."""

    def __init__(self, activations: Sequence[SparseActivation], clock: StepClock) -> None:
        """Tell them where the run begins.

        Args:
            activations: of the model.
            clock: of the recipe.
        """
        self._activations = list(activations)
        self.tell(clock)

    def tell(self, clock: StepClock) -> None:
        """Tell them how far the run is."""
        for each in self._activations:
            if clock.steps is not None:
                each.at(clock.step, clock.steps)

    def penalty(self) -> Tensor | None:
        """What they add to the loss of the passes since they were last asked; None of a recipe without a penalty."""
        terms = [each for each in (each.take_penalty() for each in self._activations) if each is not None]
        return torch.stack(terms).sum() if terms else None

    def penalised(self, loss: Tensor) -> Tensor:
        """A loss with what they add to it."""
        penalty = self.penalty()
        return loss if penalty is None else loss + penalty
