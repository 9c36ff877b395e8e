"""Plain text for a terminal: wrapped sentences and aligned columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

WIDTH = 80
"""Columns of a terminal that does not say."""

_MOST = 100


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """Lines of at most ``width`` characters and never more than can be read, names permitting."""
    # A name broken at its hyphen cannot be searched for.
    return textwrap.wrap(text, min(width, _MOST), break_on_hyphens=False, break_long_words=False)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns side by side: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first = row[0].ljust(widths[0])
        yield "  ".join([first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
