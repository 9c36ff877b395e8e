"""An ONNX graph as the reader leaves it: nodes and weights, free of protobuf but for the tensors themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from ....configs.errors import CaptureError


@contextmanager
def unseen() -> Iterator[None]:
    """Compute inside on the CPU, and let no recorder see it: extents are no data of a step."""
    with _disable_current_modes(), torch.device("cpu"), torch.no_grad():
        yield


class Known:
    """A value that is known while data are shapes alone: extents, indices, constants. On the CPU."""

    def __init__(self, value: torch.Tensor) -> None:
        self.value = value
        self._placed: dict[torch.device, torch.Tensor] = {}

    def on(self, device: torch.device) -> torch.Tensor:
        """The same beside the data; one tensor however often it is asked for."""
        if device.type == "cpu":
            return self.value
        if device not in self._placed:
            with unseen():
                self._placed[device] = torch.empty_like(self.value, device=device)
        return self._placed[device]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operator of a graph.

    Attributes:
        kind: its ONNX name, such as ``Conv``.
        domain: empty for ONNX's own.
        opset: version of its domain.
        name: as the file has it; may be empty.
        inputs: names of values; empty where an optional one is left out.
        outputs: likewise.
        attributes: by name; a ``Graph`` where it is one.
        scope: dotted path of the module that it was exported from, as far as the file tells; empty at the top.
        where: file and node, as errors have them.
    """

    kind: str
    domain: str
    opset: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    scope: str
    where: str

    @property
    def key(self) -> str:
        """What the table of rules knows it by: its name, after its domain where that is not ONNX's own."""
        return f"{self.domain}.{self.kind}" if self.domain else self.kind

    def error(self, complaint: str) -> CaptureError:
        """A refusal of this node."""
        return CaptureError(f"{self.where}: {complaint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes in the order in which they run.

    Attributes:
        nodes: each reads what was made before it.
        inputs: names of values that the caller gives.
        outputs: names of values that it returns.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def all_nodes(self) -> Iterator[Node]:
        """Nodes of this graph and of those inside it."""
        for node in self.nodes:
            yield node
            for attribute in node.attributes.values():
                if isinstance(attribute, Graph):
                    yield from attribute.all_nodes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that was read.

    Attributes:
        file: its path.
        digest: of its content.
        graph: what it computes.
        tensors: initialisers as protobuf has them, data unread, by the name of their value.
        declared: inputs as protobuf has them.
    """

    file: Path
    digest: str
    graph: Graph
    tensors: Mapping[str, Any]
    declared: tuple[Any, ...]
