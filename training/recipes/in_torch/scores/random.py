"""A number drawn for each weight: random pruning (Liu et al., ICLR 2022)."""

import torch
from torch import Tensor

from .seen import Score, Seen


def random(seen: Seen) -> Tensor:
    """From 0 to below 1."""
    drawn = torch.rand(seen.weight.shape, generator=seen.generator, dtype=torch.float32)
    return drawn.to(seen.weight.device, seen.weight.dtype)


RANDOM = Score(of=random)
