"""Random graphs between the units of a recurrent layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.random_graph import RandomGraph
from torch import nn

KINDS = ["erdos-renyi", "watts-strogatz", "barabasi-albert"]


@pytest.mark.parametrize("density", [0.05, 0.2, 0.45])
@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_has_the_density_asked_for_and_is_its_seeds(kind, density):
    graph, units = RandomGraph(kind=kind), 96
    found = graph.mask(units, density, 3, 1)
    assert (found == graph.mask(units, density, 3, 1)).all()
    assert (found != graph.mask(units, density, 3, 2)).any()
    # A ring has an even number of neighbours a unit, a grown graph whole edges a unit.
    steps = {"erdos-renyi": 0.5 / units**2, "watts-strogatz": 1 / units, "barabasi-albert": 1 / units}
    assert abs(found.mean() - density) <= steps[kind] + 1e-12
    if kind != "erdos-renyi":
        assert (found == found.T).all()
        assert not found.diagonal().any()


def test_a_ring_without_rewiring_joins_neighbours_and_rewiring_keeps_the_edges():
    ring = RandomGraph(kind="watts-strogatz", rewired=0.0).mask(12, 4 / 12, 0)
    apart = abs(np.subtract.outer(np.arange(12), np.arange(12)))
    assert (ring == np.isin(np.minimum(apart, 12 - apart), (1, 2))).all()
    rewired = RandomGraph(kind="watts-strogatz", rewired=1.0).mask(12, 4 / 12, 0)
    assert rewired.sum() == ring.sum()
    assert (rewired != ring).any()


def test_a_grown_graph_has_hubs():
    edges = {kind: RandomGraph(kind=kind).mask(200, 0.05, 1).sum(1).max() for kind in KINDS}
    assert edges["barabasi-albert"] > 2 * max(edges["erdos-renyi"], edges["watts-strogatz"])


def recipe(**graph) -> Recipe:
    shipped = load_recipe("random-graph-rnn").model
    return shipped.model_copy(
        update={"mask_search": shipped.mask_search.model_copy(update={"graph": RandomGraph(**graph)})}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_of_a_layer_meets_the_same_graph_in_every_gate_and_pass_and_the_input_all_weights(kind):
    model = nn.ModuleDict({"cells": nn.GRU(16, 32, 2), "head": nn.Linear(32, 4)})
    applied = apply(model, recipe(kind=kind), parse_format("80%"))
    assert {path for path, layer in applied.layers.items() if layer.patterns} == {
        "cells.weight_hh_l0",
        "cells.weight_hh_l1",
    }
    assert applied.dense_reasons["head:FF"] == "not met by the state of a recurrent layer"
    first, second = (applied.mask(f"cells.weight_hh_l{depth}", Stage.FORWARD) for depth in (0, 1))
    assert torch.equal(first, applied.mask("cells.weight_hh_l0", Stage.BACKWARD))
    gates = first.unflatten(0, (3, 32))
    assert torch.equal(gates[0], gates[1])
    assert torch.equal(gates[0], gates[2])
    assert not torch.equal(first, second)
    assert abs(float(first.float().mean()) - 0.2) < 0.04
    outputs, _ = model["cells"](torch.randn(3, 2, 16))
    outputs.sum().backward()
    assert not torch.equal(applied.weight("cells.weight_hh_l0", Stage.FORWARD), model["cells"].weight_hh_l0)


def test_the_graph_stays_while_weights_move():
    model = nn.RNN(8, 16)
    applied = apply(model, recipe(kind="watts-strogatz"), parse_format("75%"))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    applied.attach(optimizer)
    before = applied.mask("weight_hh_l0", Stage.FORWARD).clone()
    model(torch.randn(3, 2, 8))[0].square().sum().backward()
    optimizer.step()
    assert torch.equal(applied.mask("weight_hh_l0", Stage.FORWARD), before)


@pytest.mark.parametrize(
    ("sparsity", "kind", "reason"),
    [
        ("2:8", "erdos-renyi", "a random graph has a share of zeros and no other rule, 2:8"),
        ("75% block 2x2", "erdos-renyi", "a random graph has a share of zeros and no other rule, 75% block 2x2"),
        ("40%", "barabasi-albert", "a barabasi-albert graph joins at most half of all pairs, 40%"),
    ],
)
def test_what_no_graph_has_leaves_a_layer_dense_with_a_reason(sparsity, kind, reason):
    applied = apply(nn.RNN(8, 16), recipe(kind=kind), parse_format(sparsity))
    assert applied.dense_reasons["weight_hh_l0:FF"] == reason


def test_a_graph_that_would_lie_over_other_weights_is_refused(tmp_path):
    text = "name: mine\ntitle: t\nsource: s\nforward: {operand: weight}\n"
    text += "mask_search: {method: given, graph: {kind: erdos-renyi}}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mask_search.graph: got it, need .*dense.all_but_weights: state"):
        load_recipe(str(tmp_path / "mine.yaml"))


def test_a_recurrent_network_is_pruned_after_dense_training_and_the_rest_of_it_never():
    model = nn.ModuleDict({"cells": nn.LSTM(8, 8), "head": nn.Linear(8, 8)})
    applied = apply(model, load_recipe("sparse-rnn").model, parse_format("75%"), steps=8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    applied.attach(optimizer)
    densities = []
    for _ in range(8):
        densities.append(float((applied.weight("cells.weight_hh_l0", Stage.FORWARD) != 0).float().mean()))
        optimizer.zero_grad()
        model["head"](model["cells"](torch.randn(3, 2, 8))[0]).square().sum().backward()
        optimizer.step()
    assert densities == [1.0] * 6 + [0.25] * 2
    assert applied.dense_reasons["head:BP"] == "not of a recurrent layer"
