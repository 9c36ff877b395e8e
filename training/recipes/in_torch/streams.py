"""What streams past a weight, pruned: N:M of an input or an output gradient, along channels or along positions.

FF and BP contract over the channels of what streams in, at one sample and position; WU over samples and positions, in
the order in which they lie: position after position of one sample, then the next sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....configs.pattern import Pattern
from ..pruned_stage import PrunedStage
from .top_n import top_n_mask
from .unbiased import unbiased


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPruning:
    """How a stage prunes what streams in.

    Attributes:
        rule: which N of a group are kept, and how.
        pattern: N:M.
        linear: of a linear layer: channels lie on the last axis, of a convolution on the second.
        groups: of a grouped convolution.
        along_positions: groups of M run along samples and positions, not along channels.
        generator: of what is drawn.
    """

    rule: PrunedStage
    pattern: Pattern
    linear: bool
    groups: int
    along_positions: bool
    generator: torch.Generator

    def __call__(self, values: Tensor) -> Tensor:
        """[..., channels] of a linear layer or [batch, channels, *space], pruned."""
        if self.along_positions:
            rows = values if self.linear else values.movedim(1, -1)
            kept = self._kept(rows.reshape(-1, rows.shape[-1]), 0).reshape(rows.shape)
            return kept if self.linear else kept.movedim(-1, 1)
        if self.linear:
            kept = self._kept(values, -1)
        else:
            kept = self._kept(values.reshape(len(values), self.groups, -1, *values.shape[2:]), 2).reshape(values.shape)
        return _rescaled(kept, values, self.linear) if self.rule.rescale else kept

    def _kept(self, values: Tensor, axis: int) -> Tensor:
        if self.rule.selection == "unbiased":
            return unbiased(values, self.pattern, axis, self.generator)
        magnitudes = values.abs()
        if self.rule.selection == "random":
            magnitudes = torch.rand(values.shape, generator=self.generator).to(values.device)
        return values * top_n_mask(magnitudes, self.pattern, axis)


def _rescaled(kept: Tensor, gradient: Tensor, linear: bool) -> Tensor:
    """SDGP's maxnorm: each sample and channel gets back the L1 norm that pruning took, summed over its positions."""
    positions = tuple(range(1, gradient.dim() - 1)) if linear else tuple(range(2, gradient.dim()))
    if not positions:
        return kept
    before, after = gradient.abs().sum(positions, keepdim=True), kept.abs().sum(positions, keepdim=True)
    return kept * (before / (after + 1e-4))
