"""A layer of a SCALE-Sim topology as the product that SCALE-Sim makes of it.

``Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides`` and perhaps
``Stride Height``, ``Stride Width`` (in place of ``Strides``), ``Batch Size``, ``Sparsity``, under any spelling of
these. Quirks of lists that it ships are read as it reads them, by position: ``IFMAP Width`` twice, a second stride that
no column names, rows that end before ``Batch Size`` or ``Sparsity``. The image stands as it is convolved: padding is in
it. As SCALE-Sim 3's topology reader has it: positions along an axis are ceil((image - filter + stride) / stride), rows
of A all positions, columns of A a filter's values, columns of B filters. A depthwise convolution has no spelling of its
own there, and what a list says is what is multiplied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...accel.tensor_engine import ceil_div
from ...configs.errors import ConfigError

SIZES = (
    "IFMAP Height",
    "IFMAP Width",
    "Filter Height",
    "Filter Width",
    "Channels",
    "Num Filter",
)
"""Columns of a convolution; a stride is needed beside them."""

STRIDES = ("Strides", "Stride Height", "Stride Width")
"""One for both axes, or one each."""

BATCH = "Batch Size"
"""Images; 1 where there is no such column."""

_SPELLINGS = {
    "num filters": "num filter",
    "number of filters": "num filter",
    "stride": "strides",
    "batch": "batch size",
    "sparsity ratio": "sparsity",
}


def plain_name(name: str) -> str:
    """A column's name without capitals, points and double blanks, in the spelling that is known.

    >>> plain_name(" Num  Filters"), plain_name("IFMAP_Height")
    ('num filter', 'ifmap height')
    """
    plain = re.sub(r"[\s_.-]+", " ", name.strip().lower())
    return _SPELLINGS.get(plain, plain)


def is_convolution(header: list[str]) -> bool:
    """Whether a list's columns are those of convolutions."""
    return plain_name("IFMAP Width") in map(plain_name, header)


def mended_header(header: list[str]) -> list[str]:
    """The columns of convolutions: of two widths of an image side by side the first is the height."""
    width = plain_name("IFMAP Width")
    for at in range(len(header) - 1):
        if plain_name(header[at]) == plain_name(header[at + 1]) == width:
            return [*header[:at], "IFMAP Height", *header[at + 1 :]]
    return header


def mended_row(header: list[str], cells: list[str]) -> tuple[list[str], list[str]]:
    """A layer's columns and values: optional columns at the end may lack a value, a value more is the other stride."""
    short = header[len(cells) :]
    if short and all(plain_name(name) in (plain_name(BATCH), "sparsity") for name in short):
        return header[: len(cells)], cells
    if len(cells) == len(header) + 1 and plain_name(header[-1]) == "strides":
        return [*header[:-1], *STRIDES[1:]], cells
    return header, cells


def layer_product(place: str, size: Mapping[str, int]) -> tuple[int, int, int]:
    """m, n and k of a layer.

    Args:
        place: ``file:line``.
        size: values of the columns, by name.

    Raises:
        ConfigError: a filter is larger than its image.
    """
    positions = 1
    for side in ("Height", "Width"):
        image, kernel = size[f"IFMAP {side}"], size[f"Filter {side}"]
        stride = size.get(f"Stride {side}") or size["Strides"]
        if kernel > image:
            raise ConfigError(
                f"{place}: Filter {side}: got {kernel} in an image of {image}, need no more; padding is in it"
            )
        positions *= int(ceil_div(image - kernel + stride, stride))
    return (
        size.get(BATCH, 1) * positions,
        size["Num Filter"],
        size["Filter Height"] * size["Filter Width"] * size["Channels"],
    )
