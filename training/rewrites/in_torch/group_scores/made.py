"""The L2 norm of what makes a member: the rows of its layers, no columns that read it. Zero of one driven to zero.

Of a weight whose two sides have the member, a convolution of a residual stream, the smaller of both counts: where the
row is zero, it is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..coupled_slices import member_sums
from .seen import GroupScore, SeenGroup


def made(seen: SeenGroup) -> Tensor:
    """Over the weights of the layers that make the group, and over all vectors that have it."""
    rows = {f"{layer}.weight" for layer in seen.group.feature.layers} | {*seen.group.feature.layers}
    found: dict[str, Tensor] = {}
    for each in seen.group.slices:
        parameter = seen.parameters.get(each.tensor)
        if parameter is None or (each.tensor not in rows and parameter.dim() > 1):
            continue
        squares = member_sums(parameter.square(), each, seen.group.members)
        found[each.tensor] = torch.minimum(squares, found[each.tensor]) if each.tensor in found else squares
    return torch.stack(list(found.values())).sum(0).sqrt()


MADE = GroupScore(of=made)
