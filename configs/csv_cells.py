"""Cells of CSV files that no spreadsheet takes for a formula.

A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break is computed by spreadsheets, which may run
programs. It is written with an apostrophe before it, as spreadsheets themselves mark a text; numbers stay as they are.
"""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_cell(value: Any) -> Any:
    """A value as it may stand in a file.

    >>> csv_cell("=1+cmd"), csv_cell("bdwp"), csv_cell(-2), csv_cell("-2.5e-3")
    ("'=1+cmd", 'bdwp', -2, '-2.5e-3')
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def cell_text(cell: str) -> str:
    """The text of a cell as ``csv_cell`` wrote it.

    >>> cell_text("'=1+cmd"), cell_text("bdwp"), cell_text("'tis")
    ('=1+cmd', 'bdwp', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
