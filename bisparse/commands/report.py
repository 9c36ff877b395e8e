"""``bisparse report``: a run's pages made again from its results."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..configs.file_reading import decoded, is_file, read_file
from ..configs.run_directory import sole_owner
from . import explore
from .pages import show_page
from .terminal import note


def report(
    context: typer.Context,
    run_directory: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_DIR", help="The directory of an earlier simulate, compare, ablate, codesign or explore."
        ),
    ],
    design: Annotated[
        str | None,
        typer.Option(
            "--design", metavar="KEY", help="Of an exploration: the report of one of its designs, by its key."
        ),
    ] = None,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Render the report of a run again.

    Reads result.json, ablation.json or codesign.json, all that are there, and simulates nothing. Of an exploration it
    reads study.sqlite, and simulates the designs that get a report of their own.
    """
    from ..reports.kinds import REPORT_KINDS

    if run_directory.is_dir():
        context.with_resource(sole_owner(run_directory, told=note))
    if design is not None:
        show_page(explore.of_design(run_directory, design), open_page=open_report)
        return
    # A directory without any is asked for the results of a run, whose reader says what is missing.
    there = [kind for kind in REPORT_KINDS if (run_directory / kind.document_file).exists()] or REPORT_KINDS[:1]
    pages = [
        kind.again(run_directory, command=_command(run_directory, kind.command_file), version=__version__, told=note)
        for kind in there
    ]
    for page in pages:
        show_page(page, open_page=open_report)


def _command(run_directory: Path, file: str) -> str:
    """What repeats the run, as far as it is known."""
    asked = run_directory / file
    repeat = decoded(read_file(asked, need="a command"), asked).strip() if is_file(asked) else ""
    return repeat or shlex.join(["bisparse", "report", str(run_directory)])
