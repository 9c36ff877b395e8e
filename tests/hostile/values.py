"""Values that nobody means: numbers at the ends of their types, texts that something else would obey."""

from __future__ import annotations

import math
from random import Random
from typing import Any

NUMBERS: tuple[int | float, ...] = (
    *(0, -1, 1, 2, 3, 7, 1000, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**29, 10**30),
    *(0.5, -0.0, 5e-324, 1e-9, 1e308, -1e308, math.nan, math.inf, -math.inf),
)

NUMBER_TEXTS = (
    *("9" * 5000, "-" + "9" * 5000, "1e5", "1e999", "1e-999", "0x10", "1_000", "0b1", "٣", " 7 ", "+1", "007", "1,5"),
    *("1/0", "NaN", "inf", "-0", "1.", "12e", "--1", "1 MiB", "1e400 GB/s", "9" * 40),
)

MARK = "hostile"
"""Stands in each name that something might obey, so that it is found again in what was written."""

NAMES = (
    f"\x1b[2J\x1b]0;{MARK}\x07",
    f"[bold red]{MARK}[/]",
    f"=cmd|{MARK}!A1",
    f"@{MARK}",
    f"-{MARK}",
    f"+{MARK}",
    f"<script>alert('{MARK}')</script>",
    f"{{{{ {MARK} }}}}{{% raw %}}",
    f"/*plotly*/{MARK}",
    f"../../../{MARK}",
    f"/proc/self/{MARK}",
    f"a/{MARK}:b",
    f"{MARK}\ud800",
    f"{MARK}\u202e\u2066",
    f"{MARK}\x00",
    f"{MARK}\nand more\rand",
    f"%s%n{{0}}{MARK}",
    f"${{{MARK}}}$(id)`id`",
    f"|{MARK}|*_[a](b)",
    MARK * 800,
    "",
    " ",
    "~",
    ".",
    "..",
    "null",
    "true",
    "no",
    "é" * 300,
)

OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [None], {"a": 1}, [[]], [1, 2, 3], "text", "2:8", "0:0", "9:8")


class Literal(str):
    """A text that stands in a file as it is, without the quotes of a text."""


def deep(levels: int) -> Literal:
    """Lists and mappings within each other, as both YAML and JSON have them."""
    return Literal('[{"a": ' * (levels // 2) + "1" + "}]" * (levels // 2))


def a_number(draw: Random) -> tuple[str, Any]:
    """The name of what it is, and a number or how one might be written."""
    if draw.random() < 0.6:
        return "number", draw.choice(NUMBERS)
    return "number", Literal(draw.choice(NUMBER_TEXTS))


def a_name(draw: Random) -> tuple[str, Any]:
    """A text."""
    return "name", draw.choice(NAMES)


def another(draw: Random) -> tuple[str, Any]:
    """A value of some other type, very deep or very long."""
    chance = draw.random()
    if chance < 0.08:
        return "nested deep", deep(draw.choice((30, 63, 70, 1000)))
    if chance < 0.14:
        return "huge list", [draw.choice((0, 1, "x", None, 2.5))] * draw.choice((1000, 30_000))
    return "other type", draw.choice(OTHERS)
