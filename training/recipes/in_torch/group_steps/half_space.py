"""Chosen groups are penalised by their norm, and set to zero where an update leaves the half-space of their direction.

With x a group before the update, x' what the optimizer made of it and d = (x - x') / rate the descent that it took:

- x'' = x' - rate * lambda * x / |x|. The factor is the declared one at first; from half the time before it projects on,
  where x d < 0 (descent would make the group larger) it is 1.1 times the least that makes the norm fall, -x d / |x|,
  at least the declared one and at most ten times it; where that reaches -|d|^2 |x| / x d, beyond which x'' would no
  longer be descent, the mean of both bounds.
- From ``projects_from`` on x'' is set to zero where x'' x < 0; groups that are zero stay zero.

Source: Chen et al., OTOv2, ICLR 2023 (arXiv 2303.06862), DHSPG, as their released code has it, epsilon 0. OTOv3's
H2SPG is the same step on groups whose hierarchy keeps the network whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .moment import GroupStep, Moment
from .saliency import direction_and_norm

AMPLIFIED = 1.1
MOST = 10.0
"""The largest factor, in declared ones."""


def factors(before: Tensor, descent: Tensor, strength: float) -> Tensor:
    """Lambda of each group, adjusted so that its norm falls and the loss does, too."""
    inner, norm = (before * descent).sum(1), before.norm(dim=1)
    lower = -inner / norm
    upper = -descent.square().sum(1) * norm / inner
    adjusted = (AMPLIFIED * lower).clamp(strength, MOST * strength)
    adjusted = torch.where(adjusted >= upper, (upper + lower) / 2, adjusted)
    # Of a group that is zero nothing is known, nor asked.
    return torch.where((inner < 0) & (norm > 0), adjusted, torch.full_like(norm, strength))


def projected(moment: Moment) -> Tensor:
    """The weights after an update; one at a rate of zero changes nothing."""
    if moment.rate == 0:
        return moment.trial
    before, norm = moment.before, moment.before.norm(dim=1, keepdim=True)
    descent = (before - moment.trial) / moment.rate
    if moment.passed >= moment.projects_from / 2:
        strength = factors(before, descent, moment.strength)[:, None]
    else:
        strength = torch.full_like(norm, moment.strength)
    direction = torch.where(norm > 0, before / norm, torch.zeros_like(before))
    after = moment.trial - moment.rate * strength * direction
    if moment.passed >= moment.projects_from:
        after = torch.where(((after * before).sum(1) < 0)[:, None], torch.zeros_like(after), after)
    after = torch.where(norm > 0, after, torch.zeros_like(after))
    return torch.where(moment.chosen[:, None], after, moment.trial)


HALF_SPACE = GroupStep(saliency=direction_and_norm, after=projected)
