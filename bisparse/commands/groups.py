"""Options that go together, as one parameter of a command.

A parameter whose type is a dataclass stands for the options that its fields are; one of ``Annotated[dict[str, Any],
DeclaredIn(model)]`` for options that are declared elsewhere (``configs.option``), and brings what was said by name. The
parser sees them spread out where the parameter stands, so that the help lists them there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints

import typer

from ..configs.option import Option, options_of
from ..configs.option_kinds import Switch, WholeNumber
from .completion import choices
from .usage import whole_number

Values = Mapping[str, Any]


class Group(Protocol):
    """Several options of a command line."""

    def parameters(self) -> list[inspect.Parameter]:
        """As the parser takes them."""

    def gathered(self, values: Values) -> Any:
        """What the command gets of their values."""


class DeclaredIn:
    """Options that a dataclass declares; a command gets those that were said, by name."""

    def __init__(
        self,
        model: type,
        *,
        only: Collection[str] = (),
        without: Collection[str] = (),
        defaults: Mapping[str, Any] | None = None,
        usual: Mapping[str, str] | None = None,
    ) -> None:
        """Of a dataclass.

        Args:
            model: with the declarations; those without a help are no options of a command line.
            only: names of these alone, unless empty.
            without: names to leave out.
            defaults: by name, where a command has others.
            usual: by name, what a command says of its defaults where it has others.
        """
        self._options = {
            name: declared
            for name, declared in options_of(model).items()
            if declared.help and (not only or name in only) and name not in without
        }
        self._defaults = defaults or {}
        self._usual = usual or {}

    def parameters(self) -> list[inspect.Parameter]:
        """Those of the command line."""
        return [self._parameter(declared) for declared in self._options.values()]

    def gathered(self, values: Values) -> dict[str, Any]:
        """What was said, by name."""
        return {name: value for name, value in values.items() if value is not None}

    def _parameter(self, declared: Option) -> inspect.Parameter:
        kind, name = declared.kind, declared.name
        default = self._defaults.get(name, declared.default)
        usual = self._usual.get(name) or declared.usual or ("" if default is None else str(default))
        told = declared.help
        if default is None or declared.usual or declared.saved is not None:
            # Silence is told from the default: something else may speak.
            told += f" [{usual}]" if usual else ""
            default = None
        option = typer.Option(
            f"{declared.flag}/{declared.off_flag}" if isinstance(kind, Switch) and default is None else declared.flag,
            metavar=declared.metavar or None,
            help=told,
            autocompletion=choices(kind),
            parser=whole_number(declared.flag, at_least=kind.at_least, example=declared.example)
            if isinstance(kind, WholeNumber)
            else None,
        )
        return _keyword(name, Annotated[kind.word | None if default is None else kind.word, option], default)


class _FieldsOf:
    """Options that are the fields of a dataclass."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def parameters(self) -> list[inspect.Parameter]:
        hints = get_type_hints(self._kind, include_extras=True)
        return [_keyword(each.name, hints[each.name], each.default) for each in fields(self._kind)]

    def gathered(self, values: Values) -> Any:
        return self._kind(**values)


class _One:
    """A parameter that is one option."""

    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self._parameter = _keyword(name, annotation, MISSING if default is inspect.Parameter.empty else default)

    def parameters(self) -> list[inspect.Parameter]:
        """Those of the command line."""
        return [self._parameter]

    def gathered(self, values: Values) -> Any:
        (value,) = values.values()
        return value


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes groups, as the parser wants it: a parameter an option."""
    hints = get_type_hints(command, include_extras=True)
    groups = {each.name: _group(each, hints[each.name]) for each in inspect.signature(command).parameters.values()}
    spread = {name: group.parameters() for name, group in groups.items()}

    @wraps(command)
    def run(**values: Any) -> None:
        command(
            **{
                name: group.gathered({each.name: values[each.name] for each in spread[name]})
                for name, group in groups.items()
            }
        )

    parameters = [each for of_group in spread.values() for each in of_group]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _group(parameter: inspect.Parameter, annotation: Any) -> Group:
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, DeclaredIn):
                return extra
    if isinstance(annotation, type) and is_dataclass(annotation):
        return _FieldsOf(annotation)
    return _One(parameter.name, annotation, parameter.default)


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=annotation,
    )
