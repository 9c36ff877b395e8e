"""What trained channels, heads and neurons are compared by when some of them go. Free of torch; scores are in torch."""

from typing import Literal

ChoiceName = Literal["first", "random", "made", "magnitude", "scale", "taylor", "saliency", "activation"]
"""The first ones; ones drawn at random; the L2 norm of what makes them, zero of those that were driven to zero; that of
all coupled slices; |gamma| of the batch normalisations that they pass; |sum w dL/dw| over all coupled slices; sum |w
dL/dw|; or sum |w| |x| of the weights that read them, |x| being the norm of what was read."""
