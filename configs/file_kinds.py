"""What a file looks like, and which command takes it: said where it was given for a file of another kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .strict_json import parse_json
from .strict_yaml import parse

_LOOKED_AT = 4096
"""Bytes of a file that are looked at; all of it only where these are the beginning of a document."""

_MOST_PARSED = 4_000_000
"""Bytes of a document that is parsed to find out what it is."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: of the kind, as ``ConfigError`` messages have it.
        advice: what to do with such a file; ``{file}`` stands for it.
    """

    name: str
    advice: str


GRAPH = FileKind("a captured graph", "try bisparse simulate {file}")
DESIGN = FileKind("a design", "try --hardware {file}")
RECIPE = FileKind("a recipe", "try --recipe {file}")
SWEEP = FileKind("a sweep", "try bisparse explore {file}")
_SCHEDULE = FileKind("a saved schedule", "try --schedule {file}")
_RESULT = FileKind("a result", "try bisparse report on its folder")
_TOPOLOGY = FileKind("a SCALE-Sim topology or a list of products", "try bisparse gemm --from {file}")
_TABLE = FileKind("a CSV table", "a list of products goes to bisparse gemm --from")
_SCALESIM = FileKind("a SCALE-Sim configuration", "try --hardware {file}")
_PYTHON = FileKind("Python source", "try bisparse capture {file}:FACTORY --input SHAPE")
_CHECKPOINT = FileKind("weights without a network", "try bisparse capture MODULE:FACTORY --weights {file}")
_PROGRAM = FileKind("an exported program", "try bisparse capture {file}")
_ONNX = FileKind("an ONNX network", "try bisparse capture {file}")
_EXPORTED = FileKind("an exported network", "try bisparse capture of the torch module that it was made from")
HUGGING_FACE = FileKind("a Hugging Face configuration", "try bisparse capture {file}")
_PICTURE = FileKind("a report", "try its result.json with bisparse report")

_BY_SUFFIX = {
    ".py": _PYTHON,
    ".ipynb": _PYTHON,
    ".onnx": _ONNX,
    ".pt2": _PROGRAM,
    ".mlir": _EXPORTED,
    ".tflite": _EXPORTED,
    ".pt": _CHECKPOINT,
    ".pth": _CHECKPOINT,
    ".ckpt": _CHECKPOINT,
    ".bin": _CHECKPOINT,
    ".safetensors": _CHECKPOINT,
    ".h5": _CHECKPOINT,
    ".cfg": _SCALESIM,
    ".html": _PICTURE,
}

_BY_FIELDS: tuple[tuple[frozenset[str], FileKind], ...] = (
    (frozenset({"bisparse_version"}), _RESULT),
    (frozenset({"operators", "tensors"}), GRAPH),
    (frozenset({"products", "hardware", "recipe"}), _SCHEDULE),
    (frozenset({"model_type"}), HUGGING_FACE),
    (frozenset({"architectures"}), HUGGING_FACE),
    (frozenset({"tensor_engine"}), DESIGN),
    (frozenset({"vector_engine"}), DESIGN),
    (frozenset({"buffers"}), DESIGN),
    (frozenset({"dram"}), DESIGN),
    (frozenset({"axes"}), SWEEP),
    (frozenset({"objectives"}), SWEEP),
    (frozenset({"forward"}), RECIPE),
    (frozenset({"backward"}), RECIPE),
)
"""Fields that tell documents apart: the first set that a document has."""


def looks_like(path: Path | str) -> FileKind | None:
    """The kind of a file by its name and beginning; None where nothing tells."""
    file = Path(path)
    known = _BY_SUFFIX.get(file.suffix.lower())
    if known is not None:
        return known
    try:
        if not file.is_file():
            # What is no file may have no end, and what the shell has opened can be read only once.
            return None
        with file.open("rb") as stream:
            beginning = stream.read(_LOOKED_AT)
        small = file.stat().st_size <= _MOST_PARSED
    except (OSError, ValueError):
        return None
    if beginning.startswith(b"PK\x03\x04"):
        return _CHECKPOINT
    if file.suffix.lower() == ".csv":
        first = beginning.partition(b"\n")[0].lower()
        columns = {name.strip() for name in first.split(b",")}
        return _TOPOLOGY if b"ifmap" in first or {b"m", b"n", b"k"} <= columns else _TABLE
    fields = _fields(file, beginning) if small else None
    return next((kind for names, kind in _BY_FIELDS if fields is not None and names <= fields.keys()), None)


def _fields(file: Path, beginning: bytes) -> Mapping[str, Any] | None:
    """The top of a document in JSON or YAML."""
    try:
        in_json = beginning.lstrip().startswith(b"{")
        document = parse_json(file.read_bytes(), file=file) if in_json else parse(file).data
    except (ConfigError, OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def refuse_other_kind(path: Path | str, wanted: FileKind) -> None:
    """Refuse a file that looks like another kind than what is wanted.

    Raises:
        ConfigError: it does; the message says what it looks like and which command takes it.
    """
    kind = looks_like(path)
    if kind is not None and kind is not wanted:
        raise ConfigError(f"{path}: got {kind.name}, need {wanted.name}; {kind.advice.format(file=path)}")
