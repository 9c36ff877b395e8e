"""Recurrent layers as sequences of products: their geometry, their order, their multiply-accumulates."""

import pytest
import torch
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from bisparse.training.recipes.in_torch.recurrent.as_products import recurrence_as_products
from torch import nn

STEPS, INPUTS, HIDDEN, BATCH = 3, 6, 10, 4
GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}


def captured(module, **asked):
    return capture(module, (STEPS, INPUTS), name="net", default_batch=BATCH, source="test", **asked)


def sides(operator, batch=BATCH):
    shape = operator.geometry
    return tuple(size.at(batch) for size in (shape.m, shape.n, shape.k, shape.count))


def by_hand(gates, layers, ways):
    """MACs of FF, BP and WU; the input needs no gradient, nor does the state before the first step."""
    forward = backward = 0
    for layer in range(layers):
        entering = INPUTS if layer == 0 else HIDDEN * ways
        of_input = STEPS * BATCH * gates * HIDDEN * entering * ways
        of_state = BATCH * gates * HIDDEN * HIDDEN * ways
        forward += of_input + STEPS * of_state
        backward += (of_input if layer else 0) + (STEPS - 1) * of_state
    return forward, backward, forward


@pytest.mark.parametrize(("layers", "both_ways"), [(1, False), (2, True)])
@pytest.mark.parametrize("cells", GATES)
def test_a_layer_multiplies_its_whole_input_at_once_and_its_state_step_by_step(cells, layers, both_ways):
    ways = 2 if both_ways else 1
    graph = captured(cells(INPUTS, HIDDEN, layers, batch_first=True, bidirectional=both_ways))
    rows = GATES[cells] * HIDDEN
    own = {
        stage: [sides(each) for each in graph.products if (each.stage, each.parameter) == (stage, "weight_hh_l0")]
        for stage in (Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
    }
    assert own[Stage.FORWARD] == [(BATCH, rows, HIDDEN, 1)] * STEPS
    assert own[Stage.BACKWARD] == [(BATCH, HIDDEN, rows, 1)] * (STEPS - 1)
    assert own[Stage.WEIGHT_GRADIENT] == [(HIDDEN, rows, STEPS * BATCH, 1)]
    entering = [sides(each) for each in graph.products if each.parameter == "weight_ih_l0"]
    assert entering == [(STEPS * BATCH, rows, INPUTS, 1), (INPUTS, rows, STEPS * BATCH, 1)]
    stages = (Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
    assert tuple(graph.macs(BATCH, stage) for stage in stages) == by_hand(GATES[cells], layers, ways)
    assert not graph.unknown


def test_each_step_waits_for_the_gates_of_the_step_before():
    graph = captured(nn.GRU(INPUTS, HIDDEN, batch_first=True))
    behind = None
    for product in (each for each in graph.products if each.parameter == "weight_hh_l0" and each.stage == "FF"):
        needed, pending = set(), [product.inputs[0]]
        while pending:
            maker = graph.producer.get(pending.pop())
            if maker is not None and maker.name not in needed:
                needed.add(maker.name)
                pending.extend(maker.inputs)
        assert behind is None or behind in needed
        behind = product.name


def test_each_weight_has_a_place_of_its_own_for_rules_and_densities():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = nn.GRU(INPUTS, HIDDEN, batch_first=True, bidirectional=True)

        def forward(self, x):
            return self.cells(x)[0]

    graph = captured(Net())
    assert {each.module for each in graph.products} == {
        f"cells.weight_{of}_l0{way}" for of in ("ih", "hh") for way in ("", "_reverse")
    }
    assert {each.module for each in graph.operators if not each.is_product} <= {"cells", "", "loss"}


def test_gates_are_vector_work_of_their_own_elements():
    graph = captured(nn.LSTM(INPUTS, HIDDEN, batch_first=True), inference=True)
    squashed = [each for each in graph.operators if each.kind in ("sigmoid", "tanh")]
    # Four gates and the cell, every step.
    assert sum(each.elements.at(BATCH) for each in squashed) == 5 * STEPS * BATCH * HIDDEN


@pytest.mark.parametrize("cells", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells_in_a_loop_are_two_products_a_step(cells):
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cells(INPUTS, HIDDEN)

        def forward(self, x):
            state = None
            for step in x.unbind(1):
                state = self.cell(step, state)
            return state[0] if cells is nn.LSTMCell else state

    graph = captured(Loop())
    assert graph.macs(BATCH, Stage.FORWARD) == by_hand(GATES[getattr(nn, cells.__name__[:-4])], 1, 1)[0]
    assert sum(each.stage is Stage.FORWARD for each in graph.products) == 2 * STEPS


def test_projected_states_and_packed_sequences_are_counted_as_torch_runs_them():
    graph = captured(nn.LSTM(INPUTS, HIDDEN, batch_first=True, proj_size=3))
    assert graph.macs(BATCH, Stage.FORWARD) == STEPS * BATCH * (4 * HIDDEN * (INPUTS + 3) + HIDDEN * 3)

    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = nn.GRU(INPUTS, HIDDEN, batch_first=True)

        def forward(self, x):
            lengths = torch.full((len(x),), STEPS, device="cpu")
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            return self.cells(packed)[1]

    graph = captured(Packed())
    assert graph.macs(BATCH, Stage.FORWARD) == by_hand(3, 1, 1)[0]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("settings", [{"num_layers": 2, "bias": False}, {"bidirectional": True}])
@pytest.mark.parametrize(
    "cells", [nn.LSTM, nn.GRU, nn.RNN, lambda *sizes, **named: nn.RNN(*sizes, nonlinearity="relu", **named)]
)
def test_what_is_recorded_computes_what_torch_computes(cells, settings, batch_first):
    torch.manual_seed(1)
    layer = cells(3, 4, batch_first=batch_first, **settings).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    rows = len(layer.all_weights)
    states = [torch.randn(rows, 2 if batch_first else 5, 4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    given = tuple(states) if isinstance(layer, nn.LSTM) else states[0]

    def ran():
        outputs, last = layer(x, given)
        found = [outputs, *(last if isinstance(last, tuple) else [last])]
        wanted = [x, *layer.parameters(), *(given if isinstance(given, tuple) else [given])]
        # Of every output another direction, so that no gradient hides behind another.
        total = sum((each * torch.linspace(-1, 1, each.numel()).view(each.shape)).sum() for each in found)
        return [*found, *torch.autograd.grad(total, wanted)]

    torchs_own = ran()
    with recurrence_as_products():
        ours = ran()
    torch.testing.assert_close(ours, torchs_own, rtol=1e-12, atol=1e-12)
