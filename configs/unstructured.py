"""Zeros without a rule: every element is zero with the same probability, alone or with its block.

A block is ``rows`` outputs by ``cols`` inputs of a weight [outputs, inputs]; its elements are zero together. What is
kept lies in memory as values beside what tells where they belong (``configs.encodings``): a bitmap, a bit a block,
where nothing else is named.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .encodings import ENCODINGS, Encoding, Metadata, metadata_of
from .errors import ConfigError
from .operand_format import OperandFormat

if TYPE_CHECKING:
    import numpy as np

    from .arrays import BoolArray, Counts

LARGEST_BLOCK = 256
"""The largest side of a block accepted."""

_SCALE = 1_000_000
"""Densities are whole millionths: counts of kept elements stay integers."""

_BLOCK = re.compile(r"\s*(\d+)\s*[xX]\s*(\d+)\s*")

_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%(?:\s+block\s+(\d+)\s*[xX]\s*(\d+))?(?:\s+as\s+([\w-]+))?\s*")


@dataclass(frozen=True, slots=True, order=True)
class Unstructured(OperandFormat):
    """``zeros_percent`` of a weight's elements are zero, each block by itself.

    Attributes:
        zeros_percent: 0 to below 100, in steps of a ten-thousandth.
        rows: outputs that a block spans.
        cols: inputs that it spans.
        encoding: how it lies in memory.

    >>> Unstructured.parse("80%").density
    0.2
    >>> str(Unstructured.parse("75% block 4x16"))
    '75% block 4x16'
    """

    zeros_percent: float
    rows: int = 1
    cols: int = 1
    encoding: Encoding = "bitmap"

    def __post_init__(self) -> None:
        if not 0 <= self.zeros_percent < 100 or self._kept_millionths < 1:
            raise ConfigError(f"sparsity: got {self.zeros_percent:g}%, need 0% to below 100%; try 80%")
        if not all(1 <= side <= LARGEST_BLOCK for side in (self.rows, self.cols)):
            raise ConfigError(
                f"sparsity: got a block of {self.rows}x{self.cols}, need sides of 1 to {LARGEST_BLOCK}; try 16x16"
            )

    @classmethod
    def parse(cls, text: str) -> Unstructured:
        """Read ``"80%"``, ``"75% block 16x16"``, and either with an encoding, ``"80% as run-length"``.

        Raises:
            ConfigError: the text is neither, or numbers are out of range.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ConfigError(f"sparsity: got {text!r}, need a share of zeros such as 80% or 75% block 16x16")
        return cls(float(match[1]), int(match[2] or 1), int(match[3] or 1), named_encoding(match[4]))

    # What is kept ----------------------------------------------------------------------------------------------------

    @property
    def _kept_millionths(self) -> int:
        return round(_SCALE * (100 - self.zeros_percent) / 100)

    @property
    def share(self) -> tuple[int, int]:
        """The probability that an element is kept, in millionths."""
        return self._kept_millionths, _SCALE

    @property
    def kept_scale(self) -> int:
        """Millionths."""
        return _SCALE

    def kept_elements(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Their mean, in millionths.

        >>> Unstructured(75.0).kept_elements(64)
        16000000
        """
        return channels * taps * self._kept_millionths

    @property
    def is_irregular(self) -> bool:
        """Whether there is any zero."""
        return not self.is_dense

    @property
    def block(self) -> tuple[int, int]:
        """As given."""
        return self.rows, self.cols

    @property
    def turned(self) -> Unstructured:
        """Blocks with their sides exchanged."""
        return replace(self, rows=self.cols, cols=self.rows)

    def along(self, depth: int) -> Unstructured:
        """In a product that sums over so many elements: the same, where their number changes nothing."""
        return self

    # What the array makes of it --------------------------------------------------------------------------------------

    @property
    def unit(self) -> int:
        """Inputs of a block."""
        return self.cols

    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """All: on which hardware it lies, and what that skips, is not known here."""
        return channels * taps

    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Blocks along k."""
        return taps * -(-channels // self.cols)

    # How it is stored ------------------------------------------------------------------------------------------------

    def metadata(self, value_bits: int) -> Metadata:
        """As its encoding has it."""
        return metadata_of(self.encoding, self.density, math.prod(self.block), value_bits)

    @property
    def sorted_group(self) -> int:
        """Nothing is sorted: a stream of values and their mask is filtered, an element a lane a cycle."""
        return 1

    @property
    def sorted_kept(self) -> int:
        """One comparison an element."""
        return 1

    def mask(self, draw: np.random.Generator, outputs: int, inputs: int) -> BoolArray:
        """A mask [outputs, inputs] of this format: what is True is kept.

        Args:
            draw: makes the choices.
            outputs: of the weight.
            inputs: of the weight.
        """
        blocks = math.ceil(outputs / self.rows), math.ceil(inputs / self.cols)
        kept = draw.random(blocks) < self.density
        mask: BoolArray = kept.repeat(self.rows, axis=0).repeat(self.cols, axis=1)[:outputs, :inputs]
        return mask

    def __str__(self) -> str:
        block = f" block {self.rows}x{self.cols}" if self.rows * self.cols > 1 else ""
        return f"{self.zeros_percent:.10g}%{block}{self._stored_as}"

    @property
    def _stored_as(self) -> str:
        return "" if self.encoding == "bitmap" else f" as {self.encoding}"


def parse_block(text: str) -> tuple[int, int]:
    """Read ``"32x8"``: outputs by inputs of a block.

    Raises:
        ConfigError: the text is no such block.
    """
    match = _BLOCK.fullmatch(text)
    if match is None or not all(1 <= int(side) <= LARGEST_BLOCK for side in match.groups()):
        raise ConfigError(f"got {text!r}, need a block of sides of 1 to {LARGEST_BLOCK} such as 16x16")
    return int(match[1]), int(match[2])


def named_encoding(name: str | None) -> Encoding:
    """An encoding by its name in a format's text; the bitmap when it has none.

    Raises:
        ConfigError: there is none of this name.
    """
    if name is None:
        return "bitmap"
    for known in ENCODINGS:
        if name == known:
            return known
    raise ConfigError(f"sparsity: got an encoding {name!r}, need one of {', '.join(ENCODINGS)}")
