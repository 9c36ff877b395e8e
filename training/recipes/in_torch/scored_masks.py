"""A layer whose mask follows scores that learn with it (``rewrites.learned_scores``), found anew in every step."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor

from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ...graph import Stage
from ...rewrites.in_torch.scored_layer import ScoredLayer
from .layer import Layer


class ScoredMasks(Layer):
    """Of one layer, which multiplies by its mask itself.

    Args:
        module: that computes its weight and its scores.
        **said: as for ``Layer``.

    Raises:
        ConfigError: FF and BP would have masks of their own, or operands are to be rounded.
    """

    def __init__(self, module: ScoredLayer, **said: Any) -> None:
        super().__init__(**said)
        self.module = module
        if self._precision != "fp32":
            raise ConfigError(f"precision: got {self._precision}, need fp32: the mask of {self.path} is learned")
        for own in (self.patterns, *self.plan):
            if own and not self.shares_mask(own):
                raise ConfigError(
                    f"sparsity: got {next(iter(own.values()))} in {self.path}, need a share of zeros: a "
                    "mask that is learned serves both passes; try 90%"
                )

    def __deepcopy__(self, memo: dict[int, Any]) -> ScoredMasks:
        """Of a copied model, with its module."""
        twin = super().__deepcopy__(memo)
        assert isinstance(twin, ScoredMasks), "a copy is of its class"
        twin.module = copy.deepcopy(self.module, memo)
        return twin

    def mask_now(self) -> Tensor | None:
        """What the module keeps of its weight; None where that is all."""
        return self.mask(self.module.weight, Stage.FORWARD) if self.is_pruned else None

    def _bring_up_to_date(self, master: Tensor) -> None:
        super()._bring_up_to_date(self.module.whole().detach())

    def _masks_of(self, weight: Tensor) -> dict[Stage, Tensor]:
        now: dict[Stage, OperandFormat] = self.weights_now()
        if not now:
            return {}
        scores = self.module.scores(weight)
        return self.largest(scores - scores.min(), now)
