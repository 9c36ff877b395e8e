"""Which outputs the loss covers, and what is said of those that it leaves out."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from bisparse.training.capture import capture
from bisparse.training.capture.losses import floating_outputs
from bisparse.training.graph import Stage
from torch import nn

Pair = namedtuple("Pair", "small large")


@dataclass
class Both:
    small: torch.Tensor
    large: Any


class TwoHeads(nn.Module):
    """A trunk and two heads, handed out as a function packs them."""

    def __init__(self, pack):
        super().__init__()
        self.trunk, self.small, self.large = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(16, 32)
        self.pack = pack

    def forward(self, x):
        hidden = self.trunk(x).relu()
        return self.pack(self.small(hidden), self.large(hidden))


def captured(pack, loss=None):
    return capture(TwoHeads(pack), (8,), name="heads", default_batch=4, source="a test", loss=loss)


def updated(graph):
    return {operator.module for operator in graph.operators if operator.stage is Stage.UPDATE}


PACKS = {
    "tuple": lambda a, b: (a, b),
    "list in a dictionary": lambda a, b: {"first": [a], "second": {"inner": b}},
    "named tuple": Pair,
    "dataclass": Both,
}


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS.keys())
def test_the_default_loss_trains_every_floating_output(pack):
    graph = captured(pack)
    assert updated(graph) == {"trunk", "small", "large"}
    assert graph.notes == ()
    assert [operator.kind for operator in graph.operators].count("nll_loss") == 2


def test_a_module_that_returns_its_loss_is_trained_on_it_alone():
    graph = captured(lambda a, b: {"loss": a.square().mean(), "logits": b})
    assert updated(graph) == {"trunk", "small"}
    assert graph.notes == (
        "The loss leaves out output.logits; --loss with a function of your own says what is trained on.",
        "No gradient reaches 2 of 6 trainable parameters, and none of these is updated: large.weight, large.bias.",
    )


def test_what_a_loss_by_name_leaves_out_is_named():
    graph = captured(lambda a, b: {"small": a, "large": b}, loss="cross-entropy")
    assert updated(graph) == {"trunk", "small"}
    assert graph.notes[0].startswith("The loss leaves out output.large;")


def test_an_output_that_is_detached_has_no_loss():
    assert captured(lambda a, b: (a, b.detach())).notes[0].startswith("The loss leaves out output.1;")


def test_a_loss_of_ones_own_may_cover_all():
    graph = captured(lambda a, b: (a, b), loss=lambda output: output[0].mean() + output[1].mean())
    assert (graph.notes, updated(graph)) == ((), {"trunk", "small", "large"})


def test_an_output_handed_out_twice_is_one():
    x = torch.zeros(2, 3)
    assert list(floating_outputs({"a": x, "b": (x, torch.zeros(2, dtype=torch.int64)), "c": None})) == ["output.a"]
