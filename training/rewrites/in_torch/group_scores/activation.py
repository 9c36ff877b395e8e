"""sum |w| |x| of the weights that read a member, |x| being the norm of what was read.

Wanda's score of a weight (Sun et al., ICLR 2024), summed over the weights that a member is multiplied by.
"""

import torch
from torch import Tensor

from .....configs.errors import ConfigError
from ..coupled_slices import Slice, member_sums
from .seen import GroupScore, SeenGroup


def activation(seen: SeenGroup) -> Tensor:
    """Over the readers alone.

    Raises:
        ConfigError: no layer is known to read it.
    """
    read = [each for each in seen.group.slices if each.tensor in seen.inputs and _reads(seen, each)]
    if not read:
        raise ConfigError(
            f"chosen_by: got activation of {seen.group.name}, need a Linear or Conv layer that reads it; try magnitude",
            field="chosen_by",
        )
    total = torch.zeros(seen.group.members)
    for each in read:
        weighed = seen.parameters[each.tensor].abs() * seen.inputs[each.tensor].squares.sqrt()
        total = total + member_sums(weighed, each, seen.group.members).to(total.device)
    return total


def _reads(seen: SeenGroup, where: Slice) -> bool:
    return where.axis == seen.inputs[where.tensor].axis


ACTIVATION = GroupScore(of=activation, needs="inputs")
