"""|sum w dL/dw| over all coupled slices: how far the loss would move without the member, to first order.

Molchanov et al., CVPR 2019; over a whole group as Ma et al., NeurIPS 2023, have it.
"""

from torch import Tensor

from .seen import GroupScore, SeenGroup


def taylor(seen: SeenGroup) -> Tensor:
    """The sum's magnitude."""
    return seen.group.summed({name: seen.parameters[name] * each for name, each in seen.gradients.items()}).abs()


TAYLOR = GroupScore(of=taylor, needs="gradients")
