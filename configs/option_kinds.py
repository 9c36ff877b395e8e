"""What an option takes: kinds of values, each with its check, its words in messages, and its type elsewhere.

Imports nothing heavy: names that stand in heavy modules are asked for when a value is checked.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import index
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, ClassVar, Literal, SupportsIndex

from .errors import ConfigError


class Kind(ABC):
    """What an option takes, None aside.

    Attributes:
        word: the type of a value on a command line.
    """

    __slots__ = ()
    word: ClassVar[type] = str

    def checked(self, name: str, value: Any, *, or_none: bool = False) -> Any:
        """A value in its plain form.

        Args:
            name: of the option.
            value: given for it.
            or_none: whether None would have been taken, too.

        Raises:
            ConfigError: ``name: got X, need Y``.
        """
        if not self._takes(value):
            raise ConfigError(f"{name}: got {self._shown(value)}, need {self._need(or_none=or_none)}")
        return self._held(value)

    @property
    def annotation(self) -> Any:
        """The type of a value, with its range, as pydantic takes it."""
        return self._annotation()

    @abstractmethod
    def _takes(self, value: object) -> bool: ...

    @abstractmethod
    def _need(self, *, or_none: bool) -> str: ...

    @abstractmethod
    def _annotation(self) -> Any: ...

    def _held(self, value: Any) -> Any:
        return value

    def _shown(self, value: object) -> str:
        return repr(value)


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """Any text; who reads it says what is wrong with it."""

    def _takes(self, value: object) -> bool:
        return True

    def _need(self, *, or_none: bool) -> str:
        return "a text"

    def _annotation(self) -> Any:
        return str


@dataclass(frozen=True, slots=True)
class NamePatterns(Kind):
    """Names with ``*`` and ``?``, commas between; empty for none. What they are names of is known to who reads them.

    >>> NamePatterns().checked("freeze", ["encoder.*", "head"])
    'encoder.*,head'
    """

    def _takes(self, value: object) -> bool:
        if isinstance(value, list | tuple):
            return all(isinstance(each, str) and each for each in value)
        return isinstance(value, str)

    def _held(self, value: Any) -> str:
        return value if isinstance(value, str) else ",".join(value)

    def _need(self, *, or_none: bool) -> str:
        return "names with commas between, such as 'encoder.*,head'"

    def _annotation(self) -> Any:
        return str


@dataclass(frozen=True, slots=True)
class WholeNumber(Kind):
    """A whole number of at least so much; those of NumPy count.

    >>> WholeNumber(1).checked("batch", 8)
    8
    >>> WholeNumber(1).checked("batch", True)
    Traceback (most recent call last):
        ...
    bisparse.configs.errors.ConfigError: batch: got True, need an integer of at least 1
    """

    word: ClassVar[type] = int
    at_least: int

    def _takes(self, value: object) -> bool:
        return isinstance(value, SupportsIndex) and not isinstance(value, bool) and index(value) >= self.at_least

    def _held(self, value: Any) -> int:
        return index(value)

    def _need(self, *, or_none: bool) -> str:
        return f"an integer of at least {self.at_least}"

    def _annotation(self) -> Any:
        from pydantic import Field

        return Annotated[int, Field(gt=self.at_least - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Kind):
    """A finite number of at least so much, or above it.

    Attributes:
        at_least: the bound.
        above: whether the bound itself is left out.
    """

    word: ClassVar[type] = float
    at_least: float
    above: bool = False

    def _takes(self, value: object) -> bool:
        if not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return value > self.at_least if self.above else value >= self.at_least

    def _need(self, *, or_none: bool) -> str:
        return f"a number {'above' if self.above else 'of at least'} {self.at_least:g}"

    def _annotation(self) -> Any:
        from pydantic import Field

        return Annotated[float, Field(gt=self.at_least) if self.above else Field(ge=self.at_least)]


@dataclass(frozen=True, slots=True)
class Switch(Kind):
    """On or off."""

    word: ClassVar[type] = bool

    def _takes(self, value: object) -> bool:
        return value in (True, False)

    def _need(self, *, or_none: bool) -> str:
        return "True, False or None" if or_none else "True or False"

    def _annotation(self) -> Any:
        return bool


@dataclass(frozen=True, slots=True)
class OneOf(Kind):
    """One of some names.

    Attributes:
        offered: gives the names.
    """

    offered: Callable[[], Iterable[str]]

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are offered."""
        return tuple(self.offered())

    def _takes(self, value: object) -> bool:
        return isinstance(value, str) and value in self.names

    def _need(self, *, or_none: bool) -> str:
        return f"one of {', '.join(self.names)}"

    def _annotation(self) -> Any:
        return Literal[self.names]


@dataclass(frozen=True, slots=True)
class SomeOf(OneOf):
    """A tuple of at least one of some names."""

    def _takes(self, value: object) -> bool:
        return isinstance(value, tuple) and bool(value) and all(each in self.names for each in value)

    def _need(self, *, or_none: bool) -> str:
        return f"a tuple of {', '.join(self.names)}{', or None' if or_none else ''}"

    def _annotation(self) -> Any:
        return GenericAlias(tuple, (Literal[self.names], ...))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Kind):
    """What a run has left in its directory: a path on a command line, an object in Python.

    Attributes:
        kind: gives the object's type.
        loader: what makes one, in words.
    """

    word: ClassVar[type] = Path
    kind: Callable[[], type]
    loader: str

    def _takes(self, value: object) -> bool:
        return isinstance(value, self.kind())

    def _shown(self, value: object) -> str:
        return type(value).__name__

    def _need(self, *, or_none: bool) -> str:
        return f"{self.kind().__name__}; try {self.loader}"

    def _annotation(self) -> Any:
        return self.kind()
