"""The work that was timed on a TPU v3 core, by name, as graphs of a forward pass. Needs torch.

Any name of the same kinds will do, ``gemm_512x512x512`` or ``bert_large``: see ``bisparse.sim.witness.silicon``.
Modules are those of PyTorchSim's experiments: a BERT is one block with a ReLU, and both of its normalisations are one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from bisparse.training.graph import TrainingGraph
from bisparse.training.models.resnet import BasicBlock, ResNet, resnet50
from torch import Tensor, nn

import bisparse

TOKENS = 512
"""Of a BERT's sequence."""

BERTS = {"base": (768, 12), "large": (1024, 16), "xlarge": (2048, 32)}
"""Width and heads."""


def scores_mixed(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of [..., L, E] without any projection."""
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(query.size(-1))
    return torch.matmul(scores.softmax(dim=-1), value)


class Attention(nn.Module):
    """Nothing but products of activations and a softmax."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[H, L, E] each to [H, L, E]."""
        return scores_mixed(query, key, value)


class Block(nn.Module):
    """A transformer's block: four projections, attention, two linear layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projections = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width)
        self.ffn1, self.ffn2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, features: Tensor) -> Tensor:
        """[B, L, width] to the same."""
        batch, tokens, width = features.shape
        *inputs, output = self.projections
        split = [each(features).view(batch, tokens, self.heads, -1).transpose(1, 2) for each in inputs]
        mixed = scores_mixed(*split).transpose(1, 2).reshape(batch, tokens, width)
        features = self.norm(output(mixed) + features)
        result: Tensor = self.norm(self.ffn2(torch.relu(self.ffn1(features))) + features)
        return result


def graph_of(name: str) -> TrainingGraph:
    """The graph of a name.

    Raises:
        SystemExit: nobody knows that name.
    """
    kind, _, sizes = name.partition("_")
    makers: dict[str, Callable[[str], TrainingGraph]] = {
        "gemm": _gemm,
        "conv": _convolution,
        "layernorm": lambda sizes: _rows(nn.LayerNorm, sizes),
        "softmax": lambda sizes: _rows(lambda _: nn.Softmax(dim=-1), sizes),
        "attention": _attention,
        "resnet18": lambda _: _captured(ResNet(BasicBlock, (2, 2, 2, 2), classes=1000), [(3, 224, 224)], 1),
        "resnet50": lambda _: _captured(resnet50(), [(3, 224, 224)], 1),
        "bert": lambda size: _captured(Block(*BERTS[size]), [(TOKENS, BERTS[size][0])], 1),
    }
    try:
        return makers[kind](sizes)
    except (KeyError, ValueError):
        raise SystemExit(
            f"got {name}, need a name such as gemm_512x512x512, conv_1x56x56x64x64x3x1x1, bert_base"
        ) from None


def _captured(module: nn.Module, shapes: list[tuple[int, ...]], batch: int) -> TrainingGraph:
    return bisparse.capture(module.eval(), shapes, default_batch=batch, inference=True)


def _numbers(sizes: str, count: int) -> list[int]:
    found = [int(each) for each in sizes.split("x")]
    if len(found) != count:
        raise ValueError(sizes)
    return found


def _gemm(sizes: str) -> TrainingGraph:
    m, n, k = _numbers(sizes, 3)
    return _captured(nn.Linear(k, n, bias=False), [(k,)], m)


def _convolution(sizes: str) -> TrainingGraph:
    batch, height, width, inputs, outputs, kernel, stride, padding = _numbers(sizes, 8)
    module = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    return _captured(module, [(inputs, height, width)], batch)


def _rows(make: Callable[[int], nn.Module], sizes: str) -> TrainingGraph:
    rows, columns = _numbers(sizes, 2)
    return _captured(make(columns), [(columns,)], rows)


def _attention(sizes: str) -> TrainingGraph:
    heads, tokens, elements = _numbers(sizes, 3)
    return _captured(Attention(), [(tokens, elements)] * 3, heads)
