"""The variance of what is read times sum w^2 of the weights that read it (An et al., AAAI 2024: FLAP, WIFV).

What hardly fluctuates can be taken away where its mean is added to the biases of who read it (``keep.compensated``).
"""

import torch
from torch import Tensor

from ..coupled_slices import member_sums
from .activation import readers
from .seen import GroupScore, SeenGroup


def fluctuation(seen: SeenGroup) -> Tensor:
    """Over the readers alone.

    Raises:
        ConfigError: no layer is known to read it.
    """
    total = torch.zeros(seen.group.members)
    for each in readers(seen, "fluctuation"):
        weighed = seen.parameters[each.tensor].square() * seen.inputs[each.tensor].variances
        total = total + member_sums(weighed, each, seen.group.members).to(total.device)
    return total


FLUCTUATION = GroupScore(of=fluctuation, needs="inputs")
