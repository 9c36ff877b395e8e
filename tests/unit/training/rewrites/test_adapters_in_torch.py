"""Adapters and rebuilt weights at work in torch, against their definitions in plain numpy."""

import numpy
import pytest
import torch
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import Recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.rewrites.in_torch import rewrite_captured
from torch import nn

from .conftest import captured

pytestmark = pytest.mark.usefixtures("one_thread")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 4)).double()


def under(rewrite, sparsity="75%", **fields):
    """The network, rewritten and under a recipe."""
    recipe = Recipe.model_validate(
        {"name": "mine", "title": "Mine", "source": "a test", "rewrites": [rewrite], **fields}
    )
    model = network()
    rewrite_captured(model, recipe.rewrites, lambda: captured(lambda: model, (8,)))
    return model, apply(model, recipe, parse_format(sparsity), steps=10)


def as_numpy(tensor):
    return tensor.detach().numpy().copy()


ADAPTERS = {"kind": "adapters", "rank": 3, "scale": 0.5, "layers": ["2"], "learning": ["4.bias"]}


def test_adapters_learn_as_their_definition_has_it_and_nothing_else_does():
    """y = W x + b + s B A x: the gradients of A and B, and an update of SGD."""
    model, applied = under(ADAPTERS)
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1)
    applied.attach(optimizer)
    layer = model[2]
    nn.init.normal_(layer.adapter_b.weight)
    before = {name: as_numpy(each) for name, each in model.state_dict().items()}
    x, target = torch.randn(5, 8, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    loss = (model(x) - target).square().sum() / 2
    loss.backward()
    optimizer.step()

    entering = numpy.maximum(x.numpy() @ before["0.weight"].T + before["0.bias"], 0)
    a, b = before["2.adapter_a.weight"], before["2.adapter_b.weight"]
    made = entering @ before["2.weight"].T + before["2.bias"] + 0.5 * entering @ a.T @ b.T
    output = numpy.maximum(made, 0) @ before["4.weight"].T + before["4.bias"]
    above = (output - target.numpy()) @ before["4.weight"] * (made > 0)
    after = {name: as_numpy(each) for name, each in model.state_dict().items()}
    numpy.testing.assert_allclose(after["2.adapter_a.weight"], a - 0.1 * 0.5 * (above @ b).T @ entering)
    numpy.testing.assert_allclose(after["2.adapter_b.weight"], b - 0.1 * 0.5 * above.T @ (entering @ a.T))
    numpy.testing.assert_allclose(after["4.bias"], before["4.bias"] - 0.1 * (output - target.numpy()).sum(0))
    frozen = set(before) - {"2.adapter_a.weight", "2.adapter_b.weight", "4.bias"}
    assert all((after[name] == before[name]).all() for name in frozen)
    assert not any(model.get_parameter(name).requires_grad for name in frozen)


def test_nothing_is_propagated_below_the_first_adapter():
    model, _ = under(ADAPTERS)
    seen = []
    model[1].register_full_backward_hook(lambda *_: seen.append("below"))
    model[3].register_full_backward_hook(lambda *_: seen.append("above"))
    model(torch.randn(2, 8, dtype=torch.float64)).sum().backward()
    assert seen == ["above"]


def test_merged_they_leave_the_network_as_it_was_with_other_weights():
    model, applied = under({**ADAPTERS, "gate": {"penalty": 0.1}, "residual": 4})
    layer, x = model[2], torch.randn(5, 8, dtype=torch.float64)
    for each in (layer.adapter_b.weight, layer.adapter_gate, layer.adapter_residual):
        nn.init.normal_(each)
    whole, places = as_numpy(layer.weight), (layer.adapter_residual_outputs, layer.adapter_residual_inputs)
    update = (
        as_numpy(layer.adapter_b.weight) @ numpy.diag(as_numpy(layer.adapter_gate)) @ as_numpy(layer.adapter_a.weight)
    )
    whole += 0.5 * update
    numpy.add.at(whole, tuple(map(as_numpy, places)), as_numpy(layer.adapter_residual))
    expected = as_numpy(model(x))
    applied.remove()
    assert list(model.state_dict()) == list(network().state_dict())
    numpy.testing.assert_allclose(as_numpy(model[2].weight), whole)
    numpy.testing.assert_allclose(as_numpy(model(x)), expected)


def test_behind_a_layer_they_read_what_it_gives_and_are_merged_into_weight_and_bias():
    """PAT: y + s B A y, y = W x + b."""
    model, applied = under({**ADAPTERS, "position": "behind"})
    layer, x = model[2], torch.randn(5, 8, dtype=torch.float64)
    nn.init.normal_(layer.adapter_b.weight)
    a, b = as_numpy(layer.adapter_a.weight), as_numpy(layer.adapter_b.weight)
    operator = numpy.eye(6) + 0.5 * b @ a
    entering = as_numpy(model[1](model[0](x)))
    wanted = (entering @ as_numpy(layer.weight).T + as_numpy(layer.bias)) @ operator.T
    numpy.testing.assert_allclose(as_numpy(layer(torch.from_numpy(entering))), wanted)
    applied.remove()
    numpy.testing.assert_allclose(as_numpy(model[2](torch.from_numpy(entering))), wanted)


def test_a_gate_takes_a_proximal_step_and_ends_at_zero():
    """g <- T(g - h dL/dg), T(v) = sign(v) max(|v| - h xi, 0): Ding et al., equation 6."""
    model, applied = under({**ADAPTERS, "gate": {"penalty": 2.0}})
    gate = model[2].adapter_gate
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1)
    applied.attach(optimizer)
    gate.data = torch.tensor([1.0, 0.1, -0.5], dtype=torch.float64)
    gate.grad = torch.tensor([1.0, -0.5, 0.5], dtype=torch.float64)
    optimizer.step()
    numpy.testing.assert_allclose(as_numpy(gate), [0.7, 0.0, -0.35])


def test_frozen_weights_are_pruned_beside_adapters_that_are_not():
    """DSEE: (m * W) x + B A x, in FF and BP; deployed beside, the pruned weight stays pruned."""
    model, applied = under(
        {**ADAPTERS, "deployed": "beside"},
        forward={"operand": "weight"}, backward={"operand": "weight"}, mask_search={"method": "given"},
        dense={"names": ["2.adapter_*"]},
    )  # fmt: skip
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=0.01)
    applied.attach(optimizer)
    weight = as_numpy(model[2].weight)
    x = torch.randn(5, 8, dtype=torch.float64)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    mask = as_numpy(applied.mask("2", Stage.FORWARD))
    assert mask.mean() == 0.25
    assert (
        numpy.sort(numpy.abs(weight).flatten())[::-1][: mask.sum()] == numpy.sort(numpy.abs(weight[mask]))[::-1]
    ).all()
    expected = as_numpy(model(x))
    applied.remove()
    numpy.testing.assert_array_equal(as_numpy(model[2].weight), weight * mask)
    numpy.testing.assert_allclose(as_numpy(model(x)), expected)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_rebuilt_weight_learns_as_sltrain_has_it(keeps):
    """W = s B A + S; with D = dW: dB = s D A^T, dA = s B^T D, dS = D at the places."""
    model, _ = under(
        {
            "kind": "sparse-plus-low-rank", "rank": 3, "kept_percent": 20, "scale": 0.5, "layers": ["2"],
            "keep_weight": keeps,
        }
    )  # fmt: skip
    layer = model[2]
    nn.init.normal_(layer.low_rank_b.weight)
    a, b = as_numpy(layer.low_rank_a.weight), as_numpy(layer.low_rank_b.weight)
    places, values = as_numpy(layer.sparse.places), as_numpy(layer.sparse.weight)
    assert len(set(places)) == len(places) == int(0.2 * 72)
    assert numpy.abs(values).max() <= 12**-0.5
    whole = 0.5 * b @ a
    whole.flat[places] += values
    x, above = torch.randn(5, 12, dtype=torch.float64, requires_grad=True), torch.randn(5, 6, dtype=torch.float64)
    made = layer(x)
    numpy.testing.assert_allclose(as_numpy(made), as_numpy(x) @ whole.T + as_numpy(layer.bias))
    made.backward(above)
    d = above.numpy().T @ as_numpy(x)
    numpy.testing.assert_allclose(layer.low_rank_b.weight.grad, 0.5 * d @ a.T)
    numpy.testing.assert_allclose(layer.low_rank_a.weight.grad, 0.5 * b.T @ d)
    numpy.testing.assert_allclose(layer.sparse.weight.grad, d.flat[places])
    numpy.testing.assert_allclose(x.grad, above.numpy() @ whole)


def test_a_rebuilt_weight_is_computed_again_in_the_backward_pass():
    calls = []
    model, _ = under({"kind": "sparse-plus-low-rank", "rank": 3, "kept_percent": 20, "layers": ["2"]})
    whole = model[2].rebuilt
    model[2].rebuilt = lambda: calls.append(1) or whole()
    model[2](torch.randn(5, 12, dtype=torch.float64, requires_grad=True)).sum().backward()
    assert len(calls) == 2, "once forwards, once backwards"


def test_ranks_fall_as_a_phase_sets_them_and_the_largest_gates_stay():
    phases = [{"name": "tuning", "share": 1.0, "set": {"rewrites.0.rank": {"shape": "steps", "values": [3, 1]}}}]
    model, applied = under({**ADAPTERS, "gate": {"penalty": 0.1}}, schedule={"phases": phases})
    gate = model[2].adapter_gate
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.01)
    applied.attach(optimizer)
    left = []
    for _ in range(10):
        gate.grad = torch.tensor([0.5, 1.0, -0.5], dtype=torch.float64)
        optimizer.step()
        left.append(int(gate.count_nonzero()))
    assert left == [3] * 5 + [1] * 5
    assert gate[2] > 1
