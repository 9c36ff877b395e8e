"""PDP's soft mask: a weight counts with m(w) = e^(w^2/tau) / (e^(w^2/tau) + e^(t^2/tau)), and learns through it.

Cho, Adya, Naik, 2023: PDP: Parameter-free differentiable pruning is all you need (NeurIPS 2023). t lies midway between
the least that the hard mask keeps and the most that it prunes: of a weight, or of each group of N:M. m is above a half
where the hard mask keeps.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....configs.balanced import Balanced
from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ....configs.pattern import Pattern
from ....configs.unstructured import Unstructured
from ...graph import Stage
from .weight_axes import WeightAxes


def check_softens(path: str, sparse: OperandFormat) -> None:
    """Refuse a format whose threshold no single weight meets.

    Raises:
        ConfigError: it is neither N:M nor a share of zeros that stand alone.
    """
    alone = isinstance(sparse, Unstructured) and not isinstance(sparse, Balanced) and sparse.block == (1, 1)
    if not alone and not isinstance(sparse, Pattern):
        raise ConfigError(f"{path}: got {sparse}, need N:M or a share of zeros for a soft mask; try 80%")


def soft_weight(
    weight: Tensor, mask: Tensor, temperature: float, *, axes: WeightAxes, sparse: OperandFormat, stage: Stage
) -> Tensor:
    """m(w) w, differentiable in w; the threshold is not.

    Args:
        weight: the master weight.
        mask: the hard mask now.
        temperature: tau.
        axes: of the weight.
        sparse: the mask's format.
        stage: along whose axis N:M groups it.
    """
    magnitudes = weight.detach().abs()
    pruned = torch.where(mask, torch.zeros_like(magnitudes), magnitudes)
    kept = torch.where(mask, magnitudes, torch.full_like(magnitudes, torch.inf))
    if isinstance(sparse, Pattern):
        axis = axes.axis(stage)
        most = _of_groups(axes.by_group(pruned), sparse.group, axis, least=False)
        least = _of_groups(axes.by_group(kept), sparse.group, axis, least=True)
        threshold = ((most + least) / 2).flatten(0, 1)
    else:
        threshold = (pruned.max() + kept.min()) / 2
    return torch.sigmoid((weight.square() - threshold.square()) / temperature) * weight


def _of_groups(values: Tensor, group: int, axis: int, *, least: bool) -> Tensor:
    """The least or the most of each group along an axis, laid over all its members; the last group may be short."""
    last = values.movedim(axis, -1)
    length = last.shape[-1]
    padded = functional.pad(last, (0, -length % group), value=torch.inf if least else 0.0)
    groups = padded.reshape(*padded.shape[:-1], -1, group)
    found = groups.amin(-1, keepdim=True) if least else groups.amax(-1, keepdim=True)
    return found.expand_as(groups).flatten(-2)[..., :length].movedim(-1, axis)
