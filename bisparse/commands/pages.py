"""A command's report: written with the command that made it, told, and opened where that is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from . import options
from .terminal import note

if TYPE_CHECKING:
    from ..reports.shared.report_kind import JsonReport

Result = TypeVar("Result")


def write_page(
    kind: Callable[[], JsonReport[Result]], result: Result, context: typer.Context, out: Path | None, *, open_page: bool
) -> Path | None:
    """Write results, and beside them the command line that repeats them.

    Args:
        kind: of the report, imported when there is one to write.
        result: of the command.
        context: of the command.
        out: the directory; a temporary one where there is only a page to open.
        open_page: whether the page will be opened.

    Returns:
        The page, or None where nobody asked for one.
    """
    if out is None and not open_page:
        return None
    import tempfile

    directory = out or Path(tempfile.mkdtemp(prefix="bisparse-"))
    command = options.invocation(context)
    declared = kind()
    page = declared.write(result, directory, command=command)
    (directory / declared.command_file).write_text(f"{command}\n", encoding="utf-8")
    return page


def show_page(page: Path, *, open_page: bool, as_json: bool = False) -> None:
    """Say where the page is, beside the result where that is JSON, and open it where that is asked."""
    (note if as_json else print)(f"report: {page}")
    if open_page:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
