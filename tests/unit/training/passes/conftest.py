"""Small networks that passes are made of, and what two graphs of one network must share."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from torch import nn


def captured(module, shape, **asked):
    return capture(module, shape, name="net", default_batch=4, source="test", **asked)


def work(graph):
    """Every operator by what it does and how large everything is that it touches, whatever it is called.

    Gradients that a kernel makes and nobody reads are left out, and so is whether vector work of the backward pass is
    counted as BP or WU: a capture calls that WU which leads to nothing but weight gradients.
    """
    read = {name for operator in graph.operators for name in operator.inputs}

    def shapes(names):
        return tuple(graph.tensors[name].shape for name in names)

    def of(operator):
        stage = operator.stage
        made = operator.outputs
        if stage is not Stage.FORWARD:
            made = tuple(name for name in made if name in read)
        if not operator.is_product and stage is Stage.WEIGHT_GRADIENT:
            stage = Stage.BACKWARD
        plain = replace(operator, name="", inputs=(), outputs=(), stage=stage)
        return plain, shapes(operator.inputs), shapes(made)

    return [of(operator) for operator in graph.operators]


def counted(graph):
    return Counter(map(repr, work(graph)))


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.2),
        nn.Conv2d(8, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


class Residual(nn.Module):
    """Two shortcuts, one over a normalised convolution."""

    def __init__(self):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.second = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.norm(self.first(x)))
        x = x + self.second(x)
        return self.head(x.mean((2, 3)))


@pytest.fixture
def networks():
    """By name: a module anew, and the shape of its input."""
    from bisparse.training.models.gpt2 import Gpt2

    return {
        "cnn": (cnn, (3, 20, 20)),
        "residual": (Residual, (3, 8, 8)),
        "transformer": (lambda: Gpt2(vocabulary=64, longest=16, width=32, depth=3, heads=4), "16:int"),
    }
