"""-w dL/dw, summed over the steps so far: weights that move away from zero stay (Sanh et al., NeurIPS 2020)."""

from torch import Tensor

from .seen import Score, Seen


def movement(seen: Seen) -> Tensor:
    """The sum; it is below zero where a weight was drawn towards zero."""
    return seen.known


MOVEMENT = Score(of=movement, needs="movement")
