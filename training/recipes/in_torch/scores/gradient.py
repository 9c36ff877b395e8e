"""|dL/dw| of the last batch: what RigL grows by (Evci et al., ICML 2020)."""

from torch import Tensor

from .seen import Score, Seen


def gradient(seen: Seen) -> Tensor:
    """The whole gradient's magnitude, of pruned weights too."""
    return seen.known.abs()


GRADIENT = Score(of=gradient, needs="gradient")
