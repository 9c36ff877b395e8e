"""An exported program as a module: torch's operators one after the other, in the parts that they were called in.

Operators run by name among torch's own and no code is made from the file. Parameters keep their names, and each
operator runs inside a part of the name of the module that called it, so that a graph of an exported network reads like
one of the network itself. What is not run: assertions about shapes, and control flow on values (refused).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ...configs.errors import CaptureError
from .exported_archive import DTYPES, ExportedArchive
from .exported_graph import Program, Reference, Surroundings, argument_of


class _Part(nn.Module):
    """Stands for a module of the network that was exported: what runs in it has its name."""

    def forward(self, run: Callable[[], Any]) -> Any:
        return run()


class ExportedNetwork(nn.Module):
    """The network of an archive.

    Its own attributes have an underscore, so that parts may have any name.

    Args:
        archive: read.

    Raises:
        CaptureError: it runs what is none of torch's operators, or control flow.
        Exception: one of ``DAMAGES``, where the program is not one.
    """

    def __init__(self, archive: ExportedArchive) -> None:
        super().__init__()
        module = archive.graph_module
        signature = module["module_call_graph"][0]["signature"]
        self._program = Program(module["graph"])
        self._out_spec = _spec(signature["out_spec"])
        self._kept: dict[str, str] = {}
        self._constants: dict[str, Any] = {}
        self._places: dict[str, tuple[str, ...]] = {}
        tensors = module["graph"]["tensor_values"]
        self._truths = {name for name, meta in tensors.items() if DTYPES.get(meta["dtype"]) is torch.bool}
        places = _call_paths(_spec(signature["in_spec"]))
        for spec in module["signature"]["input_specs"]:
            ((kind, said),) = spec.items()
            if kind in ("user_input", "constant_input"):
                self._take(said, next(places))
            else:
                name = said[f"{kind}_name"]
                tensor = archive.state[name] if name in archive.state else archive.constants[name]
                self._hold(name, tensor, persistent=said.get("persistent", False))
                self._kept[said["arg"]["name"]] = name
        outputs = module["signature"]["output_specs"]
        self._returned = [at for at, spec in enumerate(outputs) if {"user_output", "loss_output"} & spec.keys()]
        for step in self._program.steps:
            self._part_at(step.part)

    def forward(self, *placed: Any, **named: Any) -> Any:
        """Run it; inputs as the exported module took them, dictionaries also where it took lists."""
        found = dict(self._constants)
        found |= {name: self._tensor_at(path) for name, path in self._kept.items()}
        for name, path in self._places.items():
            given = _at(path, placed, named)
            # An input of a capture is a floating number or a whole one.
            found[name] = given.bool() if name in self._truths else given
        device = next((tensor.device for tensor in found.values() if isinstance(tensor, torch.Tensor)), None)
        where = Surroundings(device=device or torch.device("cpu"), within=self._within)
        values = self._program.values(found, where)
        return _structure(self._out_spec, iter([values[at] for at in self._returned]))

    def _within(self, part: str, run: Callable[[], Any]) -> Any:
        return self.get_submodule(part)(run) if part else run()

    def _take(self, said: Mapping[str, Any], path: tuple[str, ...]) -> None:
        """An input: a tensor that a caller gives, or a constant of the program."""
        argument = argument_of(said["value"] if "value" in said else said["arg"])
        if not isinstance(argument, Reference):
            if "name" in said:
                self._constants[said["name"]] = argument
        elif "as_tensor" in said["arg"]:
            self._places[argument.name] = path
        else:
            where = ".".join(path)
            raise CaptureError(f"input {where}: got a number, need tensors as inputs; try exporting it as a constant")

    def _hold(self, name: str, tensor: torch.Tensor, *, persistent: bool) -> None:
        before, _, last = name.rpartition(".")
        part = self._part_at(before)
        if isinstance(tensor, nn.Parameter):
            part.register_parameter(last, tensor)
        else:
            part.register_buffer(last, tensor, persistent=persistent)

    def _tensor_at(self, name: str) -> torch.Tensor:
        before, _, last = name.rpartition(".")
        tensor: torch.Tensor = getattr(self.get_submodule(before), last)
        return tensor

    def _part_at(self, path: str) -> nn.Module:
        """The part of a dotted name, made where there is none yet."""
        part: nn.Module = self
        for name in path.split(".") if path else ():
            if name not in part._modules:
                part.add_module(name, _Part())
            part = part.get_submodule(name)
        return part


def input_places(network: ExportedNetwork) -> Mapping[str, tuple[str, ...]]:
    """Where each input of the program stands in a call, by its name in the program: a place or keyword, then keys."""
    return network._places


def _spec(text: str) -> Mapping[str, Any]:
    """The structure of a call, which is text in the program's document."""
    spec: Mapping[str, Any] = json.loads(text)[1]
    return spec


def _call_paths(spec: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Where each value of a call stands: a call is a tuple of what comes by place and what comes by keyword."""
    for each in spec["children_spec"]:
        yield from _paths(each)


def _paths(spec: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    if spec["type"] is None:
        yield ()
        return
    for key, child in zip(_keys(spec), spec["children_spec"], strict=True):
        for path in _paths(child):
            yield (key, *path)


def _keys(spec: Mapping[str, Any]) -> list[str]:
    """Keys of a dictionary, names of fields, else places."""
    places = [str(place) for place in range(len(spec["children_spec"]))]
    context = json.loads(spec["context"]) if isinstance(spec["context"], str) else None
    if isinstance(context, list) and len(context) == len(places) and all(type(key) is str for key in context):
        return context
    return places


def _structure(spec: Mapping[str, Any], values: Iterator[Any]) -> Any:
    """Values as the exported module returned them; a dictionary where it returned an object of a class."""
    if spec["type"] is None:
        return next(values)
    keys = _keys(spec)
    inner = [_structure(child, values) for child in spec["children_spec"]]
    by_place = keys == [str(place) for place in range(len(inner))]
    return tuple(inner) if by_place else dict(zip(keys, inner, strict=True))


def _at(path: Sequence[str], placed: Sequence[Any], named: Mapping[str, Any]) -> Any:
    first, *keys = path
    value = placed[int(first)] if first.isdecimal() else named[first]
    for key in keys:
        value = value[key] if isinstance(value, Mapping) else value[int(key)]
    return value
