"""The order of the members: the first ones stay, as in a network of sub-networks that share weights."""

import torch
from torch import Tensor

from .seen import GroupScore, SeenGroup


def first(seen: SeenGroup) -> Tensor:
    """The earlier, the more."""
    return -torch.arange(seen.group.members, dtype=torch.float64)


FIRST = GroupScore(of=first)
