"""ONNX files of exported networks have the products, the values and the names of the networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx")

from bisparse.training.capture import capture, find_source  # noqa: E402
from bisparse.training.graph import Stage  # noqa: E402

from .onnx_networks import NETWORKS, captured, export, macs, network, products, sample_of  # noqa: E402


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_of_a_file_has_the_products_of_the_network_it_was_exported_from(tmp_path, name):
    module, shape = network(name)
    found = captured(export(module, shape, tmp_path / "net.onnx", training=True))
    wanted = capture(module, shape, name=name, default_batch=8, source="a test")
    assert products(found) == products(wanted)
    assert macs(found) == macs(wanted)
    assert found.unknown == ()
    multiplied = {each.parameter for each in found.products} - {None}
    assert multiplied == {each.parameter for each in wanted.products} - {None}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_exported_for_inference_has_the_products_and_the_values_of_its_network(tmp_path, name):
    module, shape = network(name)
    file = export(module, shape, tmp_path / "net.onnx")
    wanted = capture(module, shape, name=name, default_batch=8, source="a test", inference=True)
    assert products(captured(file, inference=True)) == products(wanted)
    trained = capture(module.eval(), shape, name=name, default_batch=8, source="a test")
    assert macs(captured(file)) == macs(trained)
    made, sample = find_source(str(file)).make().eval(), sample_of(shape)
    with torch.no_grad():
        assert torch.allclose(made(sample), module.eval()(sample), atol=1e-5)


def test_operators_and_parameters_bear_the_names_of_the_exported_modules(tmp_path):
    module, shape = network("resnet")
    graph = captured(export(module, shape, tmp_path / "net.onnx", training=True))
    convolutions = {each.module: each.parameter for each in graph.products if each.stage is Stage.FORWARD}
    assert convolutions["4.0.conv1"] == "4.0.conv1.weight"
    assert convolutions["4.1.shortcut.0"] == "4.1.shortcut.0.weight"
    assert {each.module for each in graph.operators if each.kind == "batch_norm"} >= {"1", "4.0.bn1"}


def test_a_folded_weight_is_named_after_its_layer(tmp_path):
    module, shape = network("encoder")
    graph = captured(export(module, shape, tmp_path / "net.onnx"))
    assert "layers.layers.0.linear1.weight" in {each.parameter for each in graph.products}


def test_a_file_of_one_batch_says_so(tmp_path):
    module, shape = network("vgg")
    found = find_source(str(export(module, shape, tmp_path / "net.onnx", fixed=True)))
    assert found.batch == 2
    assert [str(each) for each in found.inputs] == ["3x16x16:fp32"]


def test_zeros_of_initialisers_are_read(tmp_path):
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        module[0].weight[:, ::2] = 0
    notes = captured(export(module, (8,), tmp_path / "net.onnx")).notes
    assert any(note.startswith("50% of 0.weight are zeros that the network brings along") for note in notes)


def test_a_changed_file_is_captured_again(tmp_path):
    from bisparse.training.capture import GraphCache

    cache = GraphCache(tmp_path / "graphs")
    file = export(nn.Linear(8, 4), (8,), tmp_path / "net.onnx")
    first = captured(file, cache=cache)
    assert captured(file, cache=cache) == first
    export(nn.Sequential(nn.Linear(8, 4), nn.ReLU()), (8,), file)
    assert products(captured(file, cache=cache)) == products(first)
    assert captured(file, cache=cache) != first
