"""What commands put on the terminal: JSON, aligned tables, notes, and one line of progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from .streams import ShownText, shown

_REDRAW_SECONDS = 0.1
_BAR = 24


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on standard output; never NaN, which no JSON parser need accept."""
    print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))


def print_table(rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """Rows as aligned columns, the first row being the header.

    Args:
        rows: cells, as many in each row.
        right: columns that stand flush right.
    """
    table, flush_right = [tuple(row) for row in rows], set(right)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = (
            cell.rjust(width) if column in flush_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def note(text: str) -> None:
    """A remark beside the result, on standard error."""
    print(text, file=sys.stderr)


class Progress:
    """One line on standard error that says how far a long command is; silent where nobody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
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
