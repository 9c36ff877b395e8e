"""Sizes with units, as users write them: ``512 KiB``, ``200 MHz``, ``19.2 GB/s``, ``100 ns``.

Each quantity has a parse function and a pydantic type of the same meaning. A plain number is in the base
unit: bytes, hertz, bytes a second, seconds. Units follow SI and IEC 80000-13, and their letter case counts:
``kB`` is 1000 bytes and ``KiB`` 1024; ``KB`` is refused, for it has been used for both, and so is ``Gb``,
which is bits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from .errors import ConfigError
from .formats import parse_format
from .pattern import Pattern
from .unstructured import parse_block

_SI = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

BYTE_UNITS = {f"{prefix}B": Fraction(scale) for prefix, scale in (_SI | _BINARY).items()}
HERTZ_UNITS = {f"{prefix}Hz": Fraction(scale) for prefix, scale in _SI.items() if prefix != "T"}
BYTES_PER_SECOND_UNITS = {f"{unit}/s": scale for unit, scale in BYTE_UNITS.items()}
SECOND_UNITS = {
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
    "ps": Fraction(1, 10**12),
}

LARGEST = 1e30
"""No quantity reaches this; a slip of the keyboard can."""

_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d\d?)?)\s*([^\s\d].*?)?\s*")


def parse_bytes(value: int | float | str) -> int:
    """Bytes, a whole number.

    Raises:
        ConfigError: no such unit, a negative size or a fraction of a byte.

    >>> parse_bytes("512 KiB"), parse_bytes("1.5 MB"), parse_bytes(64)
    (524288, 1500000, 64)
    """
    size = _parse(value, "bytes", BYTE_UNITS, "512 KiB")
    if size.denominator != 1:
        raise ConfigError(f"got {value!r}, need a whole number of bytes; try {math.ceil(size)}")
    return int(size)


def parse_hertz(value: int | float | str) -> float:
    """Hertz.

    Raises:
        ConfigError: no such unit or a negative frequency.

    >>> parse_hertz("200 MHz")
    200000000.0
    """
    return float(_parse(value, "hertz", HERTZ_UNITS, "200 MHz"))


def parse_bytes_per_second(value: int | float | str) -> float:
    """Bytes a second.

    Raises:
        ConfigError: no such unit or a negative rate.

    >>> parse_bytes_per_second("19.2 GB/s")
    19200000000.0
    """
    return float(_parse(value, "bytes per second", BYTES_PER_SECOND_UNITS, "19.2 GB/s"))


def parse_seconds(value: int | float | str) -> float:
    """Seconds.

    Raises:
        ConfigError: no such unit or a negative time.

    >>> parse_seconds("100 ns")
    1e-07
    """
    return float(_parse(value, "seconds", SECOND_UNITS, "100 ns"))


def _parse(value: Any, quantity: str, units: Mapping[str, Fraction], example: str) -> Fraction:
    """The value in the base unit, exact."""
    number, scale = None, Fraction(1)
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match and (match[2] is None or match[2] in units):
            number, scale = Fraction(match[1]), units[match[2]] if match[2] else scale
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Fraction(value)
    elif isinstance(value, float) and math.isfinite(value):
        # By way of text, so that 0.1 is a tenth and not the nearest binary fraction.
        number = Fraction(repr(value))
    if number is None:
        accepted = ", ".join(units)
        raise ConfigError(f"got {value!r}, need {quantity}: a number, alone or with one of {accepted}; try {example}")
    if number < 0:
        raise ConfigError(f"got {_shown(value)}, need {quantity} that are not negative; try {example}")
    if number * scale >= LARGEST:
        raise ConfigError(f"got {_shown(value)}, need {quantity} below {LARGEST:.0e}; try {example}")
    return number * scale


def _shown(value: object) -> str:
    """A value in a message, however long it is."""
    if isinstance(value, int) and abs(value) >= 10**40:
        return "an integer of more than 40 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}... ({len(text)} characters)"


def as_field(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A parse function for use as a pydantic validator.

    Pydantic adds a location to its own errors only; a ConfigError would pass through it without the line.
    """

    def validate(value: Any) -> Any:
        try:
            return parse(value)
        except ConfigError as error:
            raise PydanticCustomError("config_error", "{message}", {"message": str(error)}) from None

    return validate


def _or_text(kind: str, example: str) -> WithJsonSchema:
    """What an editor is told of a quantity."""
    return WithJsonSchema({"type": [kind, "string"], "examples": [example]})


Bytes = Annotated[int, BeforeValidator(as_field(parse_bytes)), _or_text("integer", "512 KiB")]
"""Field type: a whole number of bytes, from a number or a text such as ``512 KiB``."""

Hertz = Annotated[float, BeforeValidator(as_field(parse_hertz)), _or_text("number", "200 MHz")]
"""Field type: hertz, from a number or a text such as ``200 MHz``."""

BytesPerSecond = Annotated[float, BeforeValidator(as_field(parse_bytes_per_second)), _or_text("number", "19.2 GB/s")]
"""Field type: bytes a second, from a number or a text such as ``19.2 GB/s``."""

Seconds = Annotated[float, BeforeValidator(as_field(parse_seconds)), _or_text("number", "100 ns")]
"""Field type: seconds, from a number or a text such as ``100 ns``."""

PatternText = Annotated[str, AfterValidator(as_field(lambda text: str(Pattern.parse(text))))]
"""Field type: the text of a possible N:M pattern, in the form ``2:8``."""

FormatText = Annotated[str, AfterValidator(as_field(lambda text: str(parse_format(text))))]
"""Field type: the text of a format of sparse operands, such as ``2:8``, ``80%`` or ``75% block 16x16``."""

BlockText = Annotated[str, AfterValidator(as_field(lambda text: "{}x{}".format(*parse_block(text))))]
"""Field type: the text of a block, outputs by inputs, such as ``32x8``."""
