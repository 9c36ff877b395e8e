"""Markdown: tables, and text that it shows as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .table import Table


def table_lines(content: Table) -> Iterator[str]:
    """A table in Markdown, and the empty line after it."""
    yield _row(content.headings)
    yield _row([":--" if position in content.words else "--:" for position in range(len(content.headings))])
    for row in content.rows:
        yield _row([escaped(cell.text) for cell in row])
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in ("\\", "|", "<", "*", "`", "_", "["):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.splitlines())
