"""A study's directory: ``report.html`` and ``report.md``, the best designs' hardware, and single designs' reports.

The study itself, ``study.sqlite``, and its tables are written by whoever ran it; these files can be made again from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...sim.results.simulation_result import Assumption, SimulationResult
from ...sim.studies.explore.point import Point
from ..shared.directory_files import write_files
from ..shared.provenance import parameters_of, status_words
from .designs import BEST, best_files, design_command, write_report, write_reports
from .markdown import explore_markdown
from .page import explore_page
from .start import find

if TYPE_CHECKING:
    from ...sim.studies.explore.space import Space
    from ...sim.studies.explore.study import Study

PAGE_FILE, MARKDOWN_FILE = "report.html", "report.md"
TABLES = ("designs.csv", "designs.parquet")


def write_exploration(
    study: Study,
    space: Space,
    directory: Path,
    *,
    version: str,
    command: str = "",
    reference: Study | None = None,
    single_reports: bool = True,
) -> list[Path]:
    """Write a study's reports into its directory, which is made if absent.

    Args:
        study: the result.
        space: that it is of.
        directory: of the study; files of these names are replaced.
        version: of bisparse.
        command: what a reader types to repeat the study.
        reference: the same space enumerated, to hold a search against.
        single_reports: whether designs of the front get reports of their own.

    Returns:
        The files written, the page first.

    Raises:
        ConfigError: the directory cannot be made or written.
    """
    findings, base, results = find(study, space, version=version, reference=reference)
    best = best_files(findings, directory)
    for old in (directory / BEST).glob("[0-9][0-9].yaml"):
        if f"{BEST}/{old.name}" not in best:
            old.unlink()
    write_files(directory / BEST, {Path(name).name: content.encode() for name, content in best.items()})
    links = write_reports(findings, directory, version) if single_reports else {}
    findings = replace(findings, links=links)
    pages = [directory / link for link in links.values()]
    base_link = ""
    if results and single_reports:
        page = write_report(findings, directory, "base", base, results, {})
        base_link = page.relative_to(directory).as_posix()
        pages.append(page)
    commands = [
        design_command(findings, row, str(directory / name))
        for row, name in zip(findings.chosen.best.tolist(), best, strict=True)
    ]
    assumptions, inputs = _assumptions(base, results), _inputs(space, base, results)
    rests = status_words(parameters_of(assumptions))
    repeat = command or f"bisparse explore {space.sweep.name}"
    markdown = explore_markdown(
        findings,
        command=repeat,
        statuses=rests,
        inputs=inputs,
        best_commands=commands,
    )
    page_bytes = explore_page(
        findings,
        command=repeat,
        version=version,
        assumptions=assumptions,
        inputs=inputs,
        best_commands=commands,
        base_link=base_link,
        files=[name for name in TABLES if (directory / name).is_file()],
    )
    write_files(directory, {MARKDOWN_FILE: markdown.encode(), PAGE_FILE: page_bytes})
    return [directory / PAGE_FILE, directory / MARKDOWN_FILE, *(directory / name for name in best), *pages]


def _assumptions(points: Sequence[Point], results: Sequence[SimulationResult]) -> tuple[Assumption, ...]:
    """What the base design rests on, its energy table included where it was simulated."""
    if results:
        return tuple(results[0].assumptions)
    return tuple(
        Assumption(parameter=f"hardware.{path}", value=known.value, status=known.status, source=known.source)
        for path, known in points[0].hardware.provenance.items()
    )


def _inputs(
    space: Space, points: Sequence[Point], results: Sequence[SimulationResult]
) -> Mapping[str, tuple[str, str]]:
    first = points[0]
    found = {"sweep": (str(space.sweep.name), space.sha256)}
    found["hardware"] = (first.hardware.model.name, first.hardware.sha256)
    for point in points:
        name = point.workload.graph.name
        found["workload" if len(points) == 1 else f"workload {name}"] = (name, point.workload.sha256)
    found["recipe"] = (first.recipe.model.name, first.recipe.sha256)
    if results:
        table = results[0].inputs["energy_table"]
        found["energy table"] = (table.name, table.sha256)
    return found
