"""Plain data, damaged in one place: a value, a key, an entry more or less."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from random import Random
from typing import Any

from .values import NAMES, a_name, a_number, another, deep

Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A document and what was done to it.

    Attributes:
        how: in a word or two, as tables tell it.
        document: the damaged one.
        path: of the place.
        value: that stands there now, where one was set.
    """

    how: str
    document: Any
    path: Path
    value: Any = None


def places(document: Any, path: Path = ()) -> list[Path]:
    """Of every value of a document, the document itself first."""
    found = [path]
    if isinstance(document, dict):
        for key, value in document.items():
            found += places(value, (*path, key))
    elif isinstance(document, list):
        for number, value in enumerate(document):
            found += places(value, (*path, number))
    return found


def at(document: Any, path: Path) -> Any:
    """The value at a place."""
    for step in path:
        document = document[step]
    return document


def _a_place(draw: Random, document: Any, wanted: type | tuple[type, ...] | None = None) -> Path:
    """A place, at the top as likely as far down: lists of hundreds would hide the fields beside them."""
    path: Path = ()
    here = document
    while isinstance(here, dict | list) and here:
        if path and draw.random() < 0.15 and wanted is None:
            return path
        step = draw.choice(list(here)) if isinstance(here, dict) else draw.randrange(len(here))
        path, here = (*path, step), here[step]
    if wanted is not None and not isinstance(here, wanted):
        fitting = [each for each in places(document) if isinstance(at(document, each), wanted)]
        return draw.choice(fitting) if fitting else path
    return path


def damaged(draw: Random, document: Any) -> Damaged:
    """A copy of a document with one thing wrong, or two."""
    first = _once(draw, copy.deepcopy(document))
    if draw.random() < 0.1:
        second = _once(draw, first.document)
        return Damaged("several", second.document, second.path)
    return first


def _once(draw: Random, document: Any) -> Damaged:
    kind = draw.choices(
        ("number", "name", "type", "missing", "extra", "renamed", "doubled", "emptied", "whole"),
        (30, 16, 14, 12, 6, 8, 6, 6, 2),
    )[0]
    match kind:
        case "number":
            path = _a_place(draw, document, (int, float) if draw.random() < 0.7 else None)
            return _set(document, path, *a_number(draw))
        case "name":
            path = _a_place(draw, document, str if draw.random() < 0.7 else None)
            return _set(document, path, *a_name(draw))
        case "type":
            return _set(document, _a_place(draw, document), *another(draw))
        case "whole":
            return Damaged("whole", draw.choice((None, [], {}, "text", 7, [{}], deep(1000))), ())
    return _entry(draw, document, kind)


def _set(document: Any, path: Path, how: str, value: Any) -> Damaged:
    if not path:
        return Damaged(how, value, (), value)
    at(document, path[:-1])[path[-1]] = value
    return Damaged(how, document, path, value)


def _entry(draw: Random, document: Any, kind: str) -> Damaged:
    """An entry of a mapping or a list taken away, added, called otherwise, doubled or emptied."""
    path = _a_place(draw, document)
    if not path:
        return Damaged("whole", {}, ())
    holder, step = at(document, path[:-1]), path[-1]
    if kind == "missing":
        del holder[step]
    elif kind == "emptied":
        old = holder[step]
        holder[step] = type(old)() if isinstance(old, dict | list | str) else None
    elif isinstance(holder, list):
        holder.insert(draw.randrange(len(holder) + 1), copy.deepcopy(holder[step]))
        kind = "doubled"
    elif kind == "renamed":
        holder[draw.choice((f"{step}s", str(step).upper(), draw.choice(NAMES)))] = holder.pop(step)
    elif kind == "extra":
        holder[draw.choice(("unknown", f"{step}2", draw.choice(NAMES)))] = draw.choice((1, None, "x", {}))
    else:
        holder[step] = [holder[step], copy.deepcopy(holder[step])]
    return Damaged(kind, document, path)
