"""Zeros that a network brings along are noticed, and said to be simulated as if they were none."""

from __future__ import annotations

import pytest
import torch
from bisparse.training.capture import capture
from torch import nn
from torch.nn.utils import prune

AFTER = "they are simulated as if they were not, unless bisparse simulate is given their checkpoint (--weights)."


def notes(source):
    return capture(source, (8,), name="net", default_batch=4, source="a test").notes


def masked():
    network = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4))
    prune.l1_unstructured(network[0], "weight", 0.5)
    return network


def removed():
    network = masked()
    prune.remove(network[0], "weight")
    return network


@pytest.mark.parametrize("source", [masked, masked(), removed, removed()])
def test_half_of_a_weight_is_noticed(source):
    assert notes(source) == (f"50% of 0.weight are zeros that the network brings along: {AFTER}",)


def test_several_weights_are_named_with_their_range():
    network = removed()
    network[1].weight.data[:3] = 0
    assert notes(network)[0].startswith("50% to 75% of 0.weight, 1.weight are zeros")


def test_a_dense_network_a_padding_row_and_a_zero_initialisation_are_none():
    network = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4))
    network[0].weight.data[0] = 0
    nn.init.zeros_(network[1].weight)
    assert notes(network) == ()


def test_looking_draws_nothing_from_the_users_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    notes(lambda: nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4)))
    assert torch.equal(torch.get_rng_state(), before)
