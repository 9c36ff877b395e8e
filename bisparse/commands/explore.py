"""``bisparse explore``: a design space from a sweep file, its front, and what it says about the hardware to build."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import __version__
from ..configs.file_names import shortened
from ..configs.whole_file import write_whole
from . import options
from .completion import shipped
from .groups import grouped
from .pages import Output
from .terminal import Progress, note

if TYPE_CHECKING:
    from ..sim.studies.explore.estimating import Estimate, RuledOut
    from ..sim.studies.explore.running import Told
    from ..sim.studies.explore.space import Space
    from ..sim.studies.explore.study import Study


Sweep = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP",
        help="Shipped sweep (sat-quick, sat-shape, sat-nm) or YAML file.",
        autocompletion=shipped("sweeps"),
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The study's directory: study.sqlite, designs.csv, report.html, best/. [runs/explore-SWEEP]",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the study in the directory: only what it lacks is computed.")
]
Jobs = Annotated[
    int | None, options.whole("--jobs", metavar="N", example=2, help="Processes on this machine. [as many as cores]")
]
DaskAddress = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Run on the workers of a dask.distributed scheduler instead."),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference", metavar="DIR", help="A study of the whole space, to hold the front that a search found against."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check the sweep, say how long it will take, and stop.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How the work is done."""

    resume: Resume = False
    jobs: Jobs = None
    dask: DaskAddress = None


@grouped
def explore(
    sweep: Sweep,
    out: Out = None,
    *,
    how: Running,
    reference: Reference = None,
    dry_run: DryRun = False,
    output: Output,
) -> None:
    """Explore a design space: every design a full training step, its mappings searched. Needs the extra explore.

    Results are stored as they come; a study that was interrupted goes on with --resume.

    Example: bisparse explore sat-quick --out runs/quick
    """
    from ..configs.needs import check_package

    check_package("simpleeval", "explore", extra="explore")
    from ..configs.errors import ConfigError
    from ..sim.studies.explore.estimating import estimate, ruled_out
    from ..sim.studies.explore.loading import load_space
    from ..sim.studies.explore.running import check_size, run

    if how.jobs is not None and how.dask is not None:
        raise ConfigError("--jobs: got both --jobs and --dask, need one of them")
    space = load_space(sweep, version=__version__)
    directory = out or Path("runs") / shortened(f"explore-{space.sweep.name}")
    if not dry_run:
        check_size(space)
        output.hold(directory)
    note(_told(space, estimate(space, version=__version__, jobs=how.jobs), elsewhere=how.dask is not None))
    if dry_run:
        note(_told_of_constraints(space, ruled_out(space)))
        # What would be refused is said to be.
        check_size(space)
        return
    whole = None if reference is None else _reference_in(reference, space)
    try:
        with Progress() as progress:
            study = run(
                space,
                directory,
                version=__version__,
                **asdict(how),
                told=_teller(progress),
            )
    except KeyboardInterrupt:
        note(
            f"interrupted; what was finished is kept: bisparse explore {shlex.quote(sweep)} --out {directory} --resume"
        )
        raise

    def write(directory: Path, command: str) -> Path:
        from ..reports.explore.kind import EXPLORATION

        page = EXPLORATION.write(
            study, space, directory, command=command, version=__version__, told=note, reference=whole
        )
        write_whole(directory / EXPLORATION.command_file, f"{command}\n")
        return page

    def show() -> None:
        from ..reports import exploration_text

        print(exploration_text(study, space, version=__version__, reference=whole))

    output.deliver(directory, write=write, document=study.document, show=show)


def of_design(directory: Path, key: str) -> Path:
    """Write the report of one design of a finished study; gives the page."""
    from ..reports import write_design
    from ..reports.explore.kind import EXPLORATION

    study, space = EXPLORATION.read(directory, version=__version__)
    return write_design(study, space, key, directory, version=__version__)


def _reference_in(directory: Path, space: Space) -> Study:
    """A study of the same space, whatever its strategy."""
    from ..configs.errors import ConfigError
    from ..reports.explore.kind import EXPLORATION
    from ..sim.studies.explore.running import same_space

    other = EXPLORATION.space_in(directory, version=__version__)
    if not same_space(space, other):
        raise ConfigError(
            f"--reference: got {directory}, a study of {other.sweep.name} whose base, axes, scenarios, derived fields, "
            f"constraints or objectives are others, need one of the space of {space.sweep.name}"
        )
    return EXPLORATION.study_in(directory, space, version=__version__)


def _told(space: Space, estimated: Estimate, *, elsewhere: bool) -> str:
    """What is about to be run, and for how long."""
    said = f"{space.sweep.name}: {estimated.designs:,} designs"
    if estimated.designs != space.designs:
        said += f" of {space.designs:,}"
    if estimated.runs != estimated.designs:
        said += f", {estimated.runs:,} runs"
    if estimated.seconds is None:
        return said
    where = "one machine" if elsewhere else "this machine"
    return f"{said}; about {_duration(estimated.seconds)} on {where}, by a sample of {estimated.sampled:,} runs"


def _told_of_constraints(space: Space, found: RuledOut) -> str:
    if not found.sampled:
        return f"constraints rule out {found.designs:,} of {found.of:,} designs before they are evaluated"
    if not found.of:
        return "constraints: no sample of the designs was found"
    share = f"{100 * found.designs / found.of:.0f}%"
    return (
        f"constraints rule out about {share} of {space.designs:,} designs before they are evaluated, by a sample of "
        f"{found.of:,}"
    )


def _duration(seconds: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def _teller(progress: Progress) -> Told:
    """A bar where somebody watches; else a line now and then."""
    watched = sys.stderr.isatty()
    next_share = [0.0]

    def told(task: str, done: int, of: int) -> None:
        if watched:
            progress(task, done, of)
        elif of and done / of >= next_share[0] and done:
            note(f"{done:,} of {of:,} {task}")
            next_share[0] = done / of + 0.1 if done < of else 0.0

    return told
