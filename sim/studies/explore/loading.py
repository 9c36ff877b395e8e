"""A sweep, and its space, read from a file or from plain data; every fault is told at once, before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ....configs.errors import ConfigError
from ....configs.file_kinds import SWEEP, refuse_other_kind
from ....configs.library import content_hash
from ....configs.schema import Loaded, load_annotated
from ....configs.strict_yaml import Document
from .checking import Check
from .probing import check_points
from .space import Space
from .sweep import Sweep

DATA = "sweep"
"""What errors call a sweep that is no file."""


class _Anything(BaseModel):
    """Whatever a file holds; the checks look into it themselves, so that none hides the others."""

    model_config = ConfigDict(extra="allow")


def load_space(name_or_path: str | Path, *, version: str = "") -> Space:
    """The space of a shipped sweep by name, or of a user's file by path.

    Args:
        name_or_path: of the sweep.
        version: of bisparse, which keys depend on.

    Raises:
        ConfigError: a line for each fault.
    """
    return _probed(load_sweep(name_or_path), version)


def space_of_data(data: Mapping[str, Any], *, version: str = "") -> Space:
    """The space of a sweep given as plain data; otherwise as ``load_space``."""
    return _probed(sweep_of_data(data), version)


def _probed(loaded: Loaded[Sweep], version: str) -> Space:
    space = Space(loaded, version=version)
    check_points(space)
    return space


def load_sweep(name_or_path: str | Path) -> Loaded[Sweep]:
    """Read and check a shipped sweep by name, or a user's file by path.

    Raises:
        ConfigError: a line for each fault, ``file:line: path: got X, need Y; try Z``.
    """
    read = load_annotated(name_or_path, _Anything, "sweeps")
    try:
        model = _checked(read.document)
    except ConfigError:
        refuse_other_kind(read.document.file, SWEEP)
        raise
    return Loaded(
        model=model,
        provenance=read.provenance,
        sources=read.sources,
        sha256=read.sha256,
        document=read.document,
    )


def checked_sweep(document: Document) -> Loaded[Sweep]:
    """A sweep whose document another file makes; ``ConfigError`` as for ``load_sweep``."""
    model = _checked(document)
    sources = (Path(document.file),)
    return Loaded(model=model, provenance={}, sources=sources, sha256=content_hash(document.data), document=document)


def sweep_of_data(data: Mapping[str, Any]) -> Loaded[Sweep]:
    """Check a sweep given as plain data, as a notebook has it; paths in it are from the working directory.

    Raises:
        ConfigError: a line for each fault.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{DATA}: got {type(data).__name__}, need a mapping of fields, as a file has them")
    try:
        plain = json.loads(json.dumps({"name": DATA, **data}, default=_plain))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{DATA}: got what no file could say ({error}), need numbers, texts, lists, mappings"
        ) from None
    document = Document(file=DATA, data=plain, places={})
    try:
        model = _checked(document)
    except ConfigError as error:
        raise ConfigError(re.sub(rf"^{DATA}:1: ", f"{DATA}: ", str(error), flags=re.MULTILINE)) from None
    return Loaded(model=model, provenance={}, sources=(), sha256=content_hash(plain), document=document)


def _plain(value: Any) -> Any:
    """Scalars and arrays of NumPy, ranges, paths and patterns as a file would say them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, range | set | frozenset):
        return sorted(value)
    return str(value)


def _checked(document: Document) -> Sweep:
    check = Check(document)
    model = check.run()
    if check.lines:
        raise ConfigError("\n".join(sorted(dict.fromkeys(check.lines), key=_place)))
    assert model is not None, "a sweep without a model has a fault"
    return model


def _place(line: str) -> tuple[str, int]:
    match = re.match(r"(.*?):(\d+): ", line)
    return (match[1], int(match[2])) if match else ("", 0)
