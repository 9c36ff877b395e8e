"""Recurrent layers under a recipe: each weight with a mask for each pass, against cells written out."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import Pattern
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from bisparse.training.loop.agreement import check_agreement
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from torch import nn

CELLS = [nn.LSTM, nn.GRU, nn.RNN]
FF, BP = Stage.FORWARD, Stage.BACKWARD


def applied_to(model, recipe="bdwp", sparsity="2:4", **more):
    return apply(model, load_recipe(recipe).model, parse_format(sparsity), **more)


def product(values, master, forward, backward):
    """Forward by one weight, back by another, and the gradient of the master as if it were dense."""
    by = values @ backward.detach().t()
    straight = values.detach() @ (master - master.detach()).t()
    return by + (values @ forward.t() - by).detach() + straight


def cell_by_hand(kind, x, y, hidden, cell):
    """Torch's documentation, line by line."""
    if kind == "RNN":
        return torch.tanh(x + y), None
    parts = list(zip(x.chunk(4 if kind == "LSTM" else 3, -1), y.chunk(4 if kind == "LSTM" else 3, -1), strict=True))
    if kind == "LSTM":
        i, f, g, o = (a + b for a, b in parts)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell
    (xr, yr), (xz, yz), (xn, yn) = parts
    z = torch.sigmoid(xz + yz)
    return (1 - z) * torch.tanh(xn + torch.sigmoid(xr + yr) * yn) + z * hidden, None


def by_hand(layer, applied, x):
    """Outputs of a stack of batch-first layers, every product by ``product``."""
    kind, ways = type(layer).__name__.removeprefix("Pruned"), 2 if layer.bidirectional else 1
    for depth in range(layer.num_layers):
        outputs = []
        for suffix in ("", "_reverse")[:ways]:
            of = {
                side: [getattr(layer, f"weight_{side}_l{depth}{suffix}")]
                + [applied.weight(f"weight_{side}_l{depth}{suffix}", stage) for stage in (FF, BP)]
                for side in ("ih", "hh")
            }
            b_ih, b_hh = (getattr(layer, f"bias_{side}_l{depth}{suffix}") for side in ("ih", "hh"))
            hidden = cell = x.new_zeros(len(x), layer.hidden_size)
            found = {}
            for t in reversed(range(x.shape[1])) if suffix else range(x.shape[1]):
                xs, ys = product(x[:, t], *of["ih"]) + b_ih, product(hidden, *of["hh"]) + b_hh
                hidden, cell = cell_by_hand(kind, xs, ys, hidden, cell)
                found[t] = hidden
            outputs.append(torch.stack([found[t] for t in range(x.shape[1])], 1))
        x = torch.cat(outputs, -1)
    return x


@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "bidirectional": True}])
@pytest.mark.parametrize("cells", CELLS)
def test_each_pass_multiplies_by_its_own_mask_of_each_weight(cells, settings):
    torch.manual_seed(2)
    layer = cells(8, 12, batch_first=True, **settings).double()
    applied = applied_to(layer)
    assert not torch.equal(applied.mask("weight_hh_l0", FF), applied.mask("weight_hh_l0", BP))
    x = torch.randn(3, 4, 8, dtype=torch.float64, requires_grad=True)
    towards = torch.randn(3, 4, 12 * (2 if layer.bidirectional else 1), dtype=torch.float64)
    wanted = [x, *layer.parameters()]
    ours = layer(x)[0]
    theirs = by_hand(layer, applied, x)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)
    found, expected = (torch.autograd.grad((each * towards).sum(), wanted) for each in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cells", CELLS)
def test_masks_are_n_of_m_along_what_each_pass_sums_over(cells):
    layer = cells(8, 12)
    applied = applied_to(layer)
    for path in applied.layers:
        weight = getattr(layer, path)
        forward, backward = (applied.mask(path, stage).reshape(weight.shape) for stage in (FF, BP))
        assert (forward.unflatten(1, (-1, 4)).sum(2) == 2).all()
        assert (backward.unflatten(0, (-1, 4)).sum(1) == 2).all()


@pytest.mark.parametrize("cells", CELLS)
def test_a_cell_in_a_loop_is_a_layer_of_one_step_after_another(cells):
    torch.manual_seed(3)
    layer, cell = cells(8, 8), getattr(nn, f"{cells.__name__}Cell")(8, 8)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    applied_to(layer), applied_to(cell)
    x, state, outputs = torch.randn(5, 2, 8), None, []
    for step in x:
        state = cell(step, state)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    whole, alone = layer(x)[0], torch.stack(outputs)
    torch.testing.assert_close(alone, whole)
    for name, parameter in layer.named_parameters():
        ours = torch.autograd.grad(whole.square().sum(), parameter, retain_graph=True)[0]
        theirs = torch.autograd.grad(alone.square().sum(), getattr(cell, name.removesuffix("_l0")), retain_graph=True)[
            0
        ]
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("cells", CELLS)
def test_a_layer_takes_what_torchs_own_takes(cells):
    torch.manual_seed(4)
    plain = cells(8, 8, 2)
    pruned = copy.deepcopy(plain)
    applied_to(pruned, "dense", "1:1", precision="bf16")
    state = torch.randn(2, 3, 8)
    for x, given in ((torch.randn(5, 8), None), (torch.randn(5, 3, 8), (state, state) if cells is nn.LSTM else state)):
        # Close, for operands are rounded to eight bits; of the same shapes.
        for ours, theirs in zip(pruned(x, given), plain(x, given), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)
    single = getattr(nn, f"{cells.__name__}Cell")(8, 8)
    twin = copy.deepcopy(single)
    applied_to(twin, "dense", "1:1", precision="bf16")
    torch.testing.assert_close(twin(torch.ones(8)), single(torch.ones(8)), rtol=0.05, atol=0.05)


def test_what_cannot_be_pruned_is_told_and_packed_sequences_are_refused():
    class Own(nn.GRU):
        def forward(self, x):
            return super().forward(x)

    model = nn.ModuleDict({"projected": nn.LSTM(8, 8, proj_size=4), "own": Own(8, 8), "head": nn.Linear(8, 8)})
    reasons = applied_to(model).dense_reasons
    assert reasons["projected.weight_hh_l0:FF"] == "torch projects the states of this layer in a function of its own"
    assert reasons["own.weight_ih_l0:BP"] == "Own has a forward pass of its own"
    model["projected"](torch.ones(2, 3, 8)), model["own"](torch.ones(2, 3, 8))
    layer = nn.Sequential(nn.GRU(8, 8))
    applied_to(layer)
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 8)])
    with pytest.raises(ConfigError, match=r"^0: got a packed sequence, need .*dense.names: \['0.\*'\]"):
        layer[0](packed)
    with pytest.raises(ConfigError, match=r"^GRU: got sequences without a step, need one or more"):
        layer(torch.ones(0, 2, 8))


def test_a_copy_and_a_pickle_go_on_and_removing_leaves_torchs_own_layer():
    torch.manual_seed(5)
    model, x = nn.Sequential(nn.LSTM(8, 8)), torch.randn(3, 2, 8)
    applied = applied_to(model)
    before = model(x)[0]
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(x)[0], before)
    assert list(model.state_dict()) == list(nn.Sequential(nn.LSTM(8, 8)).state_dict())
    applied.remove()
    assert type(model[0]) is nn.LSTM
    torch.testing.assert_close(model(x)[0], before)
    assert float(model[0].weight_hh_l0.count_nonzero()) == 8 * 4 * 8 / 2


@pytest.mark.parametrize(("recipe", "sparsity"), [("sr-ste", "2:4"), ("gradual-magnitude", "75%"), ("sdgp", "2:4")])
def test_training_goes_on_where_it_was_saved(recipe, sparsity):
    def fresh():
        torch.manual_seed(6)
        model = nn.GRU(8, 8)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        applied = applied_to(model, recipe, sparsity, steps=8)
        applied.attach(optimizer)
        return model, optimizer, applied

    def train(model, optimizer, steps):
        for number in steps:
            x = torch.randn(4, 2, 8, generator=torch.Generator().manual_seed(number))
            optimizer.zero_grad()
            model(x)[0].square().mean().backward()
            optimizer.step()

    whole = fresh()
    train(*whole[:2], range(8))
    begun = fresh()
    train(*begun[:2], range(5))
    resumed = fresh()
    for ours, theirs in zip(resumed, begun, strict=True):
        ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    train(*resumed[:2], range(5, 8))
    for ours, theirs in zip(resumed[0].parameters(), whole[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)


class TextNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.cells, self.head = (
            nn.Embedding(20, 12),
            nn.LSTM(12, 16, 2, batch_first=True),
            nn.Linear(16, 20),
        )

    def forward(self, tokens):
        return self.head(self.cells(self.table(tokens))[0])


@pytest.mark.parametrize("recipe", ["bdwp", "transposable"])
def test_what_is_trained_is_what_is_simulated(recipe):
    model = TextNet()
    graph = capture(model, (3,), integer_inputs=True, name="net", default_batch=2, source="test")
    applied = apply(model, load_recipe(recipe).model, Pattern(2, 8))
    check_agreement(applied, graph)
    assert graph.dense_in_training == ()
    # Twelve inputs are no multiple of eight.
    assert applied.dense_reasons["cells.weight_ih_l0:FF"] == "12 channels are not divisible by 8"
    assert str(applied.layers["cells.weight_hh_l1"].patterns[BP]) == "2:8"


def test_what_is_seen_of_a_recurrent_layer_is_the_state_that_it_multiplies():
    torch.manual_seed(7)
    layer = nn.RNN(8, 8, nonlinearity="relu")
    applied = applied_to(layer)
    with applied.watched() as tallies:
        outputs = layer(torch.randn(5, 2, 8))[0]
        outputs.sum().backward()
    before = torch.cat([torch.zeros(1, 2, 8), outputs[:-1]])
    assert tallies["weight_hh_l0"].density("input") == pytest.approx(float(before.count_nonzero()) / before.numel())
    assert 0 < tallies["weight_hh_l0"].density("gradient") < 1
    assert tallies["weight_ih_l0"].density("input") == 1
