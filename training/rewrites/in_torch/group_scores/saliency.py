"""sum |w dL/dw| over all coupled slices: SNIP's saliency, summed over a group (Wang et al., 2024: SPA-SNIP)."""

from torch import Tensor

from .seen import GroupScore, SeenGroup


def saliency(seen: SeenGroup) -> Tensor:
    """The sum of magnitudes."""
    return seen.group.summed({name: (seen.parameters[name] * each).abs() for name, each in seen.gradients.items()})


SALIENCY = GroupScore(of=saliency, needs="gradients")
