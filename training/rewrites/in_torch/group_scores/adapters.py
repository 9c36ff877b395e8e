"""sum (w dL/dw)^2 over the weights that have an adapter, of which dL/dw is told from the gradients of A and B alone.

W + B A is what multiplies, and W, frozen, has no gradient. A step against the gradients of A and B would change B A by
-(dB A + B dA - dB dA), which stands for the gradient of the weight (Zhang et al., 2024: LoRAPrune, equation 8; the
scale of an adapter is one there). The paper averages over the steps before; here it is of the batches that are looked
at.
"""

import torch
from torch import Tensor

from .....configs.errors import ConfigError
from ...adapter_names import NAMES
from ..coupled_slices import member_sums
from .seen import GroupScore, SeenGroup


def adapters(seen: SeenGroup) -> Tensor:
    """Over the weights of linear layers alone.

    Raises:
        ConfigError: none of the group has an adapter.
    """
    total, found = torch.zeros(seen.group.members), False
    for each in seen.group.slices:
        layer = each.tensor.removesuffix(".weight")
        a, b = (f"{layer}.{name}.weight" for name in NAMES)
        if a not in seen.gradients or b not in seen.gradients or seen.parameters[a].dim() != 2:
            continue
        down, up = seen.parameters[a], seen.parameters[b]
        gradient = seen.gradients[b] @ down + up @ seen.gradients[a] - seen.gradients[b] @ seen.gradients[a]
        weighed = (gradient * (seen.parameters[each.tensor] + up @ down)).square()
        total, found = total + member_sums(weighed, each, seen.group.members).to(total.device), True
    if not found:
        raise ConfigError(
            f"chosen_by: got adapters of {seen.group.name}, need a linear layer of it with an adapter that learns; try "
            "saliency",
            field="chosen_by",
        )
    return total


ADAPTERS = GroupScore(of=adapters, needs="gradients")
