"""Layers that multiply differences, against a network that is written so by hand."""

from __future__ import annotations

import torch
from bisparse.training.graph import MadeZeros
from bisparse.training.passes.inference import forward_only
from bisparse.training.rewrites.delta_activations import DeltaActivations
from torch import nn
from torch.nn import functional

from .conftest import captured, counted, made

DELTAS = DeltaActivations(kind="delta-activations")


class Network(nn.Module):
    """A convolution and a linear layer, with a bias or without."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * 36, 10, bias=False)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)).flatten(1))


class Deltas(Network):
    """The same of the next frame: references and stored results come in and go out."""

    def forward(self, x, seen, summed, seen_next, summed_next):
        change = functional.hardshrink(x - seen, 0.1)
        moved = seen + change
        first = functional.conv2d(change, self.first.weight, padding=1) + summed
        hidden = torch.relu(first + self.first.bias.view(-1, 1, 1)).flatten(1)
        change = functional.hardshrink(hidden - seen_next, 0.1)
        second = functional.linear(change, self.second.weight) + summed_next
        return second, moved, seen_next + change, first


FRAME, HIDDEN = (3, 6, 6), (8, 6, 6)


def test_it_is_the_network_written_by_hand():
    found = made(captured(Network, FRAME, inference=True), DELTAS, deployed=True)
    inputs = [FRAME, FRAME, HIDDEN, (8 * 36,), (10,)]
    wanted = captured(Deltas, inputs, inference=True)
    assert counted(found) == counted(wanted)
    assert found.macs(4) == wanted.macs(4)


class Encoder(nn.Module):
    """Attention, then two layers behind a normalisation, each beside a shortcut."""

    def __init__(self):
        super().__init__()
        self.packed, self.projection, self.norm = nn.Linear(8, 24), nn.Linear(8, 8), nn.LayerNorm(8)
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 8, bias=False)

    def attended(self, x):
        query, key, value = (each.unsqueeze(1) for each in self.packed(x).chunk(3, -1))
        return x + self.projection(functional.scaled_dot_product_attention(query, key, value).squeeze(1))

    def forward(self, x):
        x = self.attended(x)
        return x + self.second(functional.gelu(self.first(self.norm(x))))


class EncoderOfDeltas(Encoder):
    """The same of the next frame, whose two layers multiply differences."""

    def forward(self, x, seen, summed, seen_next, summed_next):
        x = self.attended(x)
        change = functional.hardshrink(self.norm(x) - seen, 0.1)
        moved = seen + change
        first = functional.linear(change, self.first.weight) + summed
        hidden = functional.gelu(first + self.first.bias)
        change = functional.hardshrink(hidden - seen_next, 0.1)
        second = functional.linear(change, self.second.weight) + summed_next
        return x + second, moved, seen_next + change, first, second


def test_so_it_is_in_a_transformer():
    entry = DeltaActivations(kind="delta-activations", layers=("first", "second"))
    found = made(captured(Encoder, (6, 8), inference=True), entry, deployed=True)
    inputs = [(6, 8), (6, 8), (6, 16), (6, 16), (6, 8)]
    wanted = captured(EncoderOfDeltas, inputs, inference=True)
    assert counted(found) == counted(wanted)
    assert found.macs(4) == wanted.macs(4)


def test_what_it_adds_is_differences_references_and_sums():
    graph = captured(Network, FRAME, inference=True)
    found = made(graph, DELTAS, deployed=True)
    more = [each for each in found.operators if each.name not in {old.name for old in graph.operators}]
    assert [each.kind for each in more] == ["add", "elementwise", "add", "add"] * 2
    assert [each.elements.at(4) for each in more] == [432, 432, 432, 1152, 1152, 1152, 1152, 40]
    kept = [tensor for name, tensor in found.tensors.items() if name not in graph.tensors and tensor.role == "buffer"]
    assert sorted(tensor.elements(4) for tensor in kept) == [40, 432, 1152, 1152]


def test_products_are_of_differences_and_results_are_sums():
    found = made(captured(Network, FRAME, inference=True), DELTAS, deployed=True)
    product = next(each for each in found.operators if each.name == "first:FF")
    assert found.producer[product.inputs[0]].kind == "elementwise"
    (reader,) = found.consumers[product.outputs[0]]
    assert reader.kind == "add"
    assert [each.kind for each in found.consumers[reader.outputs[0]]] == ["bias_add"]


def test_the_numbers_are_those_of_the_whole_frame():
    """Without a threshold the sum of what differences make is what the frame makes."""
    torch.manual_seed(0)
    network = Network()
    with torch.no_grad():
        frames = torch.randn(3, 2, *FRAME)
        state = [torch.zeros(2, *FRAME), torch.zeros(2, *HIDDEN)]
        for frame in frames:
            state[1] = state[1] + functional.conv2d(frame - state[0], network.first.weight, padding=1)
            state[0] = frame
            wanted = functional.conv2d(frame, network.first.weight, padding=1)
            torch.testing.assert_close(state[1], wanted, atol=1e-5, rtol=1e-5)


def test_zeros_that_are_declared_are_those_of_the_layers_inputs():
    declared = DELTAS.model_copy(update={"zeros_percent": 75.0})
    graph = captured(Network, FRAME, inference=True)
    zeros = MadeZeros(input=0.75, of_differences=True)
    assert made(graph, declared, deployed=True).made_zeros == {"first": zeros, "second": zeros}
    assert made(graph, DELTAS, deployed=True).made_zeros == {}
    assert zeros.measured(0.5) is None, "a training measures whole values"


def test_a_training_step_stays_and_what_is_made_of_one_is_that_of_its_forward_pass():
    graph = captured(Network, FRAME)
    assert made(graph, DELTAS) == graph
    found = forward_only(made(graph, DELTAS, deployed=True))
    assert counted(found) == counted(made(forward_only(graph), DELTAS, deployed=True))
