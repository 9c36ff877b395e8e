"""One move of a mask: the least of what is kept is dropped, and as many that were not kept come back.

RigL (Evci et al., ICML 2020) and GraNet (Liu et al., NeurIPS 2021): of a share of the kept, those of the lowest score
are dropped, and of all that is then not kept those of the largest gradient grow. What is dropped may grow at once: then
nothing happened to it. The mask is of its format before and after.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....configs.balanced import Balanced
from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ....configs.pattern import Pattern
from ....configs.unstructured import Unstructured
from ...graph import Stage
from .layer import Layer
from .weight_axes import WeightAxes
from .weight_masks import block_norms, largest_mask, mask_of_blocks, stage_mask

Masks = dict[Stage, Tensor]

_FIRST = 1e6
"""Of the largest growth: what is not dropped stays before all that may grow."""


def check_moves(path: str, sparse: OperandFormat) -> None:
    """Refuse a format that has nothing to exchange.

    Raises:
        ConfigError: it is neither N:M nor zeros without a rule.
    """
    if not isinstance(sparse, Pattern | Unstructured):
        raise ConfigError(f"{path}: got {sparse}, need N:M or a share of zeros for masks that move; try 80%")


def moved(
    mask: Tensor, values: Tensor, growth: Tensor, share: float, *, axes: WeightAxes, sparse: OperandFormat, stage: Stage
) -> Tensor:
    """The mask after a move.

    Args:
        mask: of the weight's shape.
        values: by which what is kept is dropped, the lowest first; of equal ones the last first. At least 0.
        growth: by which what is not kept grows, the largest first; of equal ones the first. At least 0.
        share: of what is kept that is dropped, rounded down to whole elements or blocks.
        axes: of the weight.
        sparse: the mask's format, along the stage's axis; of zeros without a rule as FF has it.
        stage: that it is the mask of.
    """
    if isinstance(sparse, Unstructured) and not isinstance(sparse, Balanced):
        place = axes, sparse
        kept, among = block_norms(mask.to(values.dtype), *place) > 0, block_norms(values, *place)
        survivors, dropped = _survivors(kept, among, share)
        back = _first(block_norms(growth, *place), ~survivors, dropped)
        return mask_of_blocks(survivors | back, values, *place)
    survivors, _ = _survivors(mask, values, share)
    largest = growth.max()
    stays = torch.where(largest > 0, largest * _FIRST, torch.ones_like(largest))
    ranked = torch.where(survivors, stays, growth)
    if isinstance(sparse, Balanced):
        return largest_mask(ranked, axes, sparse)
    return stage_mask(ranked, axes, Pattern.only(sparse), stage)


def move_masks(layer: Layer, masks: Masks, values: Tensor, growth: Tensor, share: float) -> Masks:
    """A layer's masks after a move; one that serves both passes moves once. Values and share as of ``moved``."""
    now, found = layer.weights_now(), Masks()
    for stage, mask in masks.items():
        if stage is Stage.BACKWARD and layer.shares_mask(now):
            found[stage] = found[Stage.FORWARD]
            continue
        own = now[stage]
        sparse = own.turned if stage is Stage.BACKWARD and isinstance(own, Unstructured) else own
        found[stage] = moved(mask.to(values.device), values, growth, share, axes=layer.axes, sparse=sparse, stage=stage)
    return found


def _survivors(kept: Tensor, values: Tensor, share: float) -> tuple[Tensor, int]:
    """What is kept but for the lowest, and how many those are."""
    count = int(kept.count_nonzero())
    dropped = int(share * count)
    return _first(values, kept, count - dropped), dropped


def _first(values: Tensor, among: Tensor, count: int) -> Tensor:
    """So many of the largest among some; of equal ones the first."""
    listed = torch.where(among, values, torch.full_like(values, -1.0)).flatten()
    found = torch.zeros_like(listed, dtype=torch.bool)
    found[listed.sort(descending=True, stable=True).indices[:count]] = True
    return found.reshape(values.shape)
