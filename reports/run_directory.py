"""A run's directory: ``result.json``, ``operators.csv``, ``report.md`` and ``report.html``, and reading it back.

``result.json`` is the run; these files can be made again from it. A run of the event engine adds a
``timeline*.json.gz`` for each result, which only running it again can make. Each file is written whole or not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..configs.errors import ConfigError
from ..sim.results import SCHEMA_VERSION, SimulationResult
from .chrome_trace import chrome_trace, timeline_file
from .markdown import markdown
from .operators_csv import operators_csv
from .page import page

RESULT_FILE = "result.json"


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
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory / RESULT_FILE, _document_text(results).encode())
        _write(directory / "operators.csv", operators_csv(results).encode())
        _write(directory / "report.md", markdown(results, command=command).encode())
        for result in results:
            if result.timeline is not None:
                _write(directory / timeline_file(result, results), chrome_trace(result))
        html = directory / "report.html"
        _write(html, page(results, command=command))
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"{directory}: got a file in its place, need a directory; try another name") from error
    except PermissionError as error:
        raise ConfigError(f"{directory}: got no permission to write, need a directory that can be written") from error
    except OSError as error:
        raise ConfigError(
            f"{directory}: got {error.strerror or error}, need a directory that can be written; try another disk"
        ) from error
    return html


def read_run(directory: Path) -> list[SimulationResult]:
    """The results that a run's directory holds.

    Raises:
        ConfigError: there is no result, or it is broken, or a newer version wrote it.
    """
    path = directory / RESULT_FILE
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{directory}: got no readable {RESULT_FILE}, need the directory of an earlier run; "
            "try one that bisparse simulate wrote"
        ) from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: got broken JSON ({error.msg}); try running it again") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: got bytes that are not UTF-8, need JSON; try running it again") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: got no JSON object, need a result; try running it again")
    several = document.get("results", [document])
    if not isinstance(several, list) or not several:
        raise ConfigError(f"{path}: results: got no list of results, need at least one; try running it again")
    return [_result(each, path) for each in several]


def _document_text(results: Sequence[SimulationResult]) -> str:
    texts = [_lines(result.document()) for result in results]
    return f"{texts[0]}\n" if len(texts) == 1 else '{"results": [\n' + ",\n".join(texts) + "\n]}\n"


def _lines(document: dict[str, Any]) -> str:
    # A line for each field and for each item of a list: readable in a diff. json's own indent is ten times slower.
    fields = []
    for name, value in document.items():
        if isinstance(value, list) and value:
            text = "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n ]"
        else:
            text = json.dumps(value)
        fields.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"


def _result(document: Any, path: Path) -> SimulationResult:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int):
        raise ConfigError(f"{path}: schema_version: got nothing, need {SCHEMA_VERSION}; try running it again")
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: schema_version: got {version}, need {SCHEMA_VERSION} or older; try a newer bisparse"
        )
    try:
        return SimulationResult.from_document(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: got a result with wrong fields ({error}); try running it again") from error


def _write(path: Path, content: bytes) -> None:
    # A reader, or a crash, never meets half a file: the name appears only when the content is whole.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
