"""From a data file to a validated model: ``extends``, parts, annotated values, errors with file, line and field.

Models are pydantic v2, ``frozen=True, extra="forbid"``. They are validated strictly, as JSON: ``"32"``,
``true`` and ``32.0`` are no integers, but an integer is a number and a list may fill a tuple or a set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from . import library
from .complaints import explain, shown
from .errors import BisparseError, ConfigError
from .file_kinds import DESIGN, RECIPE, SWEEP, refuse_other_kind
from .file_reading import is_file, special_file
from .limits import MOST_BASES
from .provenance import Provenance, strip_provenance
from .strict_yaml import Document, KeyPath, Place, dotted, parse

__all__ = ["Loaded", "Provenance", "load", "load_annotated", "strip_provenance", "validate"]

Model = TypeVar("Model", bound=BaseModel)
Refusal = TypeVar("Refusal", bound=BisparseError)

EXTENDS = "extends"
"""The top-level key that names the file whose values are taken where this one says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[Model]):
    """A file, read and validated.

    Attributes:
        model: the validated model.
        provenance: what is known of each leaf, by dotted path; what the model fills by default is not there.
        sources: the file itself, then the files that it extends, nearest first.
        sha256: of the resolved plain data, so that two files that say the same have the same hash.
        document: the resolved plain data, with the place of every value.
    """

    model: Model
    provenance: Mapping[str, Provenance]
    sources: tuple[Path, ...]
    sha256: str
    document: Document

    def placed(self, error: Refusal) -> Refusal:
        """The error with the file and line of the field at fault, or of the section that lacks it, if it is known."""
        path = tuple(int(step) if step.isdecimal() else step for step in (error.field or "").split("."))
        while path and path not in self.document.places:
            path = path[:-1]
        if not path:
            return error
        return type(error)(f"{self.document.place_of(path)}: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    document: Document
    provenance: dict[str, Provenance]
    sources: tuple[Path, ...]


def load(path: str | Path, model: type[Model]) -> Model:
    """Read and validate a file; ``extends`` in it takes paths only.

    Raises:
        ConfigError: a line for each fault, ``file:line: path: got X, need Y; try Z``.
    """
    return validate(_resolve(Path(path), None, ()).document, model)


Readers = Mapping[str, Callable[[Path], Document]]
"""By suffix, readers of files of other programs."""


def load_annotated(
    path_or_name: str | Path | Mapping[str, Any],
    model: type[Model],
    kind: str,
    *,
    parts: Mapping[KeyPath, str] | None = None,
    foreign: Readers | None = None,
) -> Loaded[Model]:
    """Read and validate a shipped or a user's file and keep where its values come from.

    Args:
        path_or_name: as :func:`bisparse.configs.library.find` takes it; or what a file would say, as plain data, paths
            in it from the working directory.
        model: the pydantic model of the resolved file.
        kind: the kind of file, where names of shipped files are looked up (in ``extends`` too).
        parts: fields in which the name or path of another file stands for what that file says, and the kind of file.
        foreign: by suffix, readers of files of other programs, which give what those would say here.

    Raises:
        ConfigError: a line for each fault, ``file:line: path: got X, need Y; try Z``.
    """
    if isinstance(path_or_name, Mapping):
        return _load_data(path_or_name, model, kind, parts or {}, foreign or {})
    file = library.find(kind, path_or_name)
    readers = foreign or {}
    key = (str(file), model, kind, tuple((parts or {}).items()))
    if (known := _shipped_again(key)) is not None:
        return known
    try:
        resolved = _resolve(file, kind, (), readers)
        for path, part_kind in (parts or {}).items():
            resolved = _with_part(resolved, path, part_kind)
        validated = validate(resolved.document, model)
    except ConfigError:
        if kind in _WANTED and file.suffix.lower() not in readers:
            refuse_other_kind(file, _WANTED[kind])
        raise
    loaded = _loaded(validated, resolved)
    if all(map(library.is_shipped, loaded.sources)):
        _SHIPPED[key] = (_stamps(loaded.sources), loaded)
    return loaded


_Key = tuple[str, type[BaseModel], str, tuple[tuple[KeyPath, str], ...]]

_SHIPPED: dict[_Key, tuple[tuple[tuple[int, int], ...], Loaded[Any]]] = {}
"""Shipped files that this process has read, with when they were last written: reading one takes 30 ms and more."""


def _shipped_again(key: _Key) -> Loaded[Any] | None:
    stamps, loaded = _SHIPPED.get(key, ((), None))
    return loaded if loaded is not None and _stamps(loaded.sources) == stamps else None


def _stamps(files: Iterable[Path]) -> tuple[tuple[int, int], ...]:
    read = (file.stat() for file in files)
    return tuple((each.st_mtime_ns, each.st_size) for each in read)


def _load_data(
    data: Mapping[str, Any], model: type[Model], kind: str, parts: Mapping[KeyPath, str], readers: Readers
) -> Loaded[Model]:
    """The same of plain data, by way of JSON, so that it is what a file could say."""
    try:
        plain = json.loads(json.dumps({"name": kind, **data}))
    except (TypeError, ValueError) as error:
        needed = "numbers, texts, lists and mappings"
        raise ConfigError(f"{kind}: got what no file could say ({error}), need {needed}") from None
    document = Document(file=kind, data=plain, places={})
    try:
        resolved = _resolve(Path(kind), kind, (), readers, document)
        for path, part_kind in parts.items():
            resolved = _with_part(resolved, path, part_kind)
        # Of data nothing has a line but what it extends.
        return _loaded(validate(resolved.document, model), resolved)
    except ConfigError as error:
        raise ConfigError(re.sub(rf"^{kind}:1: ", f"{kind}: ", str(error), flags=re.MULTILINE)) from None


def _loaded(model: Model, resolved: _Resolved) -> Loaded[Model]:
    return Loaded(
        model=model,
        provenance=resolved.provenance,
        sources=resolved.sources,
        sha256=library.content_hash(resolved.document.data),
        document=resolved.document,
    )


_WANTED = {"hardware": DESIGN, "recipes": RECIPE, "sweeps": SWEEP}


def validate(document: Document, model: type[Model]) -> Model:
    """Make a model of plain data, stripped of annotations.

    Raises:
        ConfigError: a line for each fault, ``file:line: path: got X, need Y; try Z``.
    """
    if not isinstance(document.data, dict):
        got = "an empty file" if document.data is None else shown(document.data)
        raise ConfigError(f"{document.place_of(())}: got {got}, need a mapping of fields")
    try:
        # By way of JSON: only there does strict validation let a list fill a tuple and a text an enumeration.
        return model.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        raise ConfigError(explain(error, document, model)) from None
    except ConfigError as error:
        # Raised inside a validator; pydantic locates only its own errors (see quantity.as_field).
        raise ConfigError(f"{document.file}: {error}") from None


def _resolve(
    path: Path,
    kind: str | None,
    children: tuple[Path, ...],
    readers: Readers = MappingProxyType({}),
    given: Document | None = None,
) -> _Resolved:
    """A file, or a document given in its place, with what it extends."""
    parsed = given or readers.get(path.suffix.lower(), parse)(path)
    own, provenance = (
        strip_provenance(parsed, plain_status="assumed", plain_source=f"not annotated in {path.name}")
        if library.is_shipped(path)
        else strip_provenance(parsed)
    )
    if not isinstance(own.data, dict) or EXTENDS not in own.data:
        return _Resolved(document=own, provenance=provenance, sources=(path,))

    base_name = own.data.pop(EXTENDS)
    # A mapping or a list in its place has no entry of its own, and is refused below.
    provenance.pop(EXTENDS, None)
    place = own.place_of((EXTENDS,))
    base_path = _base_path(base_name, path, kind, place)
    chain = (*children, path.resolve())
    if base_path.resolve() in chain:
        circle = " -> ".join(file.name for file in (*chain, base_path))
        raise ConfigError(f"{place}: extends: got a circle {circle}, need a base outside it")
    if len(chain) > MOST_BASES:
        raise ConfigError(
            f"{place}: extends: got {base_path.name}, file {len(chain)} below {chain[0].name}, "
            f"need at most {MOST_BASES} that extend each other"
        )
    base = _resolve(base_path, kind, chain, readers)
    return _Resolved(
        document=_merge(base.document, own),
        provenance=_merge_provenance(base.provenance, provenance),
        sources=(path, *base.sources),
    )


def _with_part(whole: _Resolved, path: KeyPath, kind: str) -> _Resolved:
    """The document with what another file says in the place of that file's name; as it is where no name stands."""
    document, (*above, field) = whole.document, path
    holder = document.data
    for step in above:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or not isinstance(name := holder.get(field), str):
        return whole
    place = document.place_of(path)
    part = _resolve(_file_named(name, dotted(path), Path(place.file), kind, place), kind, ())

    def grafted(data: Any, at: KeyPath) -> Any:
        if at == path:
            return part.document.data
        return {
            key: grafted(value, (*at, key)) if path[: len(at) + 1] == (*at, key) else value
            for key, value in data.items()
        }

    # What is said of the name itself goes to the part's name, the one leaf of it that claims nothing.
    said = {known: of for known, of in whole.provenance.items() if known != dotted(path)}
    naming = whole.provenance.get(dotted(path))
    if naming is not None:
        said[f"{dotted(path)}.name"] = naming
    said |= {f"{dotted(path)}.{known}": of for known, of in part.provenance.items()}
    places = dict(document.places) | {(*path, *inner): at for inner, at in part.document.places.items() if inner}
    return _Resolved(
        document=Document(file=document.file, data=grafted(document.data, ()), places=places),
        provenance=said,
        sources=(*whole.sources, *part.sources),
    )


def _base_path(name: Any, child: Path, kind: str | None, place: Place) -> Path:
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{place}: extends: got {shown(name)}, need the name of a file")
    return _file_named(name, EXTENDS, child, kind, place)


def _file_named(name: str, field: str, child: Path, kind: str | None, place: Place) -> Path:
    """The file that a field of another names: a shipped one, or a path from beside the file that names it."""
    if library.is_path(name):
        path = child.parent / name
        if special := special_file(path):
            raise ConfigError(f"{place}: {field}: got {special}, {path}, need a file")
        if not is_file(path):
            raise ConfigError(f"{place}: {field}: got {name!r}, need a file; there is no {path}")
        return path
    if kind is None:
        raise ConfigError(f"{place}: {field}: got {name!r}, need a path; try ./{name}.yaml")
    try:
        return library.find(kind, name)
    except ConfigError as error:
        raise ConfigError(f"{place}: {field}: {str(error).partition(': ')[2]}") from None


def _merge(base: Document, own: Document) -> Document:
    """The base's values where the own document is silent; a mapping is merged, all else replaced whole."""
    if not isinstance(base.data, dict):
        raise ConfigError(f"{base.place_of(())}: got {shown(base.data)}, need a mapping of fields to extend")
    places = dict(base.places)

    def take(value: Any, path: KeyPath) -> Any:
        for known in [known for known in places if known[: len(path)] == path]:
            del places[known]
        places.update({known: at for known, at in own.places.items() if known[: len(path)] == path})
        return value

    def merged(below: dict[str, Any], above: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        places[path] = own.place_of(path)
        result = dict(below)
        for key, value in above.items():
            inner = (*path, key)
            if isinstance(value, dict) and isinstance(below.get(key), dict):
                result[key] = merged(below[key], value, inner)
            else:
                result[key] = take(value, inner)
        return result

    data = merged(base.data, own.data, ())
    return Document(file=own.file, data=data, places=places)


def _merge_provenance(base: dict[str, Provenance], own: dict[str, Provenance]) -> dict[str, Provenance]:
    """The base's provenance without what an own leaf replaces: the same leaf, one inside or one around it."""
    result = dict(base)
    for path in own:
        for known in base:
            if known == path or known.startswith(path + ".") or path.startswith(known + "."):
                result.pop(known, None)
    return result | own
