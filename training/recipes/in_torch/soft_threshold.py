"""Soft thresholds: what is kept of a group shrinks by what is pruned of it, so that none jumps.

S(w)_i = sign(w_i) (|w_i| - t) for the N largest of every M, t the largest magnitude that is pruned; 0 for the rest. A
product multiplies by b S(w), b = w . S(w) / S(w) . S(w): of all scales the one that leaves b S(w) nearest to w. It is
found when pruning begins, and stays.

Source: Hu, Zhu, Chen, NeurIPS 2024 (S-STE, arXiv 2409.09099), there for 2:4.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....configs.pattern import Pattern
from ...graph import Stage
from .weight_axes import WeightAxes


def softened(weight: Tensor, mask: Tensor, axes: WeightAxes, pattern: Pattern, stage: Stage) -> Tensor:
    """S of a weight.

    Args:
        weight: the master weight.
        mask: of the N largest of each group.
        axes: where its channels lie.
        pattern: N:M.
        stage: along whose axis groups run.
    """
    axis = axes.axis(stage)
    pruned = axes.by_group(weight.abs().masked_fill(mask, 0.0)).movedim(axis, -1)
    length = pruned.shape[-1]
    padded = functional.pad(pruned, (0, -length % pattern.group))
    grouped = padded.reshape(*padded.shape[:-1], -1, pattern.group)
    largest = grouped.amax(-1, keepdim=True).expand_as(grouped).flatten(-2)[..., :length]
    thresholds = largest.movedim(-1, axis).reshape(weight.shape)
    return torch.where(mask, weight - weight.sign() * thresholds, 0.0)


def nearest_scale(weight: Tensor, soft: Tensor) -> float:
    """B of a weight and its S; 1 where S is all zeros."""
    square = float(soft.square().sum())
    return float((weight * soft).sum()) / square if square else 1.0
