"""Checkpoints laid over graphs: every way in which a product takes its weight, other networks refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bisparse.configs.errors import CaptureError, ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.own_weights import load_weights
from bisparse.training.own_weights.fitting import fit_weights
from torch import nn
from torch.nn.utils import prune

import bisparse


class Plainly(nn.Module):
    """A product by a weight as Hugging Face's Conv1D holds it, [inputs, outputs]."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 24))

    def forward(self, features):
        return features @ self.weight


def fitted(tmp_path, module, shape, weights=None):
    file = tmp_path / "weights.pt"
    torch.save(module.state_dict() if weights is None else weights, file)
    return fit_weights(load_weights(file), bisparse.capture(module, shape, name="net"))


def kept(weight, axis, count, group):
    """A weight of which the first of each group along an axis are not zero."""
    index = torch.arange(weight.shape[axis]) % group >= count
    weight.data.index_fill_(axis, torch.nonzero(index)[:, 0], 0)


@pytest.mark.parametrize(
    ("layer", "shape", "inputs", "outputs"),
    [
        (lambda: nn.Linear(16, 24), (16,), 1, 0),
        (Plainly, (16,), 0, 1),
        (lambda: nn.Conv2d(16, 24, 3), (16, 8, 8), 1, 0),
        (lambda: nn.Conv2d(32, 48, 3, groups=2), (32, 8, 8), 1, 0),
        (lambda: nn.ConvTranspose2d(16, 24, 3), (16, 8, 8), 0, 1),
        (lambda: nn.ConvTranspose2d(32, 48, 3, groups=2), (32, 8, 8), 0, 1),
        (lambda: nn.Conv1d(16, 24, 5), (16, 20), 1, 0),
    ],
)
def test_inputs_and_outputs_of_every_kind_of_layer(tmp_path, layer, shape, inputs, outputs):
    for axis, meant, other in ((inputs, Stage.FORWARD, Stage.BACKWARD), (outputs, Stage.BACKWARD, Stage.FORWARD)):
        torch.manual_seed(0)
        made = layer()
        kept(made.weight, axis, 1, 4)
        (found,) = fitted(tmp_path, made, shape).found.values()
        assert found.along(meant)[0].density == 0.25
        assert not any(pattern.density == 0.25 for pattern in found.along(other))
        named = "inputs" if meant is Stage.FORWARD else "outputs"
        assert found.zero_channels == named
        assert getattr(found, f"zero_{named}") == getattr(found, named) * 3 // 4


def test_packed_weights_of_attention(tmp_path):
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    kept(layer.self_attn.in_proj_weight, 1, 2, 4)
    found = fitted(tmp_path, layer, (8, 16)).found
    assert found["self_attn.in_proj_weight"].along(Stage.FORWARD)[0].density == 0.5
    assert found["linear1.weight"].zeros == 0


def test_masks_and_prefixes_are_those_of_torchs_own_tools(tmp_path):
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    prune.l1_unstructured(net[0], "weight", 0.75)
    weights = {"epoch": 3, "state_dict": {f"module.{name}": each for name, each in net.state_dict().items()}}
    found = fitted(tmp_path, nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)), (16,), weights).found
    assert {name: each.zeros for name, each in found.items()} == {"0.weight": 384, "2.weight": 0}


def test_what_only_one_side_has_is_named(tmp_path):
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    weights = {"0.weight": net[0].weight, "extra.weight": torch.ones(3, 4), "step": torch.tensor(3)}
    laid = fitted(tmp_path, net, (16,), weights)
    assert (list(laid.found), laid.missing, laid.others) == (["0.weight"], ("2.weight",), ("extra.weight",))


def test_a_whole_checkpoint_is_called_by_its_one_pattern_or_its_share(tmp_path):
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    torch.manual_seed(0)
    for layer in (net[0], net[2]):
        order = torch.rand(layer.weight.shape[0], layer.weight.shape[1] // 4, 4).argsort(-1).argsort(-1)
        layer.weight.data[(order >= 2).reshape(layer.weight.shape)] = 0
    assert fitted(tmp_path, net, (16,)).pattern == Pattern(2, 4)
    net[2].weight.data[:, :] = 1
    net[2].weight.data.view(-1)[::3] = 0
    assert str(fitted(tmp_path, net, (16,)).pattern) == "44.5%"


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"a.weight": torch.ones(4, 4)}, r"weights\.pt: got a\.weight, need the weights of net \(0\.weight\)"),
        ({"0.weight": torch.ones(4, 16)}, r"weights\.pt: 0\.weight: got 4x16, need 32x16 of 0\.weight of net"),
        ({"0.weight": torch.full((32, 16), torch.nan)}, r"0\.weight: got 512 of 512 values that are not finite"),
        (
            {"0.weight": torch.empty(32, 16, device="meta")},
            r"0\.weight: got values of type torch\.float32, need numbers",
        ),
        ({"0.weight": torch.eye(32, 16).to_sparse()}, r"0\.weight: got values of type torch\.float32, need numbers"),
        ({}, r"weights\.pt: got dict without tensors"),
        ({"0.weight": "no tensor"}, r"weights\.pt: got dict without tensors"),
        (nn.Linear(16, 32), r"weights\.pt: got torch\.nn\.modules\.linear\.Linear in it, which loading would run"),
    ],
)
def test_other_networks_and_no_numbers_are_refused(tmp_path, weights, told):
    with pytest.raises(CaptureError, match=told):
        fitted(tmp_path, nn.Sequential(nn.Linear(16, 32)), (16,), weights)


def test_indices_of_several_files(tmp_path):
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    torch.save({"0.weight": torch.zeros(32, 16)}, tmp_path / "one.bin")
    torch.save({"2.weight": torch.ones(8, 32)}, tmp_path / "two.bin")
    index = tmp_path / "model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"0.weight": "one.bin", "2.weight": "two.bin"}}))
    weights = load_weights(index)
    found = fit_weights(weights, bisparse.capture(net, (16,), name="net")).found
    assert [each.share for each in found.values()] == [1.0, 0.0]
    torch.save({"2.weight": torch.ones(8, 33)}, tmp_path / "two.bin")
    assert load_weights(index).sha256 != weights.sha256
    (tmp_path / "two.bin").unlink()
    with pytest.raises(CaptureError, match=r"two\.bin: got no such file, need a checkpoint: model\.bin\.index\.json"):
        load_weights(index)
    index.write_text('{"weight_map": 3}')
    with pytest.raises(CaptureError, match=r"model\.bin\.index\.json: got AttributeError"):
        load_weights(index)


def test_no_file_a_folder_and_no_torch(tmp_path, monkeypatch):
    with pytest.raises(CaptureError, match="nowhere: got no such file, need a checkpoint"):
        load_weights(tmp_path / "nowhere")
    with pytest.raises(CaptureError, match="got no such file, need a checkpoint"):
        load_weights(tmp_path)
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pt")
    monkeypatch.setattr("bisparse.configs.needs.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"w\.pt: got no package 'torch', need it; try pip install"):
        load_weights(tmp_path / "w.pt")


def test_zeros_are_counted_once(tmp_path):
    net = nn.Sequential(nn.Linear(16, 32))
    laid = fitted(tmp_path, net, (16,))
    again = fit_weights(laid.weights, bisparse.capture(net, (16,), name="net"))
    assert again.found["0.weight"] is laid.found["0.weight"]
    assert np.prod(laid.weights.tensors["0.weight"].shape) == laid.found["0.weight"].elements
