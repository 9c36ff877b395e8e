"""Checkpoints: read without running code of them, fitted to the network, and their zeros and patterns told."""

from __future__ import annotations

import json

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture
from bisparse.training.capture_request import CaptureRequest
from torch import nn
from torch.nn.utils import prune

AFTER = "they are simulated as if they were not, unless bisparse simulate is given their checkpoint (--weights)."
ZEROS = "are zeros that the network brings along"


def network():
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


@pytest.fixture
def notes(tmp_path):
    """What is told of a network with some weights."""

    def run(weights, source=network, *, shape=(16,), name="weights.pt"):
        file = tmp_path / name
        if weights is not None:
            torch.save(weights, file)
        return capture(source, shape, name="net", default_batch=4, source="", weights=file).notes

    return run


def kept(weight, count, group):
    """A weight whose first elements of each group of input channels are not zero."""
    pruned = weight.clone()
    pruned[:, torch.arange(weight.shape[1]) % group >= count] = 0
    return pruned


def pruned(*patterns):
    weights = network().state_dict()
    for name, (count, group) in zip(("0.weight", "2.weight"), patterns, strict=False):
        weights[name] = kept(weights[name], count, group)
    return weights


def test_weights_of_the_network_say_nothing(notes):
    assert notes(network().state_dict()) == ()


def test_a_pattern_along_the_input_channels_is_named(notes):
    assert notes(pruned((2, 4))) == (f"50% of 0.weight {ZEROS}, 2:4 along the input channels: {AFTER}",)
    torch.manual_seed(0)
    weights = network().state_dict()
    order = torch.rand(32, 4, 4).argsort(-1)
    weights["0.weight"] = weights["0.weight"].masked_fill((order >= 2).reshape(32, 16), 0)
    assert notes(weights) == (f"50% of 0.weight {ZEROS}, 2:4 along the input channels: {AFTER}",)


def test_several_patterns_are_told_apart(notes):
    told = "1:4 along the input channels in 0.weight, 1:8 along the input channels in 2.weight"
    assert notes(pruned((1, 4), (1, 8))) == (f"75% to 88% of 0.weight, 2.weight {ZEROS}, {told}: {AFTER}",)


@pytest.mark.parametrize("narrow", [
    lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
    lambda weight: weight.to(torch.float8_e4m3fn),
    lambda weight: weight.to(torch.uint16),
], ids=["quantized", "float8", "uint16"])  # fmt: skip
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_zeros_of_types_that_torch_does_not_count_in_are_counted(notes, narrow):
    weights = network().state_dict()
    weights["0.weight"] = narrow(kept(torch.ones(32, 16), 1, 4))
    assert notes(weights) == (f"75% of 0.weight {ZEROS}, 1:4 along the input channels: {AFTER}",)


def test_types_that_torch_only_keeps_are_read_and_say_nothing(notes):
    weights = network().state_dict()
    weights["0.weight"] = torch.zeros(32, 16, dtype=torch.uint8).view(torch.bits8)
    assert notes(weights) == ()


def test_zeros_anywhere_are_no_pattern(notes):
    weights = network().state_dict()
    generator = torch.Generator().manual_seed(0)
    weights["0.weight"] = weights["0.weight"] * (torch.rand(32, 16, generator=generator) < 0.5)
    (told,) = notes(weights)
    assert "along the input channels" not in told


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_input_channels_of_convolutions(kind, notes):
    def convolution():
        return kind(16, 8, 3, groups=2)

    layer = convolution()
    weights = layer.state_dict()
    axis = 1 if kind is nn.Conv2d else 0
    channels = torch.arange(layer.weight.shape[axis]) % 8
    weights["weight"].index_fill_(axis, torch.nonzero(~torch.isin(channels, torch.tensor([0, 3])))[:, 0], 0)
    assert notes(weights, convolution, shape=(16, 8, 8)) == (
        f"75% of weight {ZEROS}, 2:8 along the input channels: {AFTER}",
    )


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "module"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_what_training_scripts_save_holds_the_weights(notes, key, prefix):
    weights = {f"{prefix}{name}": tensor for name, tensor in pruned((1, 4)).items()}
    (told,) = notes({"epoch": 3, "optimizer": {"state": {}, "lr": 0.1}, key: weights})
    assert told.startswith(f"75% of 0.weight {ZEROS}")


@pytest.mark.parametrize("whole", [False, True])
def test_masks_of_torchs_own_tools(notes, whole):
    def masked():
        made = network()
        prune.l1_unstructured(made[0], "weight", 0.75)
        return made

    # Into a network that has masks itself, and into one that has none.
    assert notes(masked().state_dict(), masked if whole else network) == (f"75% of 0.weight {ZEROS}: {AFTER}",)


def test_names_on_one_side_are_told(notes):
    weights = network().state_dict()
    del weights["2.bias"]
    weights |= {f"extra.{number}": torch.zeros(1) for number in range(7)}
    assert notes(weights) == (
        "weights.pt has no weights for 1 of 4 tensors: 2.bias.",
        "weights.pt has 7 tensors that the network has not: extra.0, extra.1, extra.2, extra.3, extra.4 and 2 more.",
    )


def test_one_name_of_tied_weights_is_enough(notes):
    def tied():
        made = nn.Sequential(nn.Embedding(8, 8), nn.Linear(8, 8, bias=False))
        made[1].weight = made[0].weight
        return made

    assert notes({"0.weight": torch.ones(8, 8)}, tied, shape="5:int") == ()


def test_zeros_of_the_network_itself_are_not_those_of_its_weights(notes):
    def sparse():
        made = network()
        made[0].weight.data[:, ::2] = 0
        return made

    assert notes(network().state_dict(), sparse) == ()
    assert notes(network().state_dict(), sparse()) == ()


def test_weights_in_several_files(notes, tmp_path):
    weights = pruned((1, 4))
    for number, part in enumerate(("0.", "2.")):
        torch.save({name: each for name, each in weights.items() if name.startswith(part)}, tmp_path / f"{number}.bin")
    index = {name: f"{int(name[0]) // 2}.bin" for name in weights}
    (tmp_path / "all.bin.index.json").write_text(json.dumps({"weight_map": index}))
    (told,) = notes(None, name="all.bin.index.json")
    assert told.startswith(f"75% of 0.weight {ZEROS}")
    (tmp_path / "bad.index.json").write_text("{}")
    with pytest.raises(CaptureError, match=r"bad\.index\.json: got KeyError"):
        notes(None, name="bad.index.json")


class Marker:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file was run')",)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({**network().state_dict(), "0.weight": torch.zeros(3, 16)}, "0.weight: got 3x16, need 32x16; try the weights"),
        ({"a": torch.zeros(2), "b": torch.zeros(2)}, "got a, b, need names of the network's (0.weight, 0.bias and 2"),
        ({"epoch": 3}, "got dict without tensors, need a dictionary of them"),
        (torch.zeros(3), "got Tensor without tensors"),
        (Marker(), "got exec in it, which loading would run, need tensors alone"),
        (network(), "got torch.nn.modules.container.Sequential in it, which loading would run"),
    ],
)
def test_what_is_refused(notes, tmp_path, weights, told):
    with pytest.raises(CaptureError) as caught:
        notes(weights)
    message = str(caught.value)
    assert "\n" not in message
    assert message.removeprefix(f"{tmp_path / 'weights.pt'}: ").startswith(told)


def test_damaged_and_missing_files_are_one_line(notes, tmp_path):
    torch.save(network().state_dict(), tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    for content in (b"", b"PK\x03\x04", whole[:500], b"\x80\x02"):
        (tmp_path / "bad.pt").write_bytes(content)
        with pytest.raises(CaptureError, match="need whole weights; try saving them again") as caught:
            notes(None, name="bad.pt")
        assert "\n" not in str(caught.value)
    with pytest.raises(CaptureError, match=r"none\.pt: got no such file, need a checkpoint"):
        notes(None, name="none.pt")


def test_safetensors(notes, tmp_path):
    package = pytest.importorskip("safetensors.torch")
    package.save_file(pruned((1, 4)), tmp_path / "net.safetensors")
    assert notes(None, name="net.safetensors")[0].startswith(f"75% of 0.weight {ZEROS}")
    (tmp_path / "bad.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(CaptureError, match="need whole weights"):
        notes(None, name="bad.safetensors")


def test_safetensors_without_the_package(notes, tmp_path, monkeypatch):
    monkeypatch.setattr("bisparse.training.capture.checkpoint.find_spec", lambda name: None)
    (tmp_path / "net.safetensors").write_bytes(b"\x00")
    with pytest.raises(CaptureError, match=r"got no package 'safetensors', need it; try pip install .*\[weights\]"):
        notes(None, name="net.safetensors")


def test_the_command_that_makes_a_graph_names_its_weights(tmp_path):
    assert list(CaptureRequest(weights=tmp_path / "w.pt").words()) == [f"--weights {tmp_path / 'w.pt'}"]
