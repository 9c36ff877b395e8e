"""Networks that are rewritten, as graphs and by hand in torch, and what the two must share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from bisparse.training.capture import capture
from bisparse.training.graph import Operator, Stage, TrainingGraph
from bisparse.training.graph_consistency import check_order, check_tensors
from bisparse.training.rewrites.apply import rewritten
from bisparse.training.rewrites.rewrite import Rewrite
from torch import nn


def captured(module: Callable[[], nn.Module], shape, **asked) -> TrainingGraph:
    """The graph of a module that a function makes."""
    return capture(module, shape, name="net", default_batch=4, source="test", **asked)


def made(graph: TrainingGraph, *rewrites: Rewrite, deployed: bool = False) -> TrainingGraph:
    """A graph after rewrites, once it is known to be one."""
    found = rewritten(graph, rewrites, deployed=deployed).graph
    check_order(found.operators)
    check_tensors(found)
    assert {name for each in found.operators for name in (*each.inputs, *each.outputs)} <= {*found.tensors}
    return found


def counted(graph: TrainingGraph) -> Counter[str]:
    """Every operator by what it does and how large everything is that it touches, whatever it is called.

    Gradients that a kernel makes and nobody reads are left out, and so is whether vector work of the backward pass is
    counted as BP or WU: a capture calls that WU which leads to nothing but weight gradients.
    """
    read = {name for operator in graph.operators for name in operator.inputs}

    def sizes(names) -> list[tuple[int, int]]:
        return [(graph.tensors[name].elements(4), graph.tensors[name].elements(6)) for name in names]

    def of(operator: Operator) -> str:
        outputs = operator.outputs
        if operator.stage is not Stage.FORWARD:
            outputs = tuple(name for name in outputs if name in read)
        stage = operator.stage
        if not operator.is_product and stage is Stage.WEIGHT_GRADIENT:
            stage = Stage.BACKWARD
        plain = replace(operator, name="", module="", inputs=(), outputs=(), stage=stage, parameter=None)
        return repr((plain, sizes(operator.inputs), sizes(outputs)))

    return Counter(map(of, graph.operators))


def swapped(module: nn.Module, names, make: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """A module in which others stand in the places of some layers."""
    for name in names:
        owner, _, last = name.rpartition(".")
        setattr(module.get_submodule(owner), last, make(module.get_submodule(name)))
    return module


class Residual(nn.Module):
    """Two shortcuts, one over a normalised convolution; a convolution with a stride."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm, self.second = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.relu(x + self.norm(self.first(x)))
        x = torch.relu(self.down(x + self.second(x)))
        return self.head(x.mean((2, 3)))


def transformer() -> nn.Module:
    from bisparse.training.models.gpt2 import Gpt2

    return Gpt2(vocabulary=64, longest=16, width=32, depth=2, heads=4)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], object]] = {
    "cnn": (Residual, (3, 8, 8)),
    "transformer": (transformer, "16:int"),
}
"""By name: a module anew, and the shape of its input."""

LAYERS = {
    "cnn": ("stem", "first", "second", "down", "head"),
    "transformer": tuple(f"blocks.{block}.feed_forward.{layer}" for block in (0, 1) for layer in (0, 2)),
}
"""Layers of theirs, by name: of the CNN the first, behind which nothing learns, and one with a stride."""


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest):
    """A module anew, the shape of its input, and names of layers."""
    return *NETWORKS[request.param], LAYERS[request.param]
