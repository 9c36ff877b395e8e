"""Formats of sparse operands by their text: the one place that reads it."""

from __future__ import annotations

from .balanced import Balanced
from .errors import ConfigError
from .operand_format import OperandFormat
from .pattern import Pattern
from .unstructured import Unstructured


def parse_format(text: str) -> OperandFormat:
    """Read ``"2:8"`` (N:M), ``"80%"`` (zeros anywhere), ``"75% block 16x16"`` (in blocks), ``"70% in each row"``.

    Raises:
        ConfigError: the text is no format.

    >>> [parse_format(text).density for text in ("2:8", "80%", "75% block 16x16", "50% in each row")]
    [0.25, 0.2, 0.25, 0.5]
    """
    if " in each " in text:
        return Balanced.parse(text)
    if "%" in text:
        return Unstructured.parse(text)
    if ":" in text:
        return Pattern.parse(text)
    raise ConfigError(
        f"sparsity: got {text!r}, need N:M such as 2:8 (2 kept of every 8), or a share of zeros such as 80%, "
        "75% block 16x16 or 70% in each row"
    )
