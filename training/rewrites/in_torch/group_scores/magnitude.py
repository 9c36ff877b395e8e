"""The L2 norm of all coupled slices (Fang et al., CVPR 2023, DepGraph: group-level importance by norm)."""

from torch import Tensor

from .seen import GroupScore, SeenGroup


def magnitude(seen: SeenGroup) -> Tensor:
    """Over weights, biases, scales and shifts; running statistics are no weights."""
    return seen.group.summed({name: each.square() for name, each in seen.parameters.items()}).sqrt()


MAGNITUDE = GroupScore(of=magnitude)
