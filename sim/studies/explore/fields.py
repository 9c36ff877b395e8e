"""What an axis may set: any field of the hardware, of the options, and what a point has besides.

The type of a value is that of the field it sets, with its range and its units, so that a sweep accepts what a hardware
file accepts and refuses what that refuses, in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, PositiveInt

from ....accel.engines import OPTIMIZERS
from ....accel.specification import PARTS, Hardware
from ....configs.errors import ConfigError
from ....configs.provenance import LABELS
from ....configs.quantity import PatternText, as_field
from ...simulation import Options
from .axis_values import FREE, SINGLE, Value, is_free
from .expressions import near

HARDWARE, OPTIONS = "hardware.", "options."
"""What the names of fields begin with."""

OWN_OPTIONS = tuple(each.name for each in fields(Options) if each.name not in ("batch", "densities", "timeline"))
"""Options that a sweep may set: the batch has a name of its own, a timeline is no figure, and zeros are measured for
one workload and recipe."""

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


def target_of(name: str) -> Target:
    """What a name sets.

    Raises:
        ConfigError: ``got X, need Y; try Z``: there is no such field, or it holds others.
    """
    if name in SINGLE:
        kinds: dict[str, Any] = {"sparsity": PatternText, "batch": PositiveInt}
        return Target(name=name, of_one=kinds.get(name, str), whole=name == "batch", number=name == "batch")
    if name.startswith(HARDWARE):
        return _hardware_target(name)
    if name.startswith(OPTIONS):
        return _option_target(name)
    if is_free(name):
        return Target(name=name, of_one=FREE, number=True)
    known = f"a field such as hardware.tensor_engine.rows, one of {', '.join(SINGLE)}, or a variable of your own"
    raise ConfigError(f"got {name}, need {known}{near(name, all_names())}")


def _hardware_target(name: str) -> Target:
    path = tuple(name.split("."))[1:]
    annotation, metadata = _annotation(path)
    if annotation is MISSING:
        raise ConfigError(f"got {name}, need a field of the hardware{near(name, all_names())}")
    if path[-1] in LABELS:
        raise ConfigError(f"got {name}, need a field that changes the design: every point gets a name of its own")
    if path in PARTS:
        return Target(name=name, of_one=str, part=PARTS[path])
    if _model_in(annotation) is not None or get_origin(annotation) is dict:
        raise ConfigError(f"got {name}, which holds other fields, need one of them{_inside(name)}")
    return _leaf(name, annotation, metadata)


def _option_target(name: str) -> Target:
    option = name.removeprefix(OPTIONS)
    if option not in OWN_OPTIONS:
        offered = [f"{OPTIONS}{each}" for each in OWN_OPTIONS]
        hint = "; try batch" if option == "batch" else near(name, offered)
        raise ConfigError(f"got {name}, need one of {', '.join(offered)}{hint}")
    if option == "optimizer":
        return Target(name=name, of_one=Literal[tuple(OPTIMIZERS)])
    return _leaf(name, _without_none(get_type_hints(Options, include_extras=True)[option]), [])


def _leaf(name: str, annotation: Any, metadata: list[Any]) -> Target:
    if get_origin(annotation) in (tuple, list):
        items: Any = GenericAlias(list, get_args(annotation)[:1])
        listed: Any = Annotated[items, BeforeValidator(as_field(split))]
        return Target(name=name, of_one=listed, listed=True)
    of_one: Any = Annotated[(annotation, *metadata)] if metadata else annotation
    number = annotation in (int, float)
    return Target(name=name, of_one=of_one, whole=annotation is int, number=number)


def split(value: Any) -> Any:
    """The items of a list that is written as a text.

    >>> split("os, ws"), split(["os"])
    (['os', 'ws'], ['os'])
    """
    return [item.strip() for item in value.split(",")] if isinstance(value, str) else value


def joined(items: Iterable[Any]) -> str:
    """A list as a value of an axis has it.

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
        annotation = _without_none(annotation)
        if get_origin(annotation) is Annotated:
            annotation, metadata = annotation.__origin__, [*annotation.__metadata__, *metadata]
    return annotation, metadata


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        inner = [member for member in get_args(annotation) if member is not NoneType]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _inside(name: str) -> str:
    inner = [known for known in all_names() if known.startswith(f"{name}.")]
    return f"; try {inner[0]}" if inner else ""


def value_at(hardware: Any, path: Iterable[str]) -> Any:
    """What a specification, or a part of one, has at a path; ``MISSING`` when there is no such."""
    for step in path:
        if isinstance(hardware, dict):
            hardware = hardware.get(step, MISSING)
        elif isinstance(hardware, BaseModel) and step in type(hardware).model_fields:
            hardware = getattr(hardware, step)
        else:
            return MISSING
    return hardware


def as_value(found: Any) -> Value | None:
    """A field's content as expressions see it; None of a section, and of what is not there."""
    if isinstance(found, bool | int | float | str):
        return found
    return joined(found) if isinstance(found, tuple | list) else None


@cache
def all_names() -> tuple[str, ...]:
    """Every name that an axis can have, but for free variables and keys of mappings."""
    return (*SINGLE, *_names_in(Hardware, HARDWARE), *(f"{OPTIONS}{name}" for name in OWN_OPTIONS))


def _names_in(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _model_in(_without_none(field.annotation))
        if inner is not None:
            if tuple(f"{prefix}{name}".split("."))[1:] in PARTS:
                yield f"{prefix}{name}"
            yield from _names_in(inner, f"{prefix}{name}.")
        elif get_origin(field.annotation) is not dict and name not in LABELS:
            yield f"{prefix}{name}"
