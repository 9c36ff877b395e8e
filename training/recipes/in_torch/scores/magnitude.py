"""|w|: what most methods prune by."""

from torch import Tensor

from .seen import Score, Seen


def magnitude(seen: Seen) -> Tensor:
    """The weight itself, without its sign."""
    return seen.weight.abs()


MAGNITUDE = Score(of=magnitude)
