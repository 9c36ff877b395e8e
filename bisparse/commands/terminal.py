"""What commands put on the terminal: JSON, aligned tables, notes, and one line of progress."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from .streams import ShownText, shown

_REDRAW_SECONDS = 0.1
_BAR = 24


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on standard output; never NaN, which no JSON parser need accept."""
    print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))


_NO_HEADINGS: Mapping[int, str] = MappingProxyType({})


def print_table(
    rows: Iterable[Sequence[str]], *, right: Iterable[int] = (), headings: Mapping[int, str] = _NO_HEADINGS
) -> None:
    """Rows as aligned columns, the first row being the header.

    On a terminal, or where ``COLUMNS`` says a width, they fit it: long cells are broken into lines. Elsewhere a row is
    a line, for whoever reads lines.

    Args:
        rows: cells, as many in each row.
        right: columns that stand flush right.
        headings: lines between rows: what stands before the row of that number.
    """
    table, flush_right = [tuple(row) for row in rows], set(right)
    for line in table_lines(table, flush_right, width_of_terminal(), headings):
        print(line)


def table_lines(
    table: Sequence[Sequence[str]],
    flush_right: set[int],
    width: int | None,
    headings: Mapping[int, str] = _NO_HEADINGS,
) -> Iterator[str]:
    r"""The lines of a table.

    Args:
        table: rows of cells, as many in each.
        flush_right: columns that stand so.
        width: that they fit if they can; None for lines as long as they are.
        headings: lines before rows, by the number of the row.

    >>> print(*table_lines([("name", "why"), ("rows", "nobody said how many")], set(), 20), sep="\n")
    name  why
    rows  nobody said
          how many
    """
    natural = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    widths = natural if width is None else _fitting(table, width)
    for number, row in enumerate(table):
        if number in headings:
            yield headings[number]
        broken = [_broken(cell, each) for cell, each in zip(row, widths, strict=True)]
        for parts in zip_longest(*broken, fillvalue=""):
            cells = (
                part.rjust(each) if column in flush_right else part.ljust(each)
                for column, (part, each) in enumerate(zip(parts, widths, strict=True))
            )
            yield "  ".join(cells).rstrip()


def width_of_terminal() -> int | None:
    """Of standard output, or what ``COLUMNS`` says; None where nobody looks at columns."""
    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return max(shutil.get_terminal_size().columns, _NARROWEST_TABLE)
    return None


_NARROWEST_TABLE = 40
"""Columns; a table in fewer is no table."""

_LONGEST_WORD, _NARROWEST_COLUMN = 36, 10
"""To which a column is narrowed for the others' sake: its longest word, at first, and then what there must be."""

_PARTS = re.compile(r"[^\s.,_/-]*[\s.,_/-]*")
"""Of a cell: words, and the parts of names and paths with what joins them."""


def _fitting(table: Sequence[Sequence[str]], width: int) -> list[int]:
    """Widths of columns that fit a line, the widest narrowed first; words are broken only where nothing else helps."""
    columns = list(zip(*table, strict=True))
    fitted = [max(map(len, cells)) for cells in columns]
    words = [min(max(len(word) for cell in cells for word in cell.split() or [""]), _LONGEST_WORD) for cells in columns]
    room = width - 2 * (len(columns) - 1)
    for least in (words, [_NARROWEST_COLUMN] * len(columns)):
        while sum(fitted) > room:
            wide = [column for column, each in enumerate(fitted) if each > least[column]]
            if not wide:
                break
            fitted[max(wide, key=fitted.__getitem__)] -= 1
    return fitted


def _broken(cell: str, width: int) -> list[str]:
    """A cell in lines."""
    lines = [""]
    for part in _PARTS.findall(cell):
        rest = part
        if lines[-1] and len(lines[-1]) + len(rest.rstrip()) > width:
            lines.append("")
        while len(rest.rstrip()) > width:
            lines[-1], rest = rest[:width], rest[width:]
            lines.append("")
        lines[-1] += rest
    return [line.rstrip() for line in lines]


_quiet = False


def keep_quiet(wanted: bool) -> None:
    """Whether remarks and progress are kept back, from now on."""
    global _quiet
    _quiet = wanted


def note(text: str) -> None:
    """A remark beside the result, on standard error; nothing where quiet is asked for."""
    if not _quiet:
        print(text, file=sys.stderr)


class Progress:
    """One line on standard error that says how far a long command is; silent where nobody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty() and not _quiet
        self._drawn = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._draw("")

    def __call__(self, task: str, done: int, of: int) -> None:
        """Show that ``done`` of so many parts of a task are done."""
        if self._watched and (done == 0 or time.monotonic() - self._drawn > _REDRAW_SECONDS):
            filled = round(_BAR * done / of) if of else _BAR
            self._draw(f"[{'#' * filled}{'.' * (_BAR - filled)}] {done} of {of}  {task}")

    def _draw(self, text: str) -> None:
        self._drawn = time.monotonic()
        stream = sys.stderr.stream if isinstance(sys.stderr, ShownText) else sys.stderr
        # Back to the start of the line, and clear it.
        print(f"\r\x1b[K{shown(text)}", end="", file=stream, flush=True)
