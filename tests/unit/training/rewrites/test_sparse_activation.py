"""Activations at work in torch: cuts and penalties against their definitions in numpy, at the updates they are for."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import DENSE
from bisparse.training.models.attention import SquaredReLU
from bisparse.training.recipes.declaration import Recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.rewrites.activation import Activation
from bisparse.training.rewrites.in_torch import activations_of, check_rewritten, rewrite_module
from torch import nn

from .conftest import captured

ALL = [{"share": 1, "strength": 0.5}]


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(8, 16), nn.Linear(8, 16), nn.Linear(16, 3)
        self.activation = nn.SiLU()

    def forward(self, x):
        return self.down(self.activation(self.gate(x)) * self.up(x))


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 3))


def at_work(model, *, steps=20, shape=(8,), **asked):
    """A model under one entry of a recipe, and the recipe at work."""
    entry = Activation(kind="activation", **asked)
    planned = rewrite_module(model, (entry,), captured(lambda: model, shape))
    check_rewritten(captured(lambda: model, shape), planned)
    recipe = Recipe(name="test", title="test", source="test", rewrites=(entry,))
    return apply(model, recipe, DENSE, steps=steps, follows_schedule=True), activations_of(model)


def values_of(*shape) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(*shape)


def update(model, applied, optimizer, values) -> None:
    optimizer.zero_grad()
    model(values).square().mean().backward()
    optimizer.step()


def trained(model, applied, batches) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    applied.attach(optimizer)
    for values in batches:
        update(model, applied, optimizer, values)


def quantile(magnitudes: np.ndarray, share: float) -> float:
    return np.sort(magnitudes.ravel())[int(share * magnitudes.size)]


def gelu(model, values) -> np.ndarray:
    return nn.functional.gelu(model[0](values)).detach().numpy()


def test_a_threshold_is_the_mean_over_batches_of_what_a_share_lies_below():
    model = plain()
    applied, (activation,) = at_work(
        model, zeros_percent=50, cut={"by": "threshold", "found_over": 3, "from_share": 0.5}
    )
    batches = [values_of(4, 8) * scale for scale in range(1, 21)]
    trained(model, applied, batches)
    wanted = np.mean([quantile(np.abs(gelu(model, each)), 0.5) for each in batches[7:10]])
    assert float(activation.threshold) == pytest.approx(wanted, rel=1e-6)
    made = gelu(model, batches[0])
    kept = np.where(np.abs(made) >= np.float32(activation.threshold), made, 0)
    np.testing.assert_array_equal(activation(model[0](batches[0])).detach().numpy(), kept)


def test_it_is_dense_until_its_share_of_the_run_and_thresholds_stay_after_it():
    model = plain()
    applied, (activation,) = at_work(
        model, zeros_percent=50, cut={"by": "threshold", "found_over": 3, "from_share": 0.5}
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    applied.attach(optimizer)
    values, zeros, thresholds = values_of(4, 8), [], []
    for _ in range(20):
        hidden = activation(model[0](values))
        zeros.append(int((hidden == 0).sum()))
        update(model, applied, optimizer, values)
        thresholds.append(float(activation.threshold))
    assert set(zeros[:10]) == {0}
    assert set(zeros[10:]) == {32}
    assert len(set(thresholds[9:])) == 1
    again = copy.deepcopy(model)
    assert torch.equal(again(values), model(values))


def test_thresholds_of_channels_weigh_magnitudes_with_what_they_are_multiplied_by():
    model = Gated()
    applied, (activation,) = at_work(
        model, zeros_percent=50, cut={"by": "channel-threshold", "found_over": 2, "from_share": 0.5}
    )
    batches = [values_of(4, 8) * scale for scale in range(1, 21)]
    trained(model, applied, batches)
    factors = np.mean([model.up(each).detach().abs().mean(0).numpy() for each in batches[6:8]], axis=0)
    np.testing.assert_allclose(activation.factors.numpy(), factors, rtol=1e-5)
    silu = [nn.functional.silu(model.gate(each)).detach().numpy() for each in batches]
    wanted = np.mean([quantile(np.abs(each) * factors, 0.5) for each in silu[8:10]])
    assert float(activation.threshold) == pytest.approx(wanted, rel=1e-5)
    kept = np.abs(silu[0]) * activation.factors.numpy() >= np.float32(activation.threshold)
    np.testing.assert_array_equal(activation.kept(torch.from_numpy(silu[0])).numpy(), kept)


def test_where_channels_are_multiplied_by_nothing_it_is_the_weights_that_read_them():
    model = plain()
    applied, (activation,) = at_work(model, zeros_percent=50, cut={"by": "channel-threshold", "found_over": 1})
    trained(model, applied, [values_of(4, 8)] * 3)
    wanted = np.linalg.norm(model[2].weight.detach().numpy(), axis=0)
    np.testing.assert_allclose(activation.factors.numpy(), wanted, rtol=1e-6)


def test_top_k_keeps_the_largest_of_each_token():
    model = plain()
    _, (activation,) = at_work(model, function="relu", zeros_percent=75, cut={"by": "top-k"})
    values = values_of(2, 5, 16)
    made = np.maximum(values.numpy(), 0)
    least = np.sort(made, axis=-1)[..., -4, None]
    np.testing.assert_array_equal(activation(values).numpy(), np.where(made >= least, made, 0))


def test_in_front_of_a_convolution_channels_are_the_second_axis():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3))
    _, (activation,) = at_work(model, shape=(3, 6, 6), zeros_percent=75, cut={"by": "top-k"})
    values = values_of(2, 8, 6, 6)
    made = np.maximum(values.numpy(), 0)
    least = np.sort(made, axis=1)[:, -2, None]
    np.testing.assert_array_equal(activation(values).numpy(), np.where(made >= least, made, 0))


def test_core_neurons_are_those_that_most_first_tokens_have_among_their_largest():
    model = plain()
    cut = {"by": "core", "token_percent": 75, "prefill_share": 0.4}
    _, (activation,) = at_work(model, shape=(5, 8), zeros_percent=50, cut=cut)
    values = values_of(3, 5, 16)
    made = nn.functional.gelu(values).numpy()
    first = math.ceil(0.4 * 5)
    wanted = made.copy()
    for sentence in range(3):
        counts = np.zeros(16, dtype=int)
        for token in made[sentence, :first]:
            counts[np.argsort(-token)[:4]] += 1
        core = np.argsort(-counts, kind="stable")[:8]
        others = np.setdiff1d(np.arange(16), core)
        wanted[sentence, first:, others] = 0
    np.testing.assert_array_equal(activation(values).numpy(), wanted)


def test_core_neurons_need_tokens():
    model = plain()
    _, (activation,) = at_work(model, zeros_percent=50, cut={"by": "core", "token_percent": 75})
    with pytest.raises(ConfigError, match=r"cut.by: got core of 1, whose values are \(4, 16\), need \[batch, tokens"):
        activation(values_of(4, 16))


def test_a_given_threshold_keeps_what_is_not_below_it_and_stops_the_gradient_of_the_rest():
    model = plain()
    _, (activation,) = at_work(model, function="relu", cut={"by": "value", "value": 0.5})
    values = values_of(4, 16).requires_grad_()
    activation(values).sum().backward()
    own = values.detach().numpy()
    np.testing.assert_array_equal(activation(values).detach().numpy(), np.where(own >= 0.5, own, 0))
    np.testing.assert_array_equal(values.grad.numpy(), (own >= 0.5).astype(np.float32))


@pytest.mark.parametrize(("norm", "of"), [("l1", np.abs), ("tanh", lambda a: np.tanh(20 * np.abs(a)))])
def test_a_penalty_is_a_mean_over_elements_summed_over_layers_times_its_strength(norm, of):
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 6), nn.GELU(), nn.Linear(6, 3))
    applied, activations = at_work(model, function="relu", penalty={"norm": norm, "stages": ALL})
    assert len(activations) == 2
    values = values_of(4, 8)
    model(values)
    first = np.maximum(model[0](values).detach().numpy(), 0)
    second = np.maximum(model[2](torch.from_numpy(first)).detach().numpy(), 0)
    assert applied.activations.penalty().item() == pytest.approx(0.5 * (of(first).mean() + of(second).mean()), rel=1e-5)
    assert applied.activations.penalty() is None, "it is asked for once"
    with torch.no_grad():
        model(values)
    model.eval()(values)
    assert applied.activations.penalty() is None, "what is measured adds nothing"


def test_a_penalty_on_differences_is_of_each_token_and_the_one_before_it():
    model = plain()
    applied, _ = at_work(model, shape=(5, 8), penalty={"norm": "differences", "stages": ALL})
    values = values_of(3, 5, 8)
    model(values)
    made = gelu(model, values)
    assert applied.activations.penalty().item() == pytest.approx(0.5 * np.abs(np.diff(made, axis=1)).mean(), rel=1e-5)
    with pytest.raises(ConfigError, match=r"penalty.norm: got differences of 1, whose values are \(5, 16\), need"):
        model(values[0])


def test_a_loop_of_ones_own_that_would_not_add_the_penalty_is_refused():
    model = plain()
    entry = Activation(kind="activation", function="relu", penalty={"stages": ALL})
    rewrite_module(model, (entry,), captured(lambda: model, (8,)))
    recipe = Recipe(name="test", title="test", source="test", rewrites=(entry,))
    with pytest.raises(ConfigError, match=r"batches or a loss of its own, .* try bisparse train"):
        apply(model, recipe, DENSE, steps=10)


def test_a_function_that_a_modules_code_calls_is_refused_with_its_path():
    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x):
            return self.second(torch.relu(self.first(x)))

    model = nn.Sequential(Called(), nn.ReLU(), nn.Linear(3, 2))
    entry = Activation(kind="activation", function="squared-relu")
    with pytest.raises(ConfigError, match="layers: got 0, a Called whose code calls the function"):
        rewrite_module(model, (entry,), captured(lambda: model, (8,)))
    left = entry.model_copy(update={"except_layers": ("0",)})
    rewrite_module(model, (left,), captured(lambda: model, (8,)))
    assert [type(each.function) for each in activations_of(model)] == [SquaredReLU]
