"""Plain data, as JSON has it, checked against a dataclass that it is about to become: every field there, of its type.

What a dataclass declares is what its documents hold: dataclasses within it as objects, tuples as lists, integers as
counts of at least 0. What the values must be to each other is for whoever knows what they mean.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import sys
import types
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .complaints import shown
from .errors import ConfigError

_Check = Callable[[Any], None]

_LARGEST = 2**1023
"""Integer: figures are divided by each other, and a float holds no more."""


class _FaultError(Exception):
    """What is wrong with a value, and the way to it, innermost first."""

    def __init__(self, got: str, need: str, *way: str | int) -> None:
        super().__init__(got)
        self.got, self.need, self.way = got, need, list(way)

    def within(self, step: str | int) -> _FaultError:
        self.way.append(step)
        return self

    def told(self) -> ConfigError:
        way = ".".join(str(step) for step in reversed(self.way))
        return ConfigError(f"{way + ': ' if way else ''}got {self.got}, need {self.need}")


def check_fields(
    document: Any,
    of: type,
    *,
    called: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    beside: Collection[str] = (),
) -> None:
    """Refuse a document that is none of a dataclass.

    Args:
        document: plain data.
        of: the dataclass.
        called: fields that have another name in the document.
        without: fields that no document has.
        beside: what else the document may hold.

    Raises:
        ConfigError: ``field: got X, need Y``, the field dotted: one is missing, unknown, or of another type.

    >>> @dataclasses.dataclass
    ... class Step:
    ...     cycles: int
    >>> check_fields({"cycles": "7"}, Step)
    Traceback (most recent call last):
    bisparse.configs.errors.ConfigError: cycles: got '7', need an integer of at least 0
    """
    try:
        names = called or {}
        fields = {names.get(name, name): each for name, each in _fields(of).items() if name not in without}
        _object(document, fields, beside)
    except _FaultError as fault:
        raise fault.told() from None


def check_entries(document: Mapping[str, Any], needed: Mapping[str, Any], *, within: str) -> None:
    """Refuse a mapping without the entries that are needed, or with one of another type; others are free.

    Args:
        document: plain data.
        needed: the type of each.
        within: the field that holds the mapping.

    Raises:
        ConfigError: as for :func:`check_fields`.
    """
    try:
        for name, declared in needed.items():
            if name not in document:
                raise _FaultError("nothing", "this field", name, within)
            try:
                _check_of(declared)(document[name])
            except _FaultError as fault:
                raise fault.within(name).within(within) from None
    except _FaultError as fault:
        raise fault.told() from None


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """A field, whose check is made when a document has it: of others the type may be no type at run time."""

    of: type
    declared: dataclasses.Field[Any]

    @property
    def needed(self) -> bool:
        missing = dataclasses.MISSING
        return self.declared.default is missing and self.declared.default_factory is missing

    def check(self, value: Any) -> None:
        _check_of_field(self.of, self.declared.name)(value)


@cache
def _fields(of: type) -> dict[str, _Field]:
    return {each.name: _Field(of, each) for each in dataclasses.fields(of)}


@cache
def _check_of_field(of: type, name: str) -> _Check:
    # A field may come from a class above, of another file.
    owner = next(each for each in of.__mro__ if name in inspect.get_annotations(each))
    alone = types.SimpleNamespace(__annotations__={name: inspect.get_annotations(owner)[name]})
    try:
        return _check_of(get_type_hints(alone, vars(sys.modules[owner.__module__]))[name])
    except NameError:
        # The type is known to the type checker alone.
        return _check_of(Any)


def _object(value: Any, fields: Mapping[str, _Field], beside: Collection[str] = ()) -> None:
    if not isinstance(value, dict):
        raise _FaultError(shown(value), "an object")
    for name, field in fields.items():
        if name in value:
            try:
                field.check(value[name])
            except _FaultError as fault:
                raise fault.within(name) from None
        elif field.needed:
            raise _FaultError("nothing", "this field", name)
    if len(value) > len(fields) or value.keys() - fields.keys():
        for name in value:
            if name not in fields and name not in beside:
                raise _FaultError("an unknown field", f"one of {', '.join(fields)}", name)


@cache
def _check_of(declared: Any) -> _Check:
    """The check of a type."""
    origin, inner = get_origin(declared), get_args(declared)
    if declared is Any:
        return lambda value: None
    if dataclasses.is_dataclass(declared) and isinstance(declared, type):
        return lambda value: _object(value, _fields(declared))
    if origin is Literal:
        return _one_of(inner)
    if origin in (Union, types.UnionType):
        return _union([_check_of(each) for each in inner])
    if origin is tuple:
        return _list_of(_check_of(inner[0])) if inner[1:] == (...,) else _row_of([_check_of(each) for each in inner])
    if origin is list:
        return _list_of(_check_of(inner[0]))
    if origin in (dict, Mapping):
        return _mapping_of(_check_of(inner[1]))
    return _PLAIN[declared]


def _plain(need: str, fits: Callable[[Any], bool]) -> _Check:
    def check(value: Any) -> None:
        if not fits(value):
            raise _FaultError(shown(value), need)

    return check


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


_PLAIN: dict[Any, _Check] = {
    int: _plain("an integer of at least 0", lambda value: _is_integer(value) and value >= 0),
    float: _plain(
        "a finite number",
        lambda value: _is_integer(value) or (type(value) is float and math.isfinite(value)),
    ),
    bool: _plain("true or false", lambda value: isinstance(value, bool)),
    str: _plain("a text", lambda value: isinstance(value, str)),
    type(None): _plain("nothing", lambda value: value is None),
}


def _one_of(words: tuple[Any, ...]) -> _Check:
    # An unhashable value is equal to none of them.
    return _plain(f"one of {', '.join(map(repr, words))}", lambda value: any(value == word for word in words))


def _union(checks: list[_Check]) -> _Check:
    def check(value: Any) -> None:
        faults = []
        for each in checks:
            try:
                each(value)
            except _FaultError as fault:
                faults.append(fault)
            else:
                return
        # The one that went furthest in says what is wrong with a value of the right kind.
        raise max(faults, key=lambda fault: len(fault.way))

    return check


def _list_of(each: _Check) -> _Check:
    def check(value: Any) -> None:
        if not isinstance(value, list | tuple):
            raise _FaultError(shown(value), "a list")
        for number, item in enumerate(value):
            try:
                each(item)
            except _FaultError as fault:
                raise fault.within(number) from None

    return check


def _row_of(checks: list[_Check]) -> _Check:
    def check(value: Any) -> None:
        if not isinstance(value, list | tuple) or len(value) != len(checks):
            raise _FaultError(shown(value), f"a list of {len(checks)}")
        for number, (each, item) in enumerate(zip(checks, value, strict=True)):
            try:
                each(item)
            except _FaultError as fault:
                raise fault.within(number) from None

    return check


def _mapping_of(each: _Check) -> _Check:
    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise _FaultError(shown(value), "an object")
        for name, item in value.items():
            try:
                each(item)
            except _FaultError as fault:
                raise fault.within(name) from None

    return check
