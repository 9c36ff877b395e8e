"""The fields of a design by dotted name: what may stand in each, and what a design has there.

Who changes a field, a sweep or a word of the command line, is held to what a hardware file is held to: the type of a
value is that of the field, with its range and its units.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from ..configs.errors import ConfigError
from ..configs.near import near
from ..configs.provenance import LABELS
from ..configs.quantity import as_field
from .specification import PARTS, Hardware

MISSING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a name sets.

    Attributes:
        name: dotted.
        of_one: the type of one value, as pydantic takes it.
        whole: whether it is an integer.
        number: whether it is a number.
        listed: whether it is a list, whose items a value joins by commas.
        part: the kind of file that a value names, or empty.
    """

    name: str
    of_one: Any
    whole: bool = False
    number: bool = False
    listed: bool = False
    part: str = ""


def design_target(path: tuple[str, ...], *, name: str, known: Iterable[str]) -> Target:
    """What a field of a design takes.

    Args:
        path: of the field.
        name: as whoever asks writes it, for messages.
        known: names that may be meant, as they write them.

    Raises:
        ConfigError: ``got X, need Y; try Z``: there is no such field, or it holds others.
    """
    annotation, metadata = _annotation(path)
    if annotation is MISSING:
        raise ConfigError(f"got {name}, need a field of the hardware{near(name, known)}")
    if path[-1] in LABELS:
        raise ConfigError(f"got {name}, need a field that changes the design: it gets a name of its own")
    if path in PARTS:
        return Target(name=name, of_one=str, part=PARTS[path])
    if _model_in(annotation) is not None or get_origin(annotation) is dict:
        inner = next((f"; try {each}" for each in known if each.startswith(f"{name}.")), "")
        raise ConfigError(f"got {name}, which holds other fields, need one of them{inner}")
    return leaf_target(name, annotation, metadata)


def leaf_target(name: str, annotation: Any, metadata: list[Any]) -> Target:
    """What a field takes, of its type and what limits it."""
    if get_origin(annotation) in (tuple, list):
        items: Any = GenericAlias(list, get_args(annotation)[:1])
        listed: Any = Annotated[items, BeforeValidator(as_field(split))]
        return Target(name=name, of_one=listed, listed=True)
    of_one: Any = Annotated[(annotation, *metadata)] if metadata else annotation
    number = annotation in (int, float)
    return Target(name=name, of_one=of_one, whole=annotation is int, number=number)


def split(value: Any) -> Any:
    """The items of a list that is written as a text; an empty one has none.

    >>> split("os, ws"), split(["os"]), split("")
    (['os', 'ws'], ['os'], [])
    """
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",")] if value.strip() else []


def joined(items: Iterable[Any]) -> str:
    """A list as one text.

    >>> joined(("os", "ws"))
    'os, ws'
    """
    return ", ".join(map(str, items))


def _annotation(path: tuple[str, ...]) -> tuple[Any, list[Any]]:
    annotation: Any = Hardware
    metadata: list[Any] = []
    for step in path:
        model = _model_in(annotation)
        if model is not None and step in model.model_fields:
            annotation, metadata = model.model_fields[step].annotation, model.model_fields[step].metadata
        elif model is None and get_origin(annotation) is dict:
            annotation, metadata = get_args(annotation)[1], []
        else:
            return MISSING, []
        annotation, metadata = unwrapped(_without_none(annotation), metadata)
    return annotation, metadata


def unwrapped(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """A type, and what limits it."""
    if get_origin(annotation) is Annotated:
        return annotation.__origin__, [*annotation.__metadata__, *metadata]
    return annotation, metadata


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        inner = [member for member in get_args(annotation) if member is not NoneType]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def value_at(design: Any, path: Iterable[str]) -> Any:
    """What a specification, or a part of one, has at a path; ``MISSING`` when there is no such."""
    for step in path:
        if isinstance(design, dict):
            design = design.get(step, MISSING)
        elif isinstance(design, BaseModel) and step in type(design).model_fields:
            design = getattr(design, step)
        else:
            return MISSING
    return design


def as_value(found: Any) -> bool | int | float | str | None:
    """A field's content as one value; None of a section, and of what is not there."""
    if isinstance(found, bool | int | float | str):
        return found
    return joined(found) if isinstance(found, tuple | list) else None


@cache
def design_names() -> tuple[str, ...]:
    """Every field of a design, but for keys of mappings."""
    return tuple(_names_in(Hardware, ""))


def _names_in(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _model_in(_without_none(field.annotation))
        if inner is not None:
            if tuple(f"{prefix}{name}".split(".")) in PARTS:
                yield f"{prefix}{name}"
            yield from _names_in(inner, f"{prefix}{name}.")
        elif get_origin(field.annotation) is not dict and name not in LABELS:
            yield f"{prefix}{name}"
