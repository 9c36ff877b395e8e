"""sum |w| |x| of the weights that read a member, |x| being the norm of what was read.

Wanda's score of a weight (Sun et al., ICLR 2024), summed over the weights that a member is multiplied by.
"""

import torch
from torch import Tensor

from .....configs.errors import ConfigError
from ...choice import ChoiceName
from ..coupled_slices import Slice, member_sums
from .seen import GroupScore, SeenGroup


def activation(seen: SeenGroup) -> Tensor:
    """Over the readers alone.

    Raises:
        ConfigError: no layer is known to read it.
    """
    total = torch.zeros(seen.group.members)
    for each in readers(seen, "activation"):
        weighed = seen.parameters[each.tensor].abs() * seen.inputs[each.tensor].squares.sqrt()
        total = total + member_sums(weighed, each, seen.group.members).to(total.device)
    return total


def readers(seen: SeenGroup, score: ChoiceName) -> list[Slice]:
    """Slices of weights that read a group.

    Raises:
        ConfigError: no layer is known to read it.
    """
    found = [
        each for each in seen.group.slices if each.tensor in seen.inputs and each.axis == seen.inputs[each.tensor].axis
    ]
    if not found:
        raise ConfigError(
            f"chosen_by: got {score} of {seen.group.name}, need a Linear or Conv layer that reads it; try magnitude",
            field="chosen_by",
        )
    return found


ACTIVATION = GroupScore(of=activation, needs="inputs")
