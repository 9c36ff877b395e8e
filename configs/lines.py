"""Whole rows or columns of a weight [outputs, inputs] are zero: filters, or input channels at every kernel position."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .balanced import kept_of_line
from .errors import ConfigError
from .structured import Part, Structured

if TYPE_CHECKING:
    import numpy as np

    from .arrays import BoolArray

_SCALE = 1_000_000
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s+of\s+(rows|columns|channels)\s*")

Line = Literal["rows", "columns"]


@dataclass(frozen=True, slots=True, order=True)
class Lines(Structured):
    """``zeros_percent`` of the rows, or of the columns, are zero as a whole.

    Attributes:
        zeros_percent: 0 to below 100.
        line: which lines: rows are outputs, columns inputs, of a convolution channels at every kernel position.
        outputs: of the weight; 0 where that is not known.
        inputs: of it.

    >>> Lines.parse("50% of rows").on(10, 64).parts()
    (Part(outputs=5, inputs=64, times=1),)
    >>> str(Lines.parse("50% of rows").turned)
    '50% of columns'
    """

    zeros_percent: float
    line: Line
    outputs: int = 0
    inputs: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.zeros_percent < 100:
            raise ConfigError(f"sparsity: got {self.zeros_percent:g}%, need 0% to below 100%; try 50% of rows")

    @classmethod
    def parse(cls, text: str) -> Lines:
        """Read ``"50% of rows"`` or ``"50% of columns"``; channels are columns.

        Raises:
            ConfigError: the text is neither, or the share is out of range.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ConfigError(f"sparsity: got {text!r}, need 50% of rows or 50% of columns")
        return cls(float(match[1]), "rows" if match[2] == "rows" else "columns")

    @property
    def nominal_share(self) -> tuple[int, int]:
        """In millionths."""
        return round(_SCALE * (100 - self.zeros_percent) / 100), _SCALE

    @property
    def turned(self) -> Lines:
        """Rows for columns."""
        line: Line = "columns" if self.line == "rows" else "rows"
        return replace(self, line=line, outputs=self.inputs, inputs=self.outputs)

    def kept_lines(self, lines: int) -> int:
        """Of so many those kept."""
        return kept_of_line(lines, 1 - self.zeros_percent / 100)

    def parts(self) -> tuple[Part, ...]:
        """One, with fewer lines."""
        if self.line == "rows":
            return (Part(self.kept_lines(self.outputs), self.inputs),)
        return (Part(self.outputs, self.kept_lines(self.inputs)),)

    def mask(self, draw: np.random.Generator, outputs: int, inputs: int) -> BoolArray:
        """A mask [outputs, inputs] of this format: what is True is kept."""
        lines, length = (outputs, inputs) if self.line == "rows" else (inputs, outputs)
        kept: BoolArray = (draw.permutation(lines) < self.kept_lines(lines))[:, None].repeat(length, axis=1)
        return kept if self.line == "rows" else kept.T

    def __str__(self) -> str:
        return f"{self.zeros_percent:.10g}% of {self.line}"
