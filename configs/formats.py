"""Formats of sparse operands by their text: the one place that reads it."""

from __future__ import annotations

from .balanced import Balanced
from .diagonal import Band, DiagonalBlocks
from .errors import ConfigError
from .lines import Lines
from .operand_format import OperandFormat
from .pattern import Pattern
from .permuted import Permuted
from .terms import Terms
from .unstructured import Unstructured

_BY_WORD: dict[str, type[Balanced | Lines | DiagonalBlocks | Band | Terms | Permuted]] = {
    " in each ": Balanced,
    " of ": Lines,
    " diagonal ": DiagonalBlocks,
    "band ": Band,
    "+": Terms,
    " permuted": Permuted,
}


def parse_format(text: str) -> OperandFormat:
    """Read ``"2:8"`` (N:M), ``"80%"`` (zeros anywhere), ``"75% block 16x16"`` (in blocks), ``"70% in each row"``.

    And by structure: ``"50% of rows"``, ``"50% of columns"``, ``"4 diagonal blocks"``, ``"band 32"``. ``"2:8+1:8"``
    is a sum of N:M terms, ``"2:8 permuted"`` N:M in an order of channels of its own.

    Raises:
        ConfigError: the text is no format.

    >>> [parse_format(text).density for text in ("2:8", "80%", "75% block 16x16", "50% in each row")]
    [0.25, 0.2, 0.25, 0.5]
    """
    for word, kind in _BY_WORD.items():
        if word in text:
            return kind.parse(text)
    if "%" in text:
        return Unstructured.parse(text)
    if ":" in text:
        return Pattern.parse(text)
    raise ConfigError(
        f"sparsity: got {text!r}, need N:M such as 2:8 (2 kept of every 8), or a share of zeros such as 80%, "
        "75% block 16x16, 70% in each row or 50% of rows; or 4 diagonal blocks, or band 32"
    )
