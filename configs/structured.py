"""Zeros by a structure: what is left of a weight [outputs, inputs] is one smaller dense matrix, or several.

Any design gains from such zeros, for it multiplies by what is left as by any dense weight: whole rows or columns are
gone, blocks lie on the diagonal, or a band about it. Every count is exact.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

from .encodings import Metadata
from .operand_format import OperandFormat

if TYPE_CHECKING:
    import numpy as np

    from .arrays import BoolArray, Counts


class Part(NamedTuple):
    """A dense matrix that is left of a weight.

    Attributes:
        outputs: of it.
        inputs: of it.
        times: that there is one of this size.
    """

    outputs: int
    inputs: int
    times: int = 1


class Structured(OperandFormat):
    """A format by whose rule dense matrices are left. Frozen dataclasses with both sides of the weight, 0 unknown."""

    __slots__ = ()

    outputs: int
    inputs: int

    def on(self, outputs: int, inputs: int) -> Self:
        """Of a weight of this size."""
        return replace(self, outputs=outputs, inputs=inputs)  # type: ignore[type-var]

    @property
    @abstractmethod
    def turned(self) -> Structured:
        """What is left of the turned weight."""

    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """What is left of the weight, whose size is known. Parts share no output, unless they are alike."""

    @abstractmethod
    def mask(self, draw: np.random.Generator, outputs: int, inputs: int) -> BoolArray:
        """A mask [outputs, inputs] of this format: what is True is kept."""

    @property
    def kept(self) -> int:
        """Elements kept of the weight, whose size is known: all of the parts'."""
        return sum(part.outputs * part.inputs * part.times for part in self.parts())

    @property
    def lies_apart(self) -> bool:
        """Whether parts share no input either."""
        return True

    @property
    def leaves_dense(self) -> bool:
        """It does."""
        return True

    # As any format ---------------------------------------------------------------------------------------------------

    @property
    def share(self) -> tuple[int, int]:
        """Kept of all, where the size is known; else as far as the rule says."""
        return (self.kept, self.outputs * self.inputs) if self.outputs else self.nominal_share

    @property
    @abstractmethod
    def nominal_share(self) -> tuple[int, int]:
        """So many of so many, of a weight of unknown size."""

    @property
    def kept_scale(self) -> int:
        """Whole elements."""
        return 1

    def kept_elements(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Their share, rounded up."""
        kept, of = self.share
        return -(-channels * taps * kept // of)

    @property
    def unit(self) -> int:
        """One: the parts are whole."""
        return 1

    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """All: of the parts nothing is skipped."""
        return channels * taps

    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Single elements."""
        return channels * taps

    def metadata(self, value_bits: int) -> Metadata:
        """None: the parts lie as dense matrices do, and where they belong the program says."""
        return Metadata()

    @property
    def sorted_group(self) -> int:
        """Nothing is sorted."""
        return 1

    @property
    def sorted_kept(self) -> int:
        """One comparison an element."""
        return 1
