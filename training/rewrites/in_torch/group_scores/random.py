"""Numbers that are drawn: what any other choice must be better than."""

import torch
from torch import Tensor

from .seen import GroupScore, SeenGroup


def drawn(seen: SeenGroup) -> Tensor:
    """Evenly between 0 and 1."""
    return torch.rand(seen.group.members, generator=seen.generator, dtype=torch.float64)


RANDOM = GroupScore(of=drawn)
