"""The module that an ONNX graph becomes: each node runs its rule, inside the module that it was exported from."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch

from ....configs.errors import CaptureError
from .graph import Document, Graph, Known, Node, unseen
from .rules import rule_of
from .rules.call import Call, Result, Value
from .weights import Role, Weight, Weights, torch_type

_SHAPES_UP_TO = 1 << 16
"""Elements of a value that is computed as extents are; what is larger is data."""

_ABOUT_EXTENTS = frozenset({"Shape", "Size"})
"""Operators that read of data what is known without their values."""

_GROWS = frozenset({"ConstantOfShape", "Expand", "Tile", "Range"})
"""Operators that may make much of a few numbers."""


class Place(torch.nn.Module):
    """A module of the exported network, as far as the file remembers it: a name that operators and parameters bear."""

    def forward(self, node: Node, call: Call) -> Result:
        """Run a node here."""
        return rule_of(node)(call)


class OnnxNetwork(torch.nn.Module):
    """An ONNX graph.

    Args:
        document: the file.
        weights: its initialisers.
    """

    def __init__(self, document: Document, weights: Weights) -> None:
        super().__init__()
        self._document, self._folded = document, weights.folded
        self._known: dict[str, Known] = {}
        self._paths: dict[str, str] = {}
        self._places: dict[str, str] = {}
        on_shapes = torch.get_default_device().type == "meta"
        for weight in weights.each:
            self._keep(weight, on_shapes=on_shapes)
        for node in document.graph.all_nodes():
            self._place(node.scope)

    def extra_repr(self) -> str:
        """What tells it from every other network, so that a graph captured before is known again."""
        return f"{self._document.file.name}, sha256={self._document.digest}"

    def forward(self, *placed: torch.Tensor, **named: torch.Tensor) -> Any:
        """Run the graph; inputs by place in the file's order, or by name."""
        graph, given = self._document.graph, dict(zip(self._document.graph.inputs, placed, strict=False))
        given.update({self._input_name(name): value for name, value in named.items()})
        missing = [name for name in graph.inputs if name not in given]
        if missing or len(placed) > len(graph.inputs):
            raise CaptureError(
                f"{self._document.file}: got {len(placed) + len(named)} inputs, need one for each of: "
                f"{', '.join(graph.inputs)}"
            )
        device = next(iter(given.values())).device if given else torch.get_default_device()
        values: dict[str, Value] = {each.name: _as_declared(given[each.name], each) for each in self._document.declared}
        values.update(self._known)
        values.update({name: self.named_tensor(path) for name, path in self._paths.items()})
        found = self._run(graph, values, device)
        placed_outputs = (value.on(device) if isinstance(value, Known) else value for value in found)
        outputs = dict(zip(graph.outputs, placed_outputs, strict=True))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def named_tensor(self, path: str) -> torch.Tensor:
        """A tensor by its path."""
        module, _, name = path.rpartition(".")
        found = getattr(self.get_submodule(module), name)
        assert isinstance(found, torch.Tensor), "paths are those of parameters and buffers"
        return found

    def _keep(self, weight: Weight, *, on_shapes: bool) -> None:
        """Make an initialiser a parameter, a buffer, or a value that is known."""
        if weight.role is Role.KNOWN:
            with unseen():
                self._known[weight.value] = Known(weight.with_data())
            return
        tensor = weight.without_data() if on_shapes else weight.with_data()
        parent, _, name = weight.path.rpartition(".")
        place = self._module(parent)
        if weight.role is Role.PARAMETER:
            place.register_parameter(name, torch.nn.Parameter(tensor))
        else:
            place.register_buffer(name, tensor)
        self._paths[weight.value] = weight.path

    def _module(self, path: str) -> torch.nn.Module:
        """The module of a path, made where there is none."""
        module: torch.nn.Module = self
        for part in filter(None, path.split(".")):
            if not isinstance(getattr(module, part, None), torch.nn.Module):
                module.add_module(part, Place())
            module = module.get_submodule(part)
        return module

    def _place(self, scope: str) -> None:
        """Have a module for the nodes of a scope; under another name where a parameter has that."""
        if scope in self._places:
            return
        free = scope
        while free and any(free == path or free.startswith(f"{path}.") for path in self._paths.values()):
            free += "_"
        self._module(free)
        self._places[scope] = free

    def _input_name(self, name: str) -> str:
        """The input that a keyword means: a name need not be one of Python's."""
        return next((each for each in self._document.graph.inputs if legal_keyword(each) == name), name)

    def _run(self, graph: Graph, values: dict[str, Value], device: torch.device) -> list[Value]:
        """Run a graph's nodes in order; values of outer graphs are seen and not changed."""
        for node in graph.nodes:
            if node.outputs[0] in self._folded:
                continue
            if node.key == "If":
                results: Any = tuple(self._branch(node, values, device))
            else:
                results = self._result(node, [values[name] if name else None for name in node.inputs], device)
            several = results if isinstance(results, tuple) else (results,)
            values.update({name: each for name, each in zip(node.outputs, several, strict=False) if name})
        for name in graph.outputs:
            if values.get(name) is None:
                raise CaptureError(f"{self._document.file}: got no value of output '{name}', need one")
        return [values[name] for name in graph.outputs]

    def _branch(self, node: Node, values: Mapping[str, Value], device: torch.device) -> list[Value]:
        condition = values[node.inputs[0]]
        if not isinstance(condition, Known):
            raise node.error(
                "got a condition that depends on data, need one that shapes decide; try exporting without it"
            )
        taken = node.attributes["then_branch" if condition.value.reshape(-1).tolist()[0] else "else_branch"]
        return self._run(taken, dict(values), device)

    def _result(self, node: Node, operands: list[Value], device: torch.device) -> Any:
        """What a node makes: on the CPU and unseen where extents alone decide it, else beside the data."""
        if any(operand is None and name for operand, name in zip(operands, node.inputs, strict=True)):
            raise node.error("got an optional output that is not computed, need none that is read")
        known = all(operand is None or isinstance(operand, Known) for operand in operands)
        if node.key in _ABOUT_EXTENTS or (known and _elements(node, operands) <= _SHAPES_UP_TO):
            return _shape_result(Call(node=node, values=tuple(operands), training=False, device=torch.device("cpu")))
        call = Call(node=node, values=tuple(operands), training=self.training, device=device)
        place = self._places[node.scope]
        return self.get_submodule(place)(node, call) if place else rule_of(node)(call)


def legal_keyword(name: str) -> str:
    """A name of an input as a keyword: what is no letter of a name is an underscore."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _shape_result(call: Call) -> Any:
    try:
        with unseen():
            made = rule_of(call.node)(call)
    except CaptureError:
        raise
    except Exception as error:
        told = str(error).strip().partition("\n")[0]
        raise call.node.error(f"got {type(error).__name__}: {told}, need extents that it can compute with") from None
    several = made if isinstance(made, tuple) else (made,)
    return tuple(None if each is None else Known(each) for each in several)


def _elements(node: Node, operands: list[Value]) -> int:
    """Of the result, at most, as far as it can be told beforehand."""
    sizes = [operand.value.numel() for operand in operands if isinstance(operand, Known)]
    if node.key not in _GROWS:
        return max(sizes, default=0)
    numbers = [operand.value.reshape(-1).tolist() for operand in operands if isinstance(operand, Known)]
    if node.key == "Range":
        (start,), (limit,), (step,) = numbers
        return int(abs((limit - start) / step)) if step else 0
    grown: int = prod(max(1, extent) for extent in numbers[0 if node.key == "ConstantOfShape" else 1])
    return grown * (sizes[0] if node.key == "Tile" else 1)


def _as_declared(given: torch.Tensor, declared: Any) -> torch.Tensor:
    """An input as the file has it: a mask, where indices stand for one."""
    boolean = torch_type(declared.type.tensor_type.elem_type) is torch.bool
    return given.bool() if boolean and given.dtype is not torch.bool else given
