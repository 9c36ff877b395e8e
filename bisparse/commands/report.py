"""``bisparse report``: a run's pages made again from its results."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from .step import COMMAND_FILE


def report(
    run_directory: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="The directory that an earlier simulate or compare wrote.")
    ],
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Render the report of a run again.

    Reads result.json and simulates nothing.
    """
    from ..reports import read_run, write_run

    results = read_run(run_directory)
    asked = run_directory / COMMAND_FILE
    repeat = asked.read_text(encoding="utf-8").strip() if asked.is_file() else ""
    page = write_run(results, run_directory, command=repeat or shlex.join(["bisparse", "report", str(run_directory)]))
    print(f"report: {page}")
    if open_report:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
