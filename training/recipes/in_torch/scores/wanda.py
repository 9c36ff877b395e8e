"""|w| times the norm of the input that it multiplies (Sun et al., ICLR 2024: Wanda).

The norm is over all samples and positions of the batches so far. Wanda ranks the weights of each output by
themselves: that is the format's to say (``80% in each row``).
"""

from torch import Tensor

from .seen import Score, Seen


def wanda(seen: Seen) -> Tensor:
    """The weight's magnitude times its input channel's norm."""
    return seen.weight.abs() * seen.known.sqrt()


WANDA = Score(of=wanda, needs="inputs")
