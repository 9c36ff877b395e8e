"""Files of a run's directory: written whole or not at all, and JSON documents written and read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...configs.complaints import shown
from ...configs.csv_cells import csv_cell
from ...configs.errors import ConfigError
from ...configs.file_reading import is_file, read_file, special_file
from ...configs.run_directory import directory_errors
from ...configs.strict_json import parse_json
from ...configs.whole_file import write_all_whole

_LARGEST_RESULT_BYTES = 256 * 2**20
"""Bytes of a result that are read: thousands of operators of dozens of runs."""


def write_files(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a directory, which is made if absent, all or none; files of these names are replaced.

    Raises:
        ConfigError: the directory cannot be made or written.
    """
    with directory_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        write_all_whole(directory, contents)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same columns, at least one, as CSV; None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def document_lines(document: dict[str, Any]) -> str:
    """A document as JSON, a line for each field and for each item of a list: readable in a diff."""
    # json's own indent is ten times slower.
    fields = []
    for name, value in document.items():
        if isinstance(value, list) and value:
            text = "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n ]"
        else:
            text = json.dumps(value)
        fields.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"


def read_document(path: Path, *, writer: str) -> dict[str, Any]:
    """The JSON object in a file of a run's directory.

    Args:
        path: of the file.
        writer: the command that writes such a file.

    Raises:
        ConfigError: there is none, or it is no JSON object.
    """
    if special := special_file(path):
        raise ConfigError(f"{path}: got {special}, need a file")
    if not is_file(path):
        raise ConfigError(
            f"{path.parent}: got no readable {path.name}, need the directory of an earlier run; "
            f"try one that {writer} wrote"
        )
    try:
        document = parse_json(read_file(path, need="a result", most_bytes=_LARGEST_RESULT_BYTES), file=path)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: got broken JSON ({error.msg}); try running it again") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: got bytes that are not UTF-8, need JSON; try running it again") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: got no JSON object, need a result; try running it again")
    return document


def check_version(document: Any, path: Path, *, newest: int) -> None:
    """Refuse a document without a schema version, or with a newer one than is known.

    Raises:
        ConfigError: it is so.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise ConfigError(f"{path}: schema_version: got {shown(version)}, need {newest}; try running it again")
    if version > newest:
        raise ConfigError(f"{path}: schema_version: got {version}, need {newest} or older; try a newer bisparse")
