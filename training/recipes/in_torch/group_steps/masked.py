"""Only what a mask chose to prune is regularised: strength * sign(gamma) is added to the gradients of its gains.

Channels without a normalisation have no gains: there all of the group's weights are regularised so (ours). Source:
Jiang et al., MaskSparsity, 2022, as their released code has it (L1).
"""

from __future__ import annotations

from torch import Tensor

from .moment import GroupStep
from .saliency import gain


def sign_penalty(weights: Tensor, gains: Tensor, strength: float) -> Tensor:
    """What is added to the gradient of each group, [groups, elements]; the caller leaves out those not chosen."""
    signs = strength * weights.sign()
    return signs * gains if bool(gains.any()) else signs


MASKED = GroupStep(saliency=gain, penalty=sign_penalty)
