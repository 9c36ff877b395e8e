"""A tensor of a checkpoint, before anybody looks into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...configs.arrays import BoolArray

_LONGEST_NAME = 100
"""Characters of a name that a message shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A tensor whose values are read when they are asked for.

    Attributes:
        name: in the file.
        shape: of the tensor.
        nonzero: gives [shape] which elements are not zero; ``CaptureError`` where some are no numbers.
    """

    name: str
    shape: tuple[int, ...]
    nonzero: Callable[[], BoolArray]


def told(name: str) -> str:
    r"""A name of a file's making, short and on one line.

    >>> told("0.weight"), told("two\nlines")
    ('0.weight', "'two\\nlines'")
    """
    text = name if name.isprintable() else repr(name)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."


def under_mask(weight: Held, mask: Held) -> Held | None:
    """A weight under a mask of ``torch.nn.utils.prune``; None where they are not of one shape."""
    if weight.shape != mask.shape:
        return None

    def nonzero() -> BoolArray:
        return np.logical_and(weight.nonzero(), mask.nonzero())

    return Held(name=weight.name, shape=weight.shape, nonzero=nonzero)
