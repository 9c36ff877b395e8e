"""Adapters beside frozen weights equal the capture of a module whose layers have them, and deployed they are gone."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.graph import Stage
from bisparse.training.rewrites.adapters import Adapters
from bisparse.training.rewrites.apply import learning_weights_of
from bisparse.training.rewrites.in_torch import rewrite_module
from bisparse.training.rewrites.learned_scores import LearnedScores
from bisparse.training.rewrites.partial import Partial
from torch import nn

from .conftest import NETWORKS, captured, counted, made, swapped
from .test_low_rank import factored


class Adapted(nn.Module):
    """A layer with an adapter beside it."""

    def __init__(self, layer: nn.Module, rank: int) -> None:
        super().__init__()
        self.base, self.adapter = layer, factored(layer, rank)
        if layer.bias is not None:
            self.adapter[1].bias = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + self.adapter(x) * 0.5


def adapted(make, names, learning=()) -> nn.Module:
    """A module with adapters, in which nothing else learns but what is named."""
    module = swapped(make(), names, lambda layer: Adapted(layer, 4))
    for path, parameter in module.named_parameters():
        parameter.requires_grad_(".adapter." in path or any(fnmatchcase(path, pattern) for pattern in learning))
    return module


@pytest.mark.parametrize("learning", [(), ("*norm*",)])
def test_it_equals_the_capture_of_a_module_so_adapted(network, learning):
    make, shape, names = network
    names = names[1:]
    by_hand = captured(lambda: adapted(make, names, learning), shape)
    graph = made(captured(make, shape), Adapters(kind="adapters", rank=4, layers=names, learning=learning))
    assert counted(graph) == counted(by_hand)
    macs = graph.macs(4, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
    assert macs == by_hand.counted_macs["backward"].at(4)
    assert graph.macs(4, Stage.FORWARD) == by_hand.counted_macs["forward"].at(4)


@pytest.mark.parametrize(
    "entry",
    [
        Adapters(kind="adapters", rank=4, gate={"penalty": 0.1}, residual=5, layers=("*.0",)),
        Adapters(kind="adapters", rank=4, position="behind", layers=("*.projection", "*.2")),
        Partial(kind="partial", inputs=0.25, multiple_of=8, layers=("*.projection", "*.2")),
        Partial(kind="partial", outputs=0.25, layers=("*.projection",), learning=("norm",)),
        LearnedScores(kind="learned-scores", rank=3, score_rank=2, layers=("*.projection", "*.2")),
    ],
    ids=["gate and residual", "behind", "inputs", "outputs", "scores"],
)
def test_what_learns_in_part_equals_the_capture_of_the_module_that_has_it(entry):
    make, shape = NETWORKS["transformer"]
    model = make()
    planned = rewrite_module(model, [entry], captured(lambda: model, shape)).graph
    assert counted(planned) == counted(captured(lambda: model, shape))


@pytest.mark.parametrize(
    "entry",
    [
        Adapters(kind="adapters", rank=4, gate={"penalty": 0.1}, residual=5, layers=("first", "down", "head")),
        Adapters(kind="adapters", rank=4, position="behind", layers=("second", "head")),
        Partial(kind="partial", inputs=0.5, layers=("head",)),
        LearnedScores(kind="learned-scores", rank=3, score_rank=2, layers=("first", "head")),
    ],
    ids=["gate and residual", "behind", "inputs", "scores"],
)
def test_so_it_does_among_convolutions(entry):
    make, shape = NETWORKS["cnn"]
    model = make()
    planned = rewrite_module(model, [entry], captured(lambda: model, shape)).graph
    assert counted(planned) == counted(captured(lambda: model, shape))


def test_only_adapters_learn():
    graph = made(captured(*NETWORKS["transformer"]), Adapters(kind="adapters", rank=2, layers=("*.projection",)))
    assert learning_weights_of(graph) == 2 * 2 * (32 + 32)
    assert {each.module.rpartition(".")[2] for each in graph.products if each.stage is Stage.WEIGHT_GRADIENT} == {
        "adapter_a",
        "adapter_b",
    }


def test_deployed_they_are_merged():
    plain = captured(*NETWORKS["transformer"])
    assert made(plain, Adapters(kind="adapters", rank=2, layers=("*.projection",)), deployed=True) == plain


def test_deployed_beside_they_stay_and_are_multiplied_by():
    plain = captured(*NETWORKS["transformer"])
    entry = Adapters(kind="adapters", rank=2, layers=("*.projection",), deployed="beside")
    beside = made(plain, entry, deployed=True)
    more = beside.macs(4, Stage.FORWARD) - plain.macs(4, Stage.FORWARD)
    assert more == 2 * 4 * 16 * 2 * (32 + 32)


def test_learning_must_name_what_learns():
    with pytest.raises(ConfigError, match=r"^rewrites.0.learning.1: got 'hed.\*', need a parameter that learns of net"):
        made(captured(*NETWORKS["cnn"]), Adapters(kind="adapters", rank=2, learning=("head.*", "hed.*")))
