"""Zeros without a rule, as many in every row of a weight [outputs, inputs], or in every column.

Pruning that ranks the weights of each output by themselves leaves such masks (Wanda, DSnoT, and torch's magnitude
pruning row by row). Where a product sums along a row, a lane keeps a known count in all: what differs is how it falls
into groups. Along the other axis elements are kept as if independently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .errors import ConfigError
from .unstructured import Unstructured, named_encoding

if TYPE_CHECKING:
    import numpy as np

    from .arrays import BoolArray

_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s+in\s+each\s+(row|column)(?:\s+as\s+([\w-]+))?\s*")


@dataclass(frozen=True, slots=True, order=True)
class Balanced(Unstructured):
    """``zeros_percent`` of the elements of every row are zero, or of every column, wherever they lie in it.

    Attributes:
        within: what has equal counts: rows are the outputs of the weight, or of the turned one.
        length: elements of a row, of the product that sums along it; 0 where that is not known.

    >>> str(Balanced.parse("70% in each row").turned)
    '70% in each column'
    """

    within: Literal["row", "column"] = "row"
    length: int = 0

    @classmethod
    def parse(cls, text: str) -> Balanced:
        """Read ``"70% in each row"`` or ``"70% in each column"``.

        Raises:
            ConfigError: the text is neither, or the share is out of range.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ConfigError(f"sparsity: got {text!r}, need a share of zeros such as 70% in each row")
        within: Literal["row", "column"] = "row" if match[2] == "row" else "column"
        return cls(float(match[1]), encoding=named_encoding(match[3]), within=within)

    @property
    def turned(self) -> Balanced:
        """Rows and columns exchanged."""
        return replace(self, within="column" if self.within == "row" else "row", length=0)

    def along(self, depth: int) -> Balanced:
        """In a product that sums over so many elements."""
        return replace(self, length=depth) if self.within == "row" else self

    @property
    def kept_of_row(self) -> int:
        """Elements kept of a row of ``length``, at least one."""
        return kept_of_line(self.length, self.density)

    def mask(self, draw: np.random.Generator, outputs: int, inputs: int) -> BoolArray:
        """A mask [outputs, inputs] of this format: what is True is kept."""
        lines, length = (outputs, inputs) if self.within == "row" else (inputs, outputs)
        places = draw.random((lines, length)).argsort(axis=1)
        kept: BoolArray = places < kept_of_line(length, self.density)
        return kept if self.within == "row" else kept.T

    def __str__(self) -> str:
        return f"{self.zeros_percent:.10g}% in each {self.within}{self._stored_as}"


def kept_of_line(length: int, density: float) -> int:
    """Elements kept of a line of some length, at least one: all but the whole part of its zeros.

    >>> kept_of_line(10, 0.25)
    3
    """
    return max(1, length - int(length * (1 - density) + 1e-9))
