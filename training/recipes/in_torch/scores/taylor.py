"""|w dL/dw| of the last batch: how much the loss would change without the weight, to first order.

Of the first batch it is SNIP's saliency (Lee, Ajanthan, Torr, ICLR 2019), whose division by the sum over all weights
changes no order.
"""

from torch import Tensor

from .seen import Score, Seen


def taylor(seen: Seen) -> Tensor:
    """The product's magnitude."""
    return (seen.weight * seen.known).abs()


TAYLOR = Score(of=taylor, needs="gradient")
