"""``bisparse consistent``: which designs agree with all that is published of one, and what they agree on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import __version__
from ..configs.file_names import shortened
from . import options
from .completion import shipped
from .groups import grouped
from .pages import Output
from .terminal import Progress, note

if TYPE_CHECKING:
    from ..sim.studies.consistency.consistency import Consistency

ClaimFile = Annotated[
    str,
    typer.Argument(metavar="CLAIMS", help="Shipped claims (sat) or YAML file.", autocompletion=shipped("claims")),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="consistent.sqlite, consistent.json, designs.csv, report. [runs/consistent-CLAIMS]",
    ),
]
Draws = Annotated[
    int | None, options.whole("--draws", metavar="N", example=96, at_least=2, help="Designs drawn. [the file's]")
]
Seed = Annotated[
    int | None, options.whole("--seed", metavar="N", example=1, at_least=0, help="Of the draws. [the file's]")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Use the runs in the directory: only what it lacks is computed.")
]
Jobs = Annotated[
    int | None, options.whole("--jobs", metavar="N", example=2, help="Processes on this machine. [as many as cores]")
]


@grouped
def consistent(
    claims: ClaimFile,
    out: Out = None,
    draws: Draws = None,
    seed: Seed = None,
    resume: Resume = False,
    jobs: Jobs = None,
    *,
    output: Output,
) -> None:
    """Find what an unknown design may be: draws that agree with all published claims. Needs the extra explore.

    What is left of each unknown, the interval of each answer, and which further number, were it published, would tell
    most. Runs are stored as they come: a study that was interrupted, or whose claims are others, goes on with --resume.

    Example: bisparse consistent sat --draws 96 --out runs/what-sat-may-be
    """
    from ..configs.needs import check_package

    check_package("simpleeval", "consistent", extra="explore")
    from ..sim.studies.consistency.claims import load_claims
    from ..sim.studies.consistency.run_consistency import consistent as run

    loaded, sweep = load_claims(claims)
    directory = out or Path("runs") / shortened(f"consistent-{loaded.model.name}")
    output.hold(directory)
    try:
        with Progress() as progress:
            found = run(
                loaded,
                sweep,
                directory,
                version=__version__,
                draws=draws,
                seed=seed,
                jobs=jobs,
                resume=resume,
                told=progress,
            )
    except KeyboardInterrupt:
        note(
            f"interrupted; what was finished is kept: bisparse consistent {shlex.quote(claims)} --out {directory} "
            "--resume"
        )
        raise
    _deliver(found, directory, output)


def _deliver(found: Consistency, directory: Path, output: Output) -> None:
    def write(directory: Path, command: str) -> Path:
        from ..reports.consistency.directory import CONSISTENCY

        return CONSISTENCY.write(found, directory, command=command, keep_command=True)

    def show() -> None:
        from ..reports import consistency_text

        print(consistency_text(found))

    output.deliver(directory, write=write, document=found.document, show=show)
