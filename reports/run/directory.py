"""A run's directory: ``result.json``, ``operators.csv``, ``report.md`` and ``report.html``, and reading it back.

``result.json`` is the run; these files can be made again from it. A run of the event engine adds a
``timeline*.json.gz`` for each result, which only running it again can make. Each file is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...configs.errors import ConfigError
from ...sim.results.simulation_result import SCHEMA_VERSION, SimulationResult
from ..shared.directory_files import check_version, document_lines, read_document, write_files
from .chrome_trace import chrome_trace, timeline_file
from .markdown import markdown
from .operators_csv import operators_csv
from .page import page

RESULT_FILE = "result.json"
PAGE_FILE = "report.html"


def write_run(results: Sequence[SimulationResult], directory: Path, *, command: str) -> Path:
    """Write a run's results and reports into a directory, which is made if absent.

    Args:
        results: one result, or several to stand side by side.
        directory: of the run; files of these names are replaced.
        command: what a reader types to repeat the run.

    Returns:
        Path of the HTML report.

    Raises:
        ConfigError: the directory cannot be made or written.
    """
    if not results:
        raise ValueError("a run has at least one result")
    traces = {timeline_file(each, results): chrome_trace(each) for each in results if each.timeline is not None}
    write_files(
        directory,
        {
            RESULT_FILE: _document_text(results).encode(),
            "operators.csv": operators_csv(results).encode(),
            "report.md": markdown(results, command=command).encode(),
            **traces,
            PAGE_FILE: page(results, command=command),
        },
    )
    return directory / PAGE_FILE


def read_run(directory: Path) -> list[SimulationResult]:
    """The results that a run's directory holds.

    Raises:
        ConfigError: there is no result, or it is broken, or a newer version wrote it.
    """
    path = directory / RESULT_FILE
    document = read_document(path, writer="bisparse simulate")
    several = document.get("results", [document])
    if not isinstance(several, list) or not several:
        raise ConfigError(f"{path}: results: got no list of results, need at least one; try running it again")
    return [_result(each, path) for each in several]


def _document_text(results: Sequence[SimulationResult]) -> str:
    texts = [document_lines(result.document()) for result in results]
    return f"{texts[0]}\n" if len(texts) == 1 else '{"results": [\n' + ",\n".join(texts) + "\n]}\n"


def _result(document: Any, path: Path) -> SimulationResult:
    check_version(document, path, newest=SCHEMA_VERSION)
    try:
        return SimulationResult.from_document(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: got a result with wrong fields ({error}); try running it again") from error
