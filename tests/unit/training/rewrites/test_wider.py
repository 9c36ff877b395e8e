"""Parallel branches and factors of more channels than a layer's rank equal the captures of modules that have them."""

from __future__ import annotations

import copy
import math
from collections import Counter

import pytest
import torch
from bisparse.training.graph import Stage
from bisparse.training.rewrites.apply import rewritten
from bisparse.training.rewrites.factorised import Factorised
from bisparse.training.rewrites.parallel import Parallel
from torch import nn

from .conftest import LAYERS, NETWORKS, captured, counted, made, swapped


def without_bias(layer: nn.Module) -> nn.Module:
    found = copy.deepcopy(layer)
    found.bias = None
    return found


class Branches(nn.Module):
    """Several of a layer, summed, each with a normalisation behind it where they are convolutions; one bias."""

    def __init__(self, layer: nn.Module, count: int) -> None:
        super().__init__()
        each = [without_bias(layer) for _ in range(count)]
        if isinstance(layer, nn.Conv2d):
            each = [nn.Sequential(branch, nn.BatchNorm2d(layer.out_channels)) for branch in each]
        self.branches, self.bias = nn.ModuleList(each), layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x)
        if self.bias is None:
            return total
        return total + (self.bias if total.dim() != 4 else self.bias[:, None, None])


def factorised(layer: nn.Module, zeros_percent: float) -> nn.Module:
    inputs, outputs = layer.weight[0].numel(), layer.weight.shape[0]
    rank = math.ceil(inputs * outputs / ((1 - zeros_percent / 100) * (inputs + outputs)))
    bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        return nn.Sequential(nn.Linear(inputs, rank, bias=False), nn.ReLU(), nn.Linear(rank, outputs, bias=bias))
    return nn.Sequential(
        nn.Conv2d(layer.in_channels, rank, layer.kernel_size, layer.stride, layer.padding, bias=False),
        nn.BatchNorm2d(rank),
        nn.ReLU(),
        nn.Conv2d(rank, outputs, 1, bias=bias),
    )


def added_as_bias(graph):
    """What a module adds as a bias beside its product is an ``add`` to a capture, of the same size."""
    return {name.replace("kind='bias_add'", "kind='add'"): count for name, count in counted(graph).items()}


# In a forward pass the normalisation behind ``first`` was folded into it when it was captured, and stays a shift.
CASES = [
    ("cnn", ("first", "down")),
    ("cnn", ("stem", "second")),
    ("transformer", LAYERS["transformer"]),
]
ASKED = pytest.mark.parametrize("asked", [{}, {"inference": True}], ids=["training", "inference"])


@ASKED
@pytest.mark.parametrize(("name", "layers"), CASES)
def test_parallel_branches(name, layers, asked):
    make, shape = NETWORKS[name]
    layers = [layer for layer in layers if not (asked and layer == "first")]
    by_hand = captured(lambda: swapped(make(), layers, lambda layer: Branches(layer, 3)), shape, **asked)
    between = "batch-norm" if name == "cnn" else "nothing"
    entry = Parallel(kind="parallel", branches=3, between=between, layers=tuple(layers))
    graph = made(captured(make, shape, **asked), entry)
    assert graph.macs(4, Stage.FORWARD) == by_hand.counted_macs["forward"].at(4)
    assert added_as_bias(graph) == added_as_bias(by_hand)


@ASKED
@pytest.mark.parametrize(("name", "layers"), CASES)
def test_factors(name, layers, asked):
    make, shape = NETWORKS[name]
    layers = [layer for layer in layers if not (asked and layer == "first")]
    by_hand = captured(lambda: swapped(make(), layers, lambda layer: factorised(layer, 75)), shape, **asked)
    between = "batch-norm-relu" if name == "cnn" else "relu"
    entry = Factorised(kind="factorised", zeros_percent=75, between=between, layers=tuple(layers))
    graph = made(captured(make, shape, **asked), entry)
    assert counted(graph) == counted(by_hand)
    assert graph.macs(4, Stage.FORWARD) == by_hand.counted_macs["forward"].at(4)


def test_a_normalisation_is_for_convolutions():
    found = rewritten(captured(*NETWORKS["cnn"]), (Parallel(kind="parallel", branches=2),), deployed=False)
    assert list(found.changes[0].outcome.left) == ["head"]


def test_of_the_candidates_of_a_search_one_is_deployed():
    graph = captured(*NETWORKS["cnn"])
    entry = Parallel(kind="parallel", branches=4, searched=True, layers=("first",))
    searching, found = (rewritten(graph, (entry,), deployed=deployed) for deployed in (False, True))
    assert found.graph is graph
    assert found.changes[0].outcome.says == ("Of the candidates of a layer one stays: the network runs as it was.",)
    whole = rewritten(graph, (entry.model_copy(update={"searched": False}),), deployed=False).graph
    kinds, before = (
        Counter((each.stage.value, each.kind) for each in one.operators) for one in (searching.graph, whole)
    )
    # A share each: a pass forwards, two backwards; the shares' gradients add up, and are one parameter's.
    assert kinds - before == {
        ("FF", "multiply"): 4,
        ("BP", "multiply"): 4,
        ("WU", "multiply"): 4,
        ("WU", "reduce"): 4,
        ("WU", "gradient_add"): 3,
        ("update", "parameter_update"): 1,
    }
    assert not before - kinds
