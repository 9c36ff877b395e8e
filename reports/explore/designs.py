"""The designs of a study as files: the best ones' hardware, ready for ``simulate``, and single designs' own reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...configs import library
from ...configs.errors import BisparseError, ConfigError
from ...configs.file_names import file_name
from ...sim.results.simulation_result import SimulationResult
from ...sim.simulation import Simulator
from ...sim.studies.explore.choices import along
from ...sim.studies.explore.point import Point
from ..run.directory import PAGE_FILE, write_run
from ..shared.directory_files import write_files
from ..shared.html import plotly_library
from .answer import title
from .command import hardware_file, simulate_command
from .findings import SHORT_KEY, Findings
from .words import settings_text

if TYPE_CHECKING:
    from ...sim.studies.explore.space import Space
    from ...sim.studies.explore.study import Study

BEST, DESIGNS, LIBRARY = "best", "designs", "plotly.min.js"

MOST_OF_FRONT = 40
"""Designs of the front that get a report of their own, evenly along it."""

MOST_BYTES = 24_000_000
"""Reports of single designs stop here; the library that draws them is shared and not counted."""


def point_of(findings: Findings, row: int, scenario: Mapping[str, Any]) -> Point:
    """The point that a design of the study is under one scenario."""
    return findings.space.point({**findings.settings(row), **scenario})


def command_of(space: Space, settings: Mapping[str, Any], point: Point, hardware: str) -> str:
    """What simulates a point with its hardware in a file; paths are those from where the sweep was read."""
    base = space.sweep.base
    named = settings.get("workload", base.workload) or point.workload.graph.name
    if library.is_path(named):
        named = str(Path(space.loaded.document.file).parent / named)
    return simulate_command(point, hardware, workload=named)


def design_command(findings: Findings, row: int, hardware: str, scenario: Mapping[str, Any] | None = None) -> str:
    """What simulates a design of the study, in the first scenario unless another is given."""
    scenario = findings.space.scenarios()[0] if scenario is None else scenario
    settings = {**findings.settings(row), **scenario}
    return command_of(findings.space, settings, findings.space.point(settings), hardware)


def best_files(findings: Findings, directory: Path) -> dict[str, str]:
    """A hardware file for each of the best designs, by its name in the study's directory."""
    files = {}
    for number, row in enumerate(findings.chosen.best.tolist(), start=1):
        name = f"{BEST}/{number:02d}.yaml"
        point = point_of(findings, row, findings.space.scenarios()[0])
        files[name] = hardware_file(
            point,
            name=f"{point.hardware.model.name}-{number:02d}",
            title=f"{point.hardware.model.title or point.hardware.model.name}: no. {number} of {title(findings)}",
            comment=list(_comment(findings, row, number, str(directory / name))),
        )
    return files


def _comment(findings: Findings, row: int, number: int, path: str) -> Iterator[str]:
    key = findings.columns["key"][row]
    yield f"Design {number} of the best that {findings.space.sweep.name} found; key {key}"
    yield settings_text(findings.settings(row), findings.labels)
    for scenario in findings.space.scenarios():
        yield design_command(findings, row, path, scenario)


def reported_rows(findings: Findings) -> list[int]:
    """The designs that get a report of their own: the best, the knee, then the front evenly."""
    chosen = findings.chosen
    knee = [] if chosen.knee is None else [chosen.knee]
    front = along(chosen.front, MOST_OF_FRONT).tolist()
    return list(dict.fromkeys([*chosen.best[:1].tolist(), *knee, *front]))


def simulated(points: Sequence[Point], version: str) -> list[SimulationResult]:
    """The whole result of each point.

    Raises:
        BisparseError: one cannot run its step.
    """
    results = []
    for each in points:
        simulator = Simulator(workload=each.workload, hardware=each.hardware, options=each.options, version=version)
        results.append(simulator.run(each.recipe, each.pattern))
    return results


def write_reports(findings: Findings, directory: Path, version: str) -> dict[str, str]:
    """Write reports of single designs, each simulated again, until there are enough or they grow too large.

    Args:
        findings: of the study.
        directory: of the study.
        version: of bisparse.

    Returns:
        The pages by their designs' keys, relative to the directory.
    """
    links: dict[str, str] = {}
    spent = 0
    for row in reported_rows(findings):
        if spent > MOST_BYTES:
            break
        points = [point_of(findings, row, scenario) for scenario in findings.space.scenarios()]
        try:
            results = simulated(points, version)
        except BisparseError:
            # A study of an older version may call feasible what this one does not.
            continue
        page = write_report(findings, directory, findings.key(row), points, results, findings.settings(row))
        links[findings.key(row)] = page.relative_to(directory).as_posix()
        spent += sum(each.stat().st_size for each in page.parent.iterdir())
    return _asked_for(findings, directory) | links


def _asked_for(findings: Findings, directory: Path) -> dict[str, str]:
    """Pages of other designs of the study that are there already: somebody asked for them."""
    pages = {page.parent.name: page for page in (directory / DESIGNS).glob(f"*/{PAGE_FILE}")}
    known = {key: file_name(key) for key in (str(each)[:SHORT_KEY] for each in findings.columns["key"])}
    return {key: pages[name].relative_to(directory).as_posix() for key, name in sorted(known.items()) if name in pages}


def write_report(
    findings: Findings,
    directory: Path,
    name: str,
    points: Sequence[Point],
    results: Sequence[SimulationResult],
    settings: Mapping[str, Any],
) -> Path:
    """Write a design's folder: its hardware and the report of its runs, one a scenario. Gives the page."""
    # The name is a key out of a store, which may say anything.
    folder = directory / DESIGNS / file_name(name)
    file, space = str(folder / "hardware.yaml"), findings.space
    commands = [
        command_of(space, {**settings, **scenario}, point, file)
        for scenario, point in zip(space.scenarios(), points, strict=True)
    ]
    hardware = points[0].hardware.model
    written = hardware_file(points[0], name=hardware.name, title=hardware.title, comment=commands)
    page = write_run(results, folder, command="\n".join(commands))
    share_library(page)
    write_files(folder, {"hardware.yaml": written.encode()})
    write_files(directory / DESIGNS, {LIBRARY: plotly_library()})
    return page


def write_design(study: Study, space: Space, key: str, directory: Path, *, version: str) -> Path:
    """Write the report of one design of a study.

    Args:
        study: the study.
        space: that it is of.
        key: of the design, or its first letters.
        directory: of the study.
        version: of bisparse.

    Raises:
        ConfigError: the study has no such design.
        BisparseError: the design cannot run its step.
    """
    findings = Findings(study=study, space=space)
    rows: dict[str, int] = {}
    for row, own in enumerate(findings.columns["key"]):
        # Designs that differ in name only, by a variable that sets nothing, share their key.
        if own and str(own).startswith(key):
            rows.setdefault(str(own), row)
    if not key or len(rows) != 1:
        got = f"no design {key}" if not rows else f"{len(rows)} designs {key}"
        raise ConfigError(f"{directory}: got {got}, need the key of one, as designs.csv and the report give it")
    (row,) = rows.values()
    points = [point_of(findings, row, scenario) for scenario in findings.space.scenarios()]
    settings = findings.settings(row)
    return write_report(findings, directory, findings.key(row), points, simulated(points, version), settings)


def share_library(page: Path) -> None:
    """Take the library out of a page, for one beside its folder: forty copies of it would outweigh all else."""
    inside = b"<script>" + plotly_library() + b"</script>"
    outside = f'<script src="../{LIBRARY}"></script>'.encode()
    write_files(page.parent, {page.name: page.read_bytes().replace(inside, outside)})
