"""A run's directory: ``result.json``, ``operators.csv``, ``report.md`` and ``report.html``, and reading it back.

``result.json`` is the run; these files can be made again from it. A run of the event engine adds a
``timeline*.json.gz`` for each result, which only running it again can make. All are of one run: ``JsonReport.write``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...configs.errors import ConfigError
from ...sim.options import DECLARED, OF_PASSES
from ...sim.results.simulation_result import SCHEMA_VERSION, SimulationResult, write_reports_with
from ..shared.directory_files import document_lines
from ..shared.report_kind import JsonReport, result_in
from .chrome_trace import chrome_trace, timeline_file
from .markdown import markdown
from .operators_csv import operators_csv
from .page import page
from .splits import splits_document

RESULT_FILE = "result.json"
PAGE_FILE = "report.html"


def _document_text(results: Sequence[SimulationResult]) -> str:
    if not results:
        raise ValueError("a run has at least one result")
    texts = [document_lines(result.document()) for result in results]
    if len(texts) == 1:
        return f"{texts[0]}\n"
    splits = ",\n".join(map(json.dumps, splits_document(results)))
    return '{"results": [\n' + ",\n".join(texts) + f'\n], "splits": [\n{splits}\n]}}\n'


def compared_document(results: Sequence[SimulationResult]) -> dict[str, Any]:
    """Runs side by side as plain data: their documents, and what each saves, split."""
    return {"results": [result.document() for result in results], "splits": splits_document(results)}


def _results_of(document: dict[str, Any], path: Path) -> list[SimulationResult]:
    several = document.get("results", [document])
    if not isinstance(several, list) or not several:
        raise ConfigError(f"{path}: results: got no list of results, need at least one; try running it again")
    one = partial(result_in, from_document=SimulationResult.from_document, newest=SCHEMA_VERSION)
    if several == [document]:
        return [one(document, path)]
    return [one(each, path, within=f"results.{number}.") for number, each in enumerate(several)]


def _beside(results: Sequence[SimulationResult], command: str) -> dict[str, bytes]:
    traces = {timeline_file(each, results): chrome_trace(each) for each in results if each.timeline is not None}
    return {
        "operators.csv": operators_csv(results).encode(),
        "report.md": markdown(results, command=command).encode(),
        **traces,
    }


RUN: JsonReport[Sequence[SimulationResult]] = JsonReport(
    document_file=RESULT_FILE,
    page_file=PAGE_FILE,
    command_file="command.txt",
    writer="bisparse simulate",
    document_text=_document_text,
    result_of=_results_of,
    beside=_beside,
    page=lambda results, command: page(results, command=command),
    only_of_run=("timeline.json.gz", "timeline-*.json.gz"),
)
"""One result, or several to stand side by side."""

write_run, read_run = RUN.write, RUN.read


def write_result(result: SimulationResult, directory: Path) -> Path:
    """Write a result into a directory, with the call of Python that repeats it as far as the result tells."""
    names = {name: given.name for name, given in result.inputs.items()}
    inputs = [repr(names[kind]) for kind in ("workload", "hardware", "recipe")]
    if result.sparsity != "dense":
        inputs.append(repr(result.sparsity))
    said: dict[str, object] = {name: getattr(result, name) for name in ("batch", "engine", "objective", "optimizer")}
    said["pass_"] = "inference" if result.inference else "training"
    if result.passes is not None:
        said |= {option: getattr(result.passes, name) for option, name in OF_PASSES.items()}
    options = [f"{name}={value!r}" for name, value in said.items() if value != DECLARED[name].default]
    return write_run([result], directory, command=f"bisparse.simulate({', '.join([*inputs, *options])})")


write_reports_with(write_result)
