"""The files that come with the package, by kind and name, and the hash that identifies a file's content.

A *kind* is a folder beside this file; a *name* is a file in it without its suffix. Whatever holds a ``/`` or
ends in a data suffix is a path, so that a shipped name never hides a user's file nor the other way round.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .file_kinds import looks_like
from .file_reading import check_not_special, is_file, is_folder
from .near import nearest

KINDS = (
    "hardware",
    "workloads",
    "recipes",
    "sweeps",
    "claims",
    "methods",
    "energy",
    "dram",
    "currents",
    "parts",
    "operators",
    "area",
    "peers",
)
"""Kinds of shipped files; each is a folder of the package."""

SUFFIXES = (".yaml", ".yml", ".json", ".json.gz", ".csv", ".cfg")
"""Suffixes that make a word a path and that a name leaves out."""

_ROOT = Path(__file__).parent


def names(kind: str) -> list[str]:
    """Names of the shipped files of one kind, sorted."""
    return sorted(_shipped(kind))


def find(kind: str, name_or_path: str | Path) -> Path:
    """The file that a user means.

    Args:
        kind: one of ``KINDS``.
        name_or_path: a shipped name such as ``sat-vcu1525``, or a path (see :func:`is_path`).

    Raises:
        ConfigError: no such name, or no such file.
    """
    shipped = _shipped(kind)
    if is_path(name_or_path):
        path = Path(name_or_path)
        if is_file(path):
            return path
        check_not_special(path)
        got = "a folder" if is_folder(path) else "no such file"
        near = nearest(_stem(path.name), shipped)
        hint = f"; try {near}, which is shipped" if near else ""
        raise ConfigError(f"{path}: got {got}, need a path to a file of {kind}{hint}")
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    if Path(name_or_path).suffix and is_file(name_or_path):
        # Of another kind, as its suffix says: whoever reads it tells which.
        return Path(name_or_path)
    other = looks_like(name_or_path)
    if other is not None:
        advice = other.advice.format(file=name_or_path)
        raise ConfigError(f"{name_or_path}: got no such file, and its name is that of {other.name}; {advice}")
    near = nearest(str(name_or_path), shipped)
    hint = f"; try {near}" if near else ""
    listed = f"one of {', '.join(sorted(shipped))} or " if shipped else ""
    raise ConfigError(f"{kind}: got {str(name_or_path)!r}, need {listed}a path to a file{hint}")


def is_path(name_or_path: str | Path) -> bool:
    """Whether the word is a path rather than a shipped name.

    >>> is_path("sat-vcu1525"), is_path("mine.yaml"), is_path("designs/mine")
    (False, True, True)
    """
    if isinstance(name_or_path, Path):
        return True
    return "/" in name_or_path or "\\" in name_or_path or name_or_path.lower().endswith(SUFFIXES)


def is_shipped(path: str | Path) -> bool:
    """Whether the file is one of the package's own."""
    return Path(path).resolve().is_relative_to(_ROOT.resolve())


def content_hash(content: Any) -> str:
    """SHA-256, in hexadecimal, of bytes, of a text (as UTF-8) or of plain data (as canonical JSON).

    Canonical JSON sorts the keys and leaves out blanks: layout, comments and the order of keys do not count.

    >>> content_hash({"rows": 32, "columns": 8}) == content_hash({"columns": 8, "rows": 32})
    True
    """
    if isinstance(content, str):
        content = content.encode()
    elif not isinstance(content, bytes):
        content = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(content).hexdigest()


def _shipped(kind: str) -> dict[str, Path]:
    if kind not in KINDS:
        raise ConfigError(f"kind: got {kind!r}, need one of {', '.join(KINDS)}")
    folder = _ROOT / kind
    if not folder.is_dir():
        return {}
    return {_stem(file.name): file for file in folder.iterdir() if file.name.lower().endswith(SUFFIXES)}


def _stem(file_name: str) -> str:
    # Path.stem would cut "gpt2-1.5b" at its dot and leave ".json" of ".json.gz".
    for suffix in SUFFIXES:
        if file_name.lower().endswith(suffix):
            return file_name[: -len(suffix)]
    return file_name
