"""Expressions of a sweep: arithmetic and comparisons over dotted names, such as ``hardware.tensor_engine.rows * 4``.

Evaluated by simpleeval, which runs no code of the user's. What an expression may hold is checked when it is read, so
that nothing in it surprises after an hour of evaluation: numbers, texts, names, ``+ - * / // % **``, comparisons,
``and or not``, ``A if B else C``, the functions and constants below. Texts are compared and chosen, nothing else; no
integer on the way grows past what a float holds, so that every evaluation is one of microseconds.
"""

from __future__ import annotations

import ast
import math
import operator
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from ....configs.complaints import shown
from ....configs.errors import ConfigError
from ....configs.limits import MOST_DIGITS
from ....configs.near import near
from ....configs.needs import check_package
from .axis_values import Value

_UNITS: dict[str, Value] = {
    **dict(zip(("KiB", "MiB", "GiB"), (2**10, 2**20, 2**30), strict=True)),
    **dict(zip(("kB", "MB", "GB", "kHz", "MHz", "GHz"), (10**3, 10**6, 10**9) * 2, strict=True)),
    **dict(zip(("ns", "us", "ms"), (1e-9, 1e-6, 1e-3), strict=True)),
}

CONSTANTS: dict[str, Value] = _UNITS | {"true": True, "false": False}
"""Names that every expression knows: units, and truth as YAML writes it."""

_MOST_ROUNDED = 308
"""Digits that ``round`` keeps or drops: those that a float has."""


def _rounded(number: Any, digits: Any = 0) -> Any:
    if not isinstance(digits, int) or isinstance(digits, bool) or abs(digits) > _MOST_ROUNDED:
        raise ConfigError(f"got round to {shown(digits)} digits, need at most {_MOST_ROUNDED}")
    return round(number, digits) if digits else round(number)


def _of_several(function: Callable[..., Any]) -> Callable[..., Any]:
    def chosen(*values: Any) -> Any:
        # Of one value Python looks for what is in it, the letters of a text.
        return function(values)

    return chosen


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": _of_several(min),
    "max": _of_several(max),
    "ceil": math.ceil,
    "floor": math.floor,
    "round": _rounded,
    "log2": math.log2,
}
"""Functions that every expression knows."""

_LONGEST = 1000
"""Characters of an expression; far below what would tire the parser."""

_LARGEST_EXPONENT = 128

_ARGUMENTS = {"ceil": 1, "floor": 1, "round": 2, "log2": 1}
"""The most that a function takes, where that is a number."""

_ALLOWED = (
    ast.Expression,
    ast.Constant,
    ast.Name,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Call,
    ast.Load,
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.And),
    *(ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
)


class NoValueError(ConfigError):
    """A name has no value here: it is an axis that does not apply, and nothing stands in its place."""


class Names(Protocol):
    """Whatever knows the values of names."""

    def __getitem__(self, name: str, /) -> Value:
        """The value of a name; ``ConfigError`` where it cannot be had."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that was read and found harmless.

    Attributes:
        text: as the user wrote it.
        names: that it mentions, each once, in order; constants and functions are not among them.

    >>> Expression.parse("max(2, lanes / 4) * KiB").evaluate({"lanes": 32})
    8192.0
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Read an expression.

        Raises:
            ConfigError: ``got X, need Y``: it is no expression, or holds what is not offered here.
        """
        if len(text) > _LONGEST:
            raise ConfigError(f"got an expression of {len(text)} characters, need at most {_LONGEST}")
        try:
            tree = _DottedNames().visit(ast.parse(text.strip(), mode="eval"))
        except SyntaxError as error:
            hint = _syntax_hint(text)
            raise ConfigError(f"got {text!r}, need an expression ({error.msg}){hint}") from None
        except (ValueError, RecursionError, MemoryError):
            raise ConfigError(f"got {text!r}, need an expression of fewer levels") from None
        for node in ast.walk(tree):
            _check(node, text)
        functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        named = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and id(node) not in functions and node.id not in CONSTANTS
        ]
        named.sort(key=lambda node: (node.lineno, node.col_offset))
        return cls(text.strip(), tuple(dict.fromkeys(node.id for node in named)), tree.body)

    def evaluate(self, names: Names | Mapping[str, Value]) -> Value:
        """The value, given those of the names.

        Raises:
            ConfigError: a name has no value, or the values do not go together.
        """
        try:
            value = _EVALUATORS.evaluate(self, names)
        except ConfigError:
            raise
        except ZeroDivisionError:
            raise ConfigError(f"got a division by zero in {self.text!r}, need a divisor that is not 0") from None
        except (TypeError, ValueError, OverflowError, ArithmeticError, RecursionError) as error:
            raise ConfigError(f"got values that {self.text!r} cannot work on ({error}), need others") from None
        if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
            raise ConfigError(f"got {value} of {self.text!r}, need a finite number")
        assert isinstance(value, bool | int | float | str), "the operators offered make nothing else"
        return value

    def holds(self, names: Names | Mapping[str, Value]) -> bool:
        """Whether it is true.

        Raises:
            ConfigError: as for ``evaluate``, or the value is neither true nor false.
        """
        value = self.evaluate(names)
        if not isinstance(value, bool):
            raise ConfigError(f"got {value!r} of {self.text!r}, need true or false; try a comparison")
        return value


class _DottedNames(ast.NodeTransformer):
    """Makes one name of ``a.b.c``, which is what simpleeval then looks up."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        inner = self.visit(node.value)
        if isinstance(inner, ast.Name):
            return ast.copy_location(ast.Name(id=f"{inner.id}.{node.attr}", ctx=ast.Load()), node)
        return ast.copy_location(ast.Attribute(value=inner, attr=node.attr, ctx=ast.Load()), node)


def _check(node: ast.AST, text: str) -> None:
    if not isinstance(node, _ALLOWED):
        what = type(node).__name__.lower()
        raise ConfigError(f"got {what} in {text!r}, need arithmetic, comparisons, and, or, not, if-else")
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, bool | int | float | str):
            raise ConfigError(f"got {node.value!r} in {text!r}, need numbers, texts, true or false")
        if isinstance(node.value, int) and abs(node.value) >= 10**MOST_DIGITS:
            raise ConfigError(f"got an integer of more than {MOST_DIGITS} digits, need fewer; try 1e30")
    if isinstance(node, ast.BinOp) and (_is_text(node.left) or _is_text(node.right)):
        raise ConfigError(f"got arithmetic on a text in {text!r}, need numbers; texts can be compared")
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            need = f"need one of {', '.join(FUNCTIONS)}{near(name, FUNCTIONS)}"
            raise ConfigError(f"got a call of {name or 'something else than a name'} in {text!r}, {need}")
        if len(node.args) > _ARGUMENTS.get(name, len(node.args)):
            raise ConfigError(f"got {len(node.args)} values for {name} in {text!r}, need at most {_ARGUMENTS[name]}")
        if node.keywords or not node.args:
            raise ConfigError(f"got {name} without plain arguments in {text!r}, need values in its parentheses")


def _syntax_hint(text: str) -> str:
    if "=" in text and not any(mark in text for mark in ("==", "<=", ">=", "!=")):
        return "; try == to compare"
    if "&&" in text or "||" in text:
        return "; try and, or"
    for unit in _UNITS:
        number, found, _ = text.partition(f" {unit}")
        if found and number[-1:].isdigit():
            return f"; try {number.split()[-1]} * {unit}"
    return ""


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > _LARGEST_EXPONENT:
        raise ConfigError(f"got an exponent of {shown(exponent)}, need at most {_LARGEST_EXPONENT}")
    # As a float first, which overflows where an integer would fill the memory.
    result: Any = float(base) ** exponent
    return base**exponent if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0 else result


def _on_numbers(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operator that takes no text, and gives no integer too large for a float."""

    def checked(left: Any, right: Any) -> Any:
        if isinstance(left, str) or isinstance(right, str):
            raise TypeError("arithmetic on a text")
        result = operate(left, right)
        if isinstance(result, int) and result.bit_length() > _MOST_BITS:
            raise OverflowError("an integer too large for a number")
        return result

    return checked


_MOST_BITS = 1023
"""Of an integer: more do not always make a finite float."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}


class _Evaluators(threading.local):
    """An evaluator a thread: one is not made in the time that it takes to use it."""

    evaluator: Any = None

    def evaluate(self, expression: Expression, names: Names | Mapping[str, Value]) -> Any:
        if self.evaluator is None:
            self.evaluator = _evaluator()
        # A name may be derived, and so be evaluated while another expression is.
        outer, self.evaluator.names = self.evaluator.names, _WithConstants(names)
        try:
            return self.evaluator.eval(expression.text, previously_parsed=expression._tree)
        finally:
            self.evaluator.names = outer


def _evaluator() -> Any:
    # Imported here: only who explores needs it.
    check_package("simpleeval", "expressions of a sweep", extra="explore")
    simpleeval: Any = import_module("simpleeval")
    operators = simpleeval.DEFAULT_OPERATORS | {kind: _on_numbers(operate) for kind, operate in _BINARY.items()}
    return simpleeval.SimpleEval(operators=operators, functions=FUNCTIONS, names={})


class _WithConstants:
    """Names, the constants first."""

    def __init__(self, names: Names | Mapping[str, Value]) -> None:
        self._names = names

    def __getitem__(self, name: str) -> Value:
        return CONSTANTS[name] if name in CONSTANTS else self._names[name]


_EVALUATORS = _Evaluators()
