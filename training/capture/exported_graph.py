"""A graph of an exported program: its operators one after the other, from the schema's document to values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ...configs.errors import CaptureError
from .exported_archive import DTYPES
from .exported_operators import is_check, operator_named


@dataclass(frozen=True, slots=True)
class Reference:
    """A value made before, by name."""

    name: str


class _Device:
    """Wherever the program runs, whatever device it was exported on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a program runs.

    Attributes:
        device: of its tensors.
        within: runs a function inside the part of a dotted name.
    """

    device: torch.device
    within: Callable[[str, Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operator.

    Attributes:
        run: the operator.
        placed: arguments by place.
        named: arguments by name.
        outputs: what its results are called.
        part: dotted name of the module that called it.
    """

    run: Callable[..., Any]
    placed: tuple[Any, ...]
    named: Mapping[str, Any]
    outputs: tuple[Any, ...]
    part: str

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Step:
        """The step of a node."""
        run, by_place = operator_named(node["target"])
        arguments = [(each["name"], argument_of(each["arg"])) for each in node["inputs"]]
        # The receiver of an operator of torch's has a place and no name.
        count = len(arguments) if by_place else int(bool(arguments) and arguments[0][0] == "self")
        return cls(
            run=run,
            placed=tuple(value for _, value in arguments[:count]),
            named=dict(arguments[count:]),
            outputs=tuple(argument_of(each) for each in node["outputs"]),
            part=_part(node["metadata"]),
        )


class Program:
    """A graph of operators. It does not change, and copies of a module share it."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.steps = tuple(Step.of(node) for node in graph["nodes"] if not is_check(node["target"]))
        self._inputs = tuple(argument_of(each) for each in graph["inputs"])
        self._outputs = tuple(argument_of(each) for each in graph["outputs"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        return self

    def values(self, found: dict[str, Any], where: Surroundings) -> list[Any]:
        """What it puts out, from what stands in ``found`` by name."""
        for step in self.steps:
            placed = [_value(each, found, where) for each in step.placed]
            named = {name: _value(each, found, where) for name, each in step.named.items()}
            _keep(step.outputs, where.within(step.part, partial(step.run, *placed, **named)), found)
        return [_value(each, found, where) for each in self._outputs]

    def within(self, where: Surroundings) -> Callable[..., Any]:
        """The same as a function of its inputs, by place."""

        def run(*given: Any) -> Any:
            names = (each.name for each in self._inputs)
            results = self.values(dict(zip(names, given, strict=True)), where)
            return results[0] if len(results) == 1 else tuple(results)

        return run


_PART = re.compile(r"\w+(\.\w+)*")


def _part(metadata: Mapping[str, str]) -> str:
    """The module that called an operator: the last of ``key,path,type;key,path,type``; repeated calls are of one."""
    called = metadata.get("nn_module_stack", "").rpartition(";")[2]
    path = (*called.split(","), "")[1].partition("@")[0]
    return path if _PART.fullmatch(path) and not path.startswith("_empty_nn_module_stack") else ""


_LITERALS = ("as_bool", "as_bools", "as_int", "as_ints", "as_int_lists", "as_string", "as_strings")
_LISTS = ("as_tensors", "as_nested_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools", "as_optional_tensors")
_WRAPPED = ("as_tensor", "as_optional_tensor", "as_sym_int", "as_sym_float", "as_sym_bool")
_BY_NUMBER: dict[str, Mapping[int, Any]] = {
    "as_scalar_type": DTYPES,
    "as_layout": {7: torch.strided},
    "as_memory_format": {
        1: torch.contiguous_format,
        2: torch.channels_last,
        3: torch.channels_last_3d,
        4: torch.preserve_format,
    },
}
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "as_none": lambda said: None,
    "as_name": Reference,
    # Infinities and what is no number are words.
    "as_float": float,
    "as_floats": lambda said: [float(each) for each in said],
    "as_complex": lambda said: complex(float(said["real"]), float(said["imag"])),
    "as_device": lambda said: _Device(),
    "as_graph": lambda said: Program(said["graph"]),
}


def argument_of(said: Any) -> Any:
    """An argument of the schema, a union with one field, as a value or as a reference to one.

    Raises:
        CaptureError: it is an object of a class.
    """
    if isinstance(said, list):
        return [argument_of(each) for each in said]
    if "name" in said:
        return Reference(said["name"])
    ((kind, value),) = said.items()
    if kind in _LITERALS:
        return value
    if kind in _LISTS or kind in _WRAPPED:
        return argument_of(value)
    if kind in _BY_NUMBER:
        return _BY_NUMBER[kind][value]
    if kind in _CONVERTED:
        return _CONVERTED[kind](value)
    raise CaptureError(f"argument: got {kind}, need tensors and numbers; try a factory that builds the module")


def _value(argument: Any, found: Mapping[str, Any], where: Surroundings) -> Any:
    if isinstance(argument, Reference):
        return found[argument.name]
    if isinstance(argument, list):
        return [_value(each, found, where) for each in argument]
    if isinstance(argument, _Device):
        return where.device
    return argument.within(where) if isinstance(argument, Program) else argument


def _keep(outputs: Sequence[Any], result: Any, found: dict[str, Any]) -> None:
    """Put what an operator returned under the names that it has."""
    results = [result] if len(outputs) == 1 else result if outputs else ()
    for output, value in zip(outputs, results, strict=True):
        if isinstance(output, Reference):
            found[output.name] = value
        elif isinstance(output, list):
            _keep(output, value[0] if len(output) == 1 and isinstance(value, list | tuple) else value, found)
