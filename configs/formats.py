"""Formats of sparse operands by their text: the one place that reads it."""

from __future__ import annotations

from .errors import ConfigError
from .operand_format import OperandFormat
from .pattern import Pattern
from .unstructured import Unstructured


def parse_format(text: str) -> OperandFormat:
    """Read ``"2:8"`` (N:M), ``"80%"`` (zeros anywhere) or ``"75% block 16x16"`` (zeros in blocks).

    Raises:
        ConfigError: the text is no format.

    >>> [parse_format(text).density for text in ("2:8", "80%", "75% block 16x16")]
    [0.25, 0.2, 0.25]
    """
    if "%" in text:
        return Unstructured.parse(text)
    if ":" in text:
        return Pattern.parse(text)
    raise ConfigError(
        f"sparsity: got {text!r}, need N:M such as 2:8 (2 kept of every 8), or a share of zeros such as 80% or "
        "75% block 16x16"
    )
