"""The proximal step of the group sparse envelope: the convex envelope of half the squared norm on at most k groups.

S_k(w) = 1/2 min { sum_j |w_j|^2 / u_j : 0 <= u_j <= 1, sum_j u_j <= k }. For given u the step w = argmin 1/2 |w - v|^2
+ a S_k(w) is w_j = u_j / (u_j + a) v_j, and the best u are u_j = clip(|v_j| / m - a, 0, 1), m > 0 such that they add
up to k: found by bisection. Groups with |v_j| <= a m become zero. Those of one number of channels are equally large, so
that WGSEF's weights are equal among them. Source: Refael, Arbel, Huleihel (arXiv 2212.12921), whose envelope
generalises Beck and Refael's; the step is derived here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .moment import GroupStep, Moment

_HALVINGS = 60


def envelope_step(values: Tensor, kept: int, strength: float) -> Tensor:
    """The proximal step of ``strength`` times the envelope of level ``kept``, of groups [groups, elements]."""
    norms = values.norm(dim=1).double()
    if strength == 0:
        return values
    if kept >= len(norms) or not bool((norms > 0).any()):
        shares = torch.ones_like(norms)
    else:
        # Adding up to k falls as m grows: at the low end all are 1, at the high end none is above zero.
        low, high = torch.zeros_like(norms[0]), norms.max() / strength
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = (norms / middle - strength).clamp(0, 1).sum() <= kept
            low, high = torch.where(fits, low, middle), torch.where(fits, middle, high)
        shares = (norms / high - strength).clamp(0, 1)
    return values * (shares / (shares + strength)).to(values.dtype)[:, None]


def shrunk_to_level(moment: Moment) -> Tensor:
    """The weights after an update: the step of the learning rate times the strength."""
    return envelope_step(moment.trial, moment.kept, moment.rate * moment.strength)


ENVELOPE = GroupStep(after=shrunk_to_level)
