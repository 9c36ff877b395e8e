"""Zeros without a rule of a very tensor: what is told of random ones is counted of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...configs.arrays import BoolArray
from ...configs.unstructured import Unstructured


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnMask:
    """Where a weight of a checkpoint is not zero; one that is read twice is one and the same.

    Attributes:
        name: of the weight.
        read: gives [groups, outputs, inputs, taps], True where it is not zero.
    """

    name: str
    read: Callable[[], BoolArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Unstructured):
    """The zeros of a weight as they lie; else as its base, at its share of zeros.

    Attributes:
        own: where they lie.
        backward: whether the weight is seen along its outputs, as the backward pass multiplies by it.
    """

    own: OwnMask
    backward: bool = False

    @classmethod
    def of(cls, declared: Unstructured, mask: OwnMask) -> Measured:
        """Zeros that are called what a format is, as a mask has them; in the forward pass."""
        return cls(zeros_percent=declared.zeros_percent, rows=declared.rows, cols=declared.cols, own=mask)

    @property
    def turned(self) -> Measured:
        """The same mask seen along its other axis."""
        return replace(self, rows=self.cols, cols=self.rows, backward=not self.backward)

    def kept(self) -> BoolArray:
        """[groups, lanes, channels, taps]: channels are those that a product sums over, lanes its results."""
        kept = self.own.read()
        return np.swapaxes(kept, 1, 2) if self.backward else kept

    def __str__(self) -> str:
        return Unstructured.__str__(self)
