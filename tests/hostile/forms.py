"""How documents are written: YAML, JSON, CSV; with the literals that no writer would write."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import yaml

from .values import Literal

_MARK = "literal-{}-of-the-campaign"


def _with_marks(document: Any, literals: list[str]) -> Any:
    """The document with a mark in the place of each literal."""
    if isinstance(document, Literal):
        literals.append(str(document))
        return _MARK.format(len(literals) - 1)
    if isinstance(document, dict):
        return {key: _with_marks(value, literals) for key, value in document.items()}
    if isinstance(document, list):
        return [_with_marks(value, literals) for value in document]
    return document


def as_json(document: Any) -> bytes:
    """JSON, with NaN and Infinity as Python writes them."""
    literals: list[str] = []
    text = json.dumps(_with_marks(document, literals), indent=1)
    for number, literal in enumerate(literals):
        text = text.replace(json.dumps(_MARK.format(number)), literal)
    return text.encode()


def as_yaml(document: Any) -> bytes:
    """YAML in blocks, an entry a line."""
    literals: list[str] = []
    text = yaml.safe_dump(_with_marks(document, literals), sort_keys=False, width=1000)
    for number, literal in enumerate(literals):
        text = text.replace(_MARK.format(number), literal)
    return text.encode("utf-8", "surrogatepass")


def read_csv(content: bytes) -> list[list[Any]]:
    """The rows of a table, its header first."""
    return [list(row) for row in csv.reader(io.StringIO(content.decode()))]


def as_csv(document: Any) -> bytes:
    """A table; what is no list of rows is written as its text."""
    if not isinstance(document, list):
        return str(document).encode("utf-8", "surrogatepass")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for row in document:
        cells = row if isinstance(row, list) else [row]
        writer.writerow([str(cell) if len(repr(cell)) < 100_000 else "x" for cell in cells])
    return stream.getvalue().encode("utf-8", "surrogatepass")
