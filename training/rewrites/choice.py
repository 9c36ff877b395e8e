"""What trained channels, heads and neurons are compared by when some of them go. Free of torch; scores are in torch."""

from typing import Literal

ChoiceName = Literal[
    "first",
    "random",
    "made",
    "magnitude",
    "scale",
    "taylor",
    "saliency",
    "activation",
    "fluctuation",
    "adapters",
    "adapter-masks",
]
"""The first ones stay; ones that are drawn; those of the largest L2 norm of what makes them (zero of those that were
driven to zero) or of all coupled slices, |gamma| of the batch normalisations that they pass, |sum w dL/dw| or sum
|w dL/dw| over all coupled slices, or sum |w| |x| of the weights they are read by, |x| being the norm of what was
read, or sum w^2 of these times the variance of what was read, or sum (w dL/dw)^2 over the weights that have an
adapter, dL/dw being told from the gradients of the adapter's factors, or the sum of |m| over the masks of adapters."""
