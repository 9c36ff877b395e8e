"""Options, declared once: fields of a frozen dataclass that say what they take, and what a reader is told of them.

From a declaration are derived the checks of a value (``check_options``), the answer to a misspelt keyword
(``check_keywords``), options of command lines, fields of saved files and axes of sweeps. Imports nothing heavy: the
command line reads declarations to show its help, so that choices that stand in heavy modules are asked for when needed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from typing import Any

from .errors import ConfigError
from .option_kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The place of an option in a file that repeats a run.

    Attributes:
        unsaid: its value in files of versions that did not know it; None when all of them say it.
        binding: what is repeated holds for this value alone.
    """

    unsaid: Any = None
    binding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        name: of the field.
        kind: what it takes.
        default: ``MISSING`` when a value must be given, or is found elsewhere.
        help: on a command line; an option without is not on any.
        metavar: what the help calls the value.
        example: a good value, for messages.
        usual: what holds where nothing is said, in words; the default itself when empty.
        saved: its place in a saved file, if it has one.
        swept: whether a sweep may set it.
    """

    name: str
    kind: Kind
    default: Any
    help: str = ""
    metavar: str = ""
    example: int = 1
    usual: str = ""
    saved: Saved | None = None
    swept: bool = False

    @property
    def flag(self) -> str:
        """What it is called on a command line: a name that Python keeps to itself has a ``_`` behind it elsewhere."""
        return f"--{self.name.rstrip('_').replace('_', '-')}"

    @property
    def off_flag(self) -> str:
        """What turns a switch off that may be on."""
        return f"--no-{self.name.replace('_', '-')}"


_KEY = "option"


def option(kind: Kind, **told: Any) -> dict[str, Option]:
    """The metadata of a field that is an option; ``told`` are attributes of ``Option`` but for name and default."""
    # The field itself brings name and default.
    return {_KEY: Option(name="", kind=kind, default=MISSING, **told)}


@cache
def options_of(model: type) -> dict[str, Option]:
    """The options that a dataclass declares, by name."""
    return {
        each.name: replace(each.metadata[_KEY], name=each.name, default=each.default)
        for each in fields(model)
        if _KEY in each.metadata
    }


def check_options(holder: Any) -> None:
    """Check the options of a frozen dataclass that was just made, and hold each in its plain form.

    Raises:
        ConfigError: ``name: got X, need Y``.
    """
    model: type = type(holder)
    for name, declared in options_of(model).items():
        value = getattr(holder, name)
        or_none = declared.default is None
        if value is None and or_none:
            continue
        object.__setattr__(holder, name, declared.kind.checked(name, value, or_none=or_none))


def check_keywords(given: Mapping[str, object], model: type, also: Iterable[str] = ()) -> None:
    """Refuse keywords that are no option.

    Args:
        given: the keywords.
        model: that declares the options.
        also: other names that the caller takes, one of which may be meant.

    Raises:
        ConfigError: ``name: got name, need ...``; the nearest name where one is near, else all of them.
    """
    known = options_of(model)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, [*also, *known], n=1)
            need = f"a known option; try {near[0]}" if near else f"one of {', '.join(known)}"
            raise ConfigError(f"{name}: got {name}, need {need}")
