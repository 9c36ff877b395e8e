"""What is measured of trained activations: the largest share of zeros, and what tokens need, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.data import evaluation_batches, load_data
from bisparse.training.loop.activation_study import TrainedActivations, _density
from bisparse.training.rewrites.activation import Activation
from bisparse.training.rewrites.in_torch import activations_of
from bisparse.training.rewrites.in_torch.sparse_activation import SparseActivation
from torch import nn

from .short_runs import digits, run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    directory = tmp_path_factory.mktemp("mlp")
    run(digits("dense", epochs=1), directory)
    return TrainedActivations(directory)


def test_a_share_is_set_in_every_layer_and_taken_back(network):
    network.take(0.75)
    shares = []
    hooks = [
        each.register_forward_hook(lambda _, __, made: shares.append(float((made == 0).float().mean())))
        for each in activations_of(network.model)
    ]
    changed = network.loss()
    for each in hooks:
        each.remove()
    assert shares == pytest.approx([0.75] * len(shares), abs=0.06)
    network.take(0.0)
    assert network.loss() == network.dense_loss != changed


def test_the_largest_share_is_the_last_one_that_the_perplexity_allows(network, monkeypatch):
    taken = []
    monkeypatch.setattr(network, "take", taken.append)
    monkeypatch.setattr(network, "loss", lambda: network.dense_loss + math.log1p(taken[-1] ** 2))
    found = network.largest_zeros(25.0)
    assert found <= math.sqrt(0.25) < found + 0.005
    assert taken[-1] == found


def test_a_network_without_tokens_is_told(network):
    with pytest.raises(ConfigError, match=r"tokens: got no activation of sequences"):
        network.tokens()


def test_tokens_are_those_of_a_split():
    """Rows of an image as tokens."""
    torch.manual_seed(0)
    study = TrainedActivations.__new__(TrainedActivations)
    entry = Activation(kind="activation", zeros_percent=50)
    activation = SparseActivation(nn.ReLU(), entry, path="hidden", channels=16, along=-1)
    study.model = nn.Sequential(nn.Flatten(1, 2), nn.Linear(8, 16), activation)
    study.data = load_data("digits")
    (found,) = study.tokens(batches=2, together=(2,), parts=2)
    inputs = torch.from_numpy(next(evaluation_batches(study.data, "validation", 64))[0])
    assert found.module == "hidden"
    assert found.least <= min(found.by_part) <= found.mean <= max(found.by_part) <= found.most
    assert found.mean <= found.needed[2] <= 2 * found.mean
    assert found.mean == pytest.approx(float((study.model(inputs) != 0).float().mean()))


def test_neurons_that_one_of_several_tokens_needs_by_hand():
    needs = torch.zeros(4, 2, 8, dtype=torch.bool)
    needs[0, 0, :2] = needs[1, 0, 1:3] = True
    needs[2, 1, :4] = needs[3, 1, :4] = True
    found = _density("layer", needs, (2,), 2)
    assert found.mean == 12 / 64
    assert (found.least, found.most) == (0.0, 0.5)
    assert found.by_part == (4 / 32, 8 / 32)
    assert found.needed[2] == (3 + 0 + 0 + 4) / 32
    assert found.by_chance[2] == pytest.approx(1 - (1 - 12 / 64) ** 2)
