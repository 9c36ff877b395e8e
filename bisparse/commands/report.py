"""``bisparse report``: a run's pages made again from its results."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from . import ablate, codesign, explore
from .pages import show_page
from .step import COMMAND_FILE


def report(
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
    from ..reports import read_ablation, read_codesign, read_run, write_ablation, write_codesign, write_run
    from ..reports.ablation.directory import ABLATION_FILE
    from ..reports.codesign.directory import CODESIGN_FILE
    from ..reports.run.directory import RESULT_FILE
    from ..sim.studies.explore import STORE_FILE

    if design is not None:
        show_page(explore.of_design(run_directory, design), open_page=open_report)
        return
    pages = []
    has_ablation = (run_directory / ABLATION_FILE).exists()
    has_study = (run_directory / CODESIGN_FILE).exists()
    has_space = (run_directory / STORE_FILE).exists()
    if (run_directory / RESULT_FILE).exists() or not (has_ablation or has_study or has_space):
        results = read_run(run_directory)
        pages.append(write_run(results, run_directory, command=_command(run_directory, COMMAND_FILE)))
    if has_ablation:
        ablation = read_ablation(run_directory)
        command = _command(run_directory, ablate.COMMAND_FILE)
        pages.append(write_ablation(ablation, run_directory, command=command))
    if has_study:
        study = read_codesign(run_directory)
        pages.append(write_codesign(study, run_directory, command=_command(run_directory, codesign.COMMAND_FILE)))
    if has_space:
        pages.append(explore.again(run_directory, _command(run_directory, explore.COMMAND_FILE)))
    for page in pages:
        show_page(page, open_page=open_report)


def _command(run_directory: Path, file: str) -> str:
    """What repeats the run, as far as it is known."""
    asked = run_directory / file
    repeat = asked.read_text(encoding="utf-8").strip() if asked.is_file() else ""
    return repeat or shlex.join(["bisparse", "report", str(run_directory)])
