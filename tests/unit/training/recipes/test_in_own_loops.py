"""A recipe in a user's own loop: averages of weights, states of other models, optimizers of other weights."""

from __future__ import annotations

import copy

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import DenseRule, load_recipe
from bisparse.training.recipes.in_torch import FrozenVarianceAdam, apply
from torch import nn


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))


def applied_to(model, recipe="bdwp", ratio="2:8", **given):
    return apply(model, load_recipe(recipe).model, Pattern.parse(ratio), **given)


def test_a_copy_of_the_model_follows_its_phase():
    model = network()
    applied = applied_to(model, "step", steps=10)
    optimizer = FrozenVarianceAdam(model.parameters(), lr=1e-3)
    applied.attach(optimizer)
    average = copy.deepcopy(model)
    values = torch.randn(4, 16)
    for _ in range(8):
        optimizer.zero_grad()
        model(values).square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        for own, new in zip(average.parameters(), model.parameters(), strict=True):
            own.copy_(new)
    assert applied.phase.kind == "sparse"
    assert torch.equal(average(values), model(values))


def test_a_copy_has_masks_of_its_own():
    model = network()
    applied = applied_to(model)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin[0].weight.neg_().mul_(torch.arange(16.0))
    twin(torch.randn(2, 16))
    before = applied.mask("0", Stage.FORWARD).clone()
    assert torch.equal(applied.mask("0", Stage.FORWARD), before)


def test_refresh_sees_weights_that_were_written_behind_torchs_back():
    model = network()
    applied = applied_to(model)
    values = torch.randn(4, 16)
    model(values)
    model[0].weight.data.copy_(torch.randn(16, 16))
    applied.refresh()
    fresh = network()
    fresh.load_state_dict(model.state_dict())
    applied_to(fresh)
    assert torch.equal(model(values), fresh(values))


def test_the_state_of_another_ratio_recipe_or_model_is_refused():
    applied = applied_to(network(), "transposable", "4:8")
    with pytest.raises(ConfigError, match="got one of sparsity 2:8, need 4:8"):
        applied.load_state_dict(applied_to(network(), "transposable", "2:8").state_dict())
    with pytest.raises(ConfigError, match="got one of recipe bdwp, need transposable"):
        applied.load_state_dict(applied_to(network(), "bdwp", "4:8").state_dict())
    with pytest.raises(ConfigError, match="got one of other layers"):
        applied.load_state_dict(applied_to(nn.Sequential(nn.Linear(16, 16)), "transposable", "4:8").state_dict())


def test_an_optimizer_of_other_weights_is_refused():
    other = nn.Linear(4, 4)
    with pytest.raises(ConfigError, match="got one that holds none of the pruned weights"):
        applied_to(network()).attach(torch.optim.SGD(other.parameters(), lr=0.1))


def test_only_weights_that_the_optimizer_owns_decay():
    model = network()
    applied = applied_to(model, "sr-ste")
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
    applied.attach(optimizer)
    model(torch.randn(4, 16)).sum().backward()
    untouched = model[2].weight.grad.clone()
    optimizer.step()
    assert torch.equal(model[2].weight.grad, untouched)


def attending():
    return nn.ModuleDict(
        {"attention": nn.MultiheadAttention(16, 2), "lstm": nn.LSTM(16, 16), "head": nn.Linear(16, 16)}
    )


def test_what_torch_multiplies_in_a_function_of_its_own_is_told_and_may_be_named():
    reasons = applied_to(attending()).dense_reasons
    assert reasons["attention:FF"] == reasons["lstm:BP"] == "torch multiplies by its weights in a function"
    named = load_recipe("bdwp").model.model_copy(update={"dense": DenseRule(names=("attention", "lstm"))})
    assert apply(attending(), named, Pattern(2, 8)).layers["head"].patterns
