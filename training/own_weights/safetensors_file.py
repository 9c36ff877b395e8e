"""Files of safetensors, read by NumPy: a length, a header in JSON that names tensors, their bytes one after the other.

Which elements are zero is read off the bits, so that types that NumPy lacks (BF16, FP8) are counted, too. Format:
https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ...configs.arrays import BoolArray
from ...configs.complaints import shown
from ...configs.errors import CaptureError, ConfigError
from ...configs.strict_json import parse_json
from .held import Held, told

_LENGTH_BYTES = 8
_LARGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""

_METADATA = "__metadata__"


class _Bits(NamedTuple):
    """How the bits of a type say what a value is.

    Attributes:
        width: bytes.
        sign: bits that do not matter to whether it is zero.
        no_number: bits of the exponent that are all set in what is no finite number; 0 of integers.
    """

    width: int
    sign: int = 0
    no_number: int = 0


_TYPES = {
    "F64": _Bits(8, 1 << 63, 0x7FF << 52),
    "F32": _Bits(4, 1 << 31, 0xFF << 23),
    "F16": _Bits(2, 1 << 15, 0x1F << 10),
    "BF16": _Bits(2, 1 << 15, 0xFF << 7),
    "F8_E5M2": _Bits(1, 1 << 7, 0x1F << 2),
    # Finite but for NaN, all ones.
    "F8_E4M3": _Bits(1, 1 << 7, 0x7F),
    **{f"{kind}{8 * width}": _Bits(width) for kind in "IU" for width in (1, 2, 4, 8)},
    "BOOL": _Bits(1),
}


def read_safetensors(file: Path) -> dict[str, Held]:
    """Tensors by name.

    Raises:
        CaptureError: the file is damaged, or its tensors lie beyond its end.
    """
    header, start, end = _header(file)
    found = {}
    for name, record in header.items():
        if name == _METADATA:
            continue
        kind, shape, begin, stop = _record(file, name, record)
        width = _TYPES[kind].width if kind in _TYPES else None
        if stop > end - start:
            _refuse(file, f"{told(name)} to end at byte {start + stop}, need it within the file's {end}")
        if width is not None and stop - begin != width * math.prod(shape):
            _refuse(
                file, f"{told(name)} in {stop - begin} bytes, need {width * math.prod(shape)} of {kind} {list(shape)}"
            )
        found[name] = _held(file, name, kind, shape, start + begin)
    if not found:
        _refuse(file, "no tensors, need some")
    return found


def _header(file: Path) -> tuple[Mapping[str, Any], int, int]:
    """What a file says of its tensors, where they begin, and its bytes."""
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
            if size < _LENGTH_BYTES or length > min(size - _LENGTH_BYTES, _LARGEST_HEADER):
                _refuse(file, f"{size} bytes that do not begin as safetensors do, need a whole file")
            header = parse_json(stream.read(length), file=file)
    except OSError as error:
        raise CaptureError(f"{file}: got {error.strerror}, need a file that can be read") from None
    except ConfigError as error:
        raise CaptureError(str(error)) from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        _refuse(file, "a header that is no JSON, need one of safetensors")
    if not isinstance(header, dict):
        _refuse(file, f"a header that is {type(header).__name__}, need an object")
    return header, _LENGTH_BYTES + length, size


def _record(file: Path, name: str, record: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Type, shape, first byte and the byte behind the last of a tensor."""
    try:
        kind, shape, offsets = record["dtype"], record["shape"], record["data_offsets"]
        begin, stop = offsets
    except (TypeError, KeyError, ValueError):
        _refuse(file, f"{told(name)} without dtype, shape or data_offsets, need all three")
    if not isinstance(kind, str) or not isinstance(shape, list):
        _refuse(file, f"{told(name)} with a dtype or shape of the wrong type, need a text and a list")
    if not all(type(number) is int and number >= 0 for number in (*shape, begin, stop)) or begin > stop:
        _refuse(file, f"{told(name)} of shape {shown(shape)} at {shown(offsets)}, need whole numbers that rise")
    return kind, tuple(shape), begin, stop


def _held(file: Path, name: str, kind: str, shape: tuple[int, ...], at: int) -> Held:
    def nonzero() -> BoolArray:
        if kind not in _TYPES:
            raise CaptureError(
                f"{file}: {told(name)}: got values of type {told(kind)}, need one of {', '.join(_TYPES)}"
            )
        width, sign, no_number = _TYPES[kind]
        # NumPy maps no empty piece of a file.
        values = np.zeros(shape, dtype=f"<u{width}")
        if values.size:
            values = np.asarray(np.memmap(file, dtype=f"<u{width}", mode="r", offset=at, shape=shape))
        if no_number:
            check_numbers(file, name, int(np.count_nonzero((values & no_number) == no_number)), values.size)
        return np.asarray((values & ((1 << 8 * width) - 1 - sign)) != 0)

    return Held(name=name, shape=shape, nonzero=nonzero)


def check_numbers(file: Path, name: str, broken: int, elements: int) -> None:
    """Refuse a tensor with values that are no finite numbers: nobody can say what a diverged network would have kept.

    Raises:
        CaptureError: there are such.
    """
    if broken:
        raise CaptureError(
            f"{file}: {told(name)}: got {broken} of {elements} values that are not finite, need numbers; "
            "try a checkpoint from before the training diverged"
        )


def _refuse(file: Path, got: str) -> NoReturn:
    raise CaptureError(f"{file}: got {got}; try saving them again")
