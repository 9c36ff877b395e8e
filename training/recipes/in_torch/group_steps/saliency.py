"""How much a group matters: HESSO's five criteria added up, or the cosine and norm of OTOv2.

With x a group's weights and g their gradient, HESSO's are |x|, |x| a weight, the cosine of x and g plus 1, |x g| and
its half square; each is divided by its norm over all groups, and a fifth of each is taken. Source: Chen et al., 2024
(arXiv 2409.09085) and their released code, whose norms are over the network; here those of one number of channels are
compared with each other, since ``keep`` says how many of each are left.
"""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-8


def five_criteria(weights: Tensor, gradients: Tensor, gains: Tensor) -> Tensor:
    """HESSO's score of each group, [groups]."""
    del gains
    norm, inner = weights.norm(dim=1), (weights * gradients).sum(1)
    cosine = inner / (norm + _TINY) / (gradients.norm(dim=1) + _TINY) + 1
    first = inner.abs()
    criteria = (norm, norm / weights.shape[1], cosine, first, first.square() / 2)
    score: Tensor = torch.stack([each / (each.norm() + _TINY) for each in criteria]).sum(0) / len(criteria)
    return score


def direction_and_norm(weights: Tensor, gradients: Tensor, gains: Tensor) -> Tensor:
    """OTOv2's: the least salient points where descent points to zero, and has a small norm.

    Cosines of x and g, and one over the mean norm, each divided by its norm over all groups, halves of both; what is
    chosen there has the largest sum, so that the score is its negative.
    """
    del gains
    cosine = torch.nn.functional.cosine_similarity(weights, gradients, dim=1)
    small = 1 / (weights.norm(dim=1) / weights.shape[1] + 1e-6)
    score: Tensor = -(cosine / (cosine.norm() + _TINY) + small / (small.norm() + _TINY)) / 2
    return score


def gain(weights: Tensor, gradients: Tensor, gains: Tensor) -> Tensor:
    """|gamma| of the normalisation behind each channel; of what has none its norm."""
    del gradients
    seen: Tensor = (weights * gains if bool(gains.any()) else weights).norm(dim=1)
    return seen
