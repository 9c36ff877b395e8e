"""Monarch, sparse plus low rank and doped layers equal the captures of modules that have them."""

from __future__ import annotations

import math

import pytest
import torch
from bisparse.training.graph import Stage
from bisparse.training.rewrites.apply import weights_of
from bisparse.training.rewrites.doped import Doped
from bisparse.training.rewrites.monarch import Monarch
from bisparse.training.rewrites.sparse_plus_low_rank import SparsePlusLowRank
from torch import nn

from .conftest import LAYERS, NETWORKS, captured, counted, made, swapped
from .test_low_rank import factored

TRAINING = (Stage.BACKWARD, Stage.WEIGHT_GRADIENT)


class BlockDiagonal(nn.Module):
    """A Monarch product, with the orders of its authors' code."""

    def __init__(self, layer: nn.Linear, blocks: int) -> None:
        super().__init__()
        k, n = layer.in_features // blocks, layer.out_features // blocks
        self.first = nn.Parameter(torch.randn(blocks, min(k, n), k))
        self.second = nn.Parameter(torch.randn(blocks, n, min(k, n)))
        self.bias = nn.Parameter(torch.randn(layer.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        blocks, inner, width = self.first.shape
        taken = x.reshape(-1, blocks, width).transpose(0, 1)
        hidden = torch.bmm(taken, self.first.transpose(1, 2)).transpose(0, 1)
        dealt = hidden.reshape(-1, inner, blocks).transpose(1, 2).transpose(0, 1)
        outputs = torch.bmm(dealt, self.second.transpose(1, 2)).permute(1, 2, 0).reshape(*x.shape[:-1], -1)
        return outputs + self.bias


class Rebuild(torch.autograd.Function):
    """A product by a weight that is computed in both passes, and its gradients by way of the whole one."""

    @staticmethod
    def weight(b, a, values, places):
        low = (b @ a) * 0.5
        return low.flatten().scatter_add(0, places, values).view_as(low)

    @staticmethod
    def forward(ctx, x, b, a, values, places):
        ctx.save_for_backward(x, b, a, values, places)
        return x.matmul(Rebuild.weight(b, a, values, places).t())

    @staticmethod
    def backward(ctx, gradient):
        x, b, a, values, places = ctx.saved_tensors
        back = gradient.matmul(Rebuild.weight(b, a, values, places))
        whole = gradient.flatten(0, 1).t() @ x.flatten(0, 1)
        low = whole * 0.5
        return back, low @ a.t(), b.t() @ low, whole.flatten().gather(0, places), None


class SparseLow(nn.Module):
    """A linear layer of a sparse and a low-rank part, put together in each pass."""

    def __init__(self, layer: nn.Linear, rank: int, percent: float, *, keep: bool) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.randn(layer.out_features, rank))
        self.a = nn.Parameter(torch.randn(rank, layer.in_features))
        kept = math.floor(layer.weight.numel() * percent / 100)
        self.values, self.keep = nn.Parameter(torch.randn(kept)), keep
        self.register_buffer("places", torch.arange(kept))
        self.bias = nn.Parameter(torch.randn(layer.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.keep:
            return nn.functional.linear(x, Rebuild.weight(self.b, self.a, self.values, self.places), self.bias)
        return Rebuild.apply(x, self.b, self.a, self.values, self.places) + self.bias


class Beside(nn.Module):
    """A layer with a low-rank one beside it, scaled or not."""

    def __init__(self, layer: nn.Module, rank: int, *, scaled: bool) -> None:
        super().__init__()
        self.base, self.low, self.scaled = layer, factored(layer, rank), scaled
        if layer.bias is not None:
            self.low[1].bias = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low = self.low(x)
        return self.base(x) + (low * 0.5 if self.scaled else low)


def added_as_bias(graph):
    """What a module adds as a bias beside its product is an ``add`` to a capture, of the same size."""
    return {name.replace("kind='bias_add'", "kind='add'"): count for name, count in counted(graph).items()}


def checked(graph, by_hand):
    for batch in (4, 8):
        assert graph.macs(batch, Stage.FORWARD) == by_hand.counted_macs["forward"].at(batch)
        assert graph.macs(batch, *TRAINING) == by_hand.counted_macs["backward"].at(batch)
    assert weights_of(graph) == weights_of(by_hand)


@pytest.mark.parametrize("blocks", [2, 4])
def test_monarch(blocks):
    (make, shape), names = NETWORKS["transformer"], LAYERS["transformer"]
    by_hand = captured(lambda: swapped(make(), names, lambda layer: BlockDiagonal(layer, blocks)), shape)
    graph = made(captured(make, shape), Monarch(kind="monarch", blocks=blocks, layers=names))
    checked(graph, by_hand)
    assert added_as_bias(graph) == added_as_bias(by_hand)


@pytest.mark.parametrize("keep", [False, True])
def test_a_rebuilt_weight(keep):
    (make, shape), names = NETWORKS["transformer"], LAYERS["transformer"]
    by_hand = captured(lambda: swapped(make(), names, lambda layer: SparseLow(layer, 4, 5.0, keep=keep)), shape)
    entry = SparsePlusLowRank(kind="sparse-plus-low-rank", rank=4, kept_percent=5.0, keep_weight=keep, layers=names)
    graph = made(captured(make, shape), entry)
    checked(graph, by_hand)
    assert added_as_bias(graph) == added_as_bias(by_hand)


class SparseLowConvolution(nn.Module):
    """A convolution of a sparse and a low-rank part, put together in each pass."""

    def __init__(self, layer: nn.Conv2d, rank: int, percent: float) -> None:
        super().__init__()
        outputs, inputs = layer.out_channels, layer.weight[0].numel()
        kept = math.floor(outputs * inputs * percent / 100)
        self.b, self.a = nn.Parameter(torch.randn(outputs, rank)), nn.Parameter(torch.randn(rank, inputs))
        self.values, self.layer = nn.Parameter(torch.randn(kept)), [layer]
        self.register_buffer("places", torch.arange(kept))
        self.bias = None if layer.bias is None else nn.Parameter(torch.randn(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (like,) = self.layer
        weight = Rebuild.weight(self.b, self.a, self.values, self.places).view(like.weight.shape)
        return nn.functional.conv2d(x, weight, self.bias, like.stride, like.padding)


def test_a_rebuilt_kernel():
    make, shape = NETWORKS["cnn"]
    names = ("first", "second", "down")
    by_hand = captured(lambda: swapped(make(), names, lambda layer: SparseLowConvolution(layer, 4, 5.0)), shape)
    entry = SparsePlusLowRank(kind="sparse-plus-low-rank", rank=4, kept_percent=5, keep_weight=True, layers=names)
    graph = made(captured(make, shape), entry)
    checked(graph, by_hand)
    assert counted(graph) == counted(by_hand)


def test_it_has_the_products_that_its_authors_count():
    plain = captured(*NETWORKS["transformer"])
    graph = made(
        plain, SparsePlusLowRank(kind="sparse-plus-low-rank", rank=4, kept_percent=3, layers=("blocks.0.feed_forward",))
    )
    size = 2 * 32 * 128
    assert graph.macs(4) - plain.macs(4) == 4 * 4 * size


@pytest.mark.parametrize("scaled", [True, False], ids=["factored", "doped"])
def test_a_low_rank_part_beside_a_sparse_one(network, scaled):
    make, shape, names = network
    names = names[1:]
    doped = Doped(kind="doped", zeros_percent=75, layers=names)
    entry = SparsePlusLowRank(kind="sparse-plus-low-rank", rank=3, form="factored", layers=names) if scaled else doped

    def rank(layer: nn.Module) -> int:
        inputs, outputs = layer.weight[0].numel(), layer.weight.shape[0]
        return 3 if scaled else math.floor(0.75 * inputs * outputs / (inputs + outputs))

    by_hand = captured(lambda: swapped(make(), names, lambda layer: Beside(layer, rank(layer), scaled=scaled)), shape)
    graph = made(captured(make, shape), entry)
    checked(graph, by_hand)
    assert counted(graph) == counted(by_hand)


def test_deployed_a_rebuilt_weight_is_that_of_the_network():
    plain = captured(*NETWORKS["transformer"])
    entry = SparsePlusLowRank(kind="sparse-plus-low-rank", rank=4, kept_percent=3, layers=("*.feed_forward",))
    assert made(plain, entry, deployed=True) == plain
