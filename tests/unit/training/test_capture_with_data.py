"""Steps that read values: captured from random data on the CPU, which is said, and where."""

import random

import numpy as np
import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from torch import nn


def captured(module, shape=(32,)):
    return capture(module, shape, name="net", default_batch=4, source="test")


class Reads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.body(x) * x.abs().max().item())


class Plain(Reads):
    def forward(self, x):
        return self.head(self.body(x) * 2.0)


class Branches(Reads):
    def forward(self, x):
        return self.head(self.body(x)) if x.abs().sum() > 0 else self.head(x)


class FakeQuantized(Reads):
    def forward(self, x):
        return self.head(torch.fake_quantize_per_tensor_affine(self.body(x), 0.1, 0, -128, 127))


@pytest.mark.parametrize("kind", [Reads, Branches, FakeQuantized])
def test_a_step_that_reads_values_is_captured_from_data_and_says_so(kind):
    graph = captured(kind())
    macs = {stage: graph.macs(4, stage) for stage in (Stage.FORWARD, Stage.WEIGHT_GRADIENT)}
    assert macs == dict.fromkeys(macs, 4 * (32 * 32 + 32 * 10))
    (note,) = graph.notes
    assert "it was captured from random data on the CPU" in note
    assert "test_capture_with_data.py:" in note


def test_its_products_are_those_of_the_step_that_reads_none():
    def products(module):
        return [(each.name, each.stage, each.geometry) for each in captured(module).products]

    assert products(Reads()) == products(Plain())
    assert captured(Plain()).notes == ()


def test_the_same_network_gives_the_same_graph_and_is_left_as_it_was():
    module = Reads()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.random.get_rng_state()
    assert captured(module) == captured(module) == captured(Reads)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert module.body.weight.grad is None


def test_indices_are_ones_that_every_table_has():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Embedding(3, 16), nn.Linear(16, 3)

        def forward(self, tokens):
            hidden = self.table(tokens)
            return self.head(hidden * float(hidden.detach().norm()))

    graph = capture(Tokens(), (8,), name="net", default_batch=2, source="test", integer_inputs=True)
    assert len(list(graph.products)) == 3


def test_without_data_it_is_refused_as_before():
    with torch.device("meta"):
        module = Reads()
    with pytest.raises(CaptureError, match=r"net in aten\._local_scalar_dense .* that runs on shapes alone"):
        captured(module)


def test_a_step_that_fails_with_data_too_says_how():
    class Fails(Reads):
        def forward(self, x):
            if x.abs().sum().item() > 0:
                raise ValueError("no such luck")
            return self.head(x)

    with pytest.raises(CaptureError, match="got ValueError: no such luck"):
        captured(Fails())


def test_what_a_step_draws_is_the_same_every_time_and_nobody_else_s():
    class Skips(Reads):
        def forward(self, x):
            drawn = [random.random(), np.random.rand(), torch.rand(()).item(), *torch.rand(8).tolist()]
            return self.head(self.body(x)) if sum(each > 0.5 for each in drawn) % 2 else self.head(x)

    network, before = Skips(), torch.random.get_rng_state()
    first = captured(network)
    assert torch.equal(torch.random.get_rng_state(), before)
    random.random()
    np.random.rand()
    torch.rand(())
    moved = random.getstate(), np.random.get_state()[2], torch.random.get_rng_state()
    assert captured(network) == first
    assert (random.getstate(), np.random.get_state()[2]) == moved[:2]
    assert torch.equal(torch.random.get_rng_state(), moved[2])


def test_recurrent_layers_that_run_on_data_are_their_products():
    class Transcribes(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 6)

        def forward(self, x, labels):
            scores = self.head(self.cells(x)[0]).log_softmax(-1).transpose(0, 1)
            lengths = [torch.full((len(x),), each.shape[1]) for each in (x, labels)]
            return nn.functional.ctc_loss(scores, labels, *lengths)

    graph = capture(Transcribes(), ["20x8", "5:int"], name="net", default_batch=4, source="test")
    assert graph.macs(4, Stage.FORWARD) == 4 * 20 * (4 * 16 * (8 + 16) + 16 * 6)


def test_layers_that_are_skipped_at_random_are_the_same_at_every_batch_size():
    class Skips(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Sequential(nn.Linear(32, 32), nn.Dropout(0.5)) for _ in range(12))

        def forward(self, x):
            for layer in self.layers:
                if torch.rand([]).item() > 0.3:
                    x = layer(x)
            return x

    graph = captured(Skips())
    layers = {product.module for product in graph.products}
    assert 0 < len(layers) < 12
