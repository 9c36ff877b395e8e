"""A recipe in a user's own loop: averages of weights, states of other models, optimizers of other weights."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.declared_rules import DenseRule, LayerRule
from bisparse.training.recipes.in_torch import FrozenVarianceAdam, apply
from torch import nn

import bisparse


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
    applied.attach(torch.optim.SGD(model.parameters(), lr=0.1))
    values = torch.randn(4, 16)
    model(values)
    before = applied.mask("0", Stage.FORWARD)
    average = copy.deepcopy(model)
    # Averages are often written through .data, which moves none of torch's counters.
    for own in average.parameters():
        own.data.copy_(torch.randn(own.shape))
    assert torch.equal(average(values), under_the_same(average)(values))
    for own in average.parameters():
        own.data.copy_(torch.randn(own.shape))
    assert torch.equal(average(values), under_the_same(average)(values)), "after a forward pass, too"
    assert applied.mask("0", Stage.FORWARD) is before


def under_the_same(model):
    """A fresh network with its weights, under the same recipe."""
    fresh = network()
    fresh.load_state_dict(model.state_dict())
    applied_to(fresh)
    return fresh


def test_a_copy_draws_nothing_from_the_models_generator():
    model = network()
    applied = applied_to(model, "bi-mask")
    before = applied.state_dict()["generator"]
    copy.deepcopy(model)(torch.randn(4, 16))
    assert torch.equal(applied.state_dict()["generator"], before)
    model(torch.randn(4, 16))
    assert not torch.equal(applied.state_dict()["generator"], before), "the model itself does"


class Trainer:
    """What holds a model and its recipe; with either first."""

    def __init__(self, *, model_first, recipe="sdgf-stepwise"):
        model = nn.TransformerEncoderLayer(16, 2, 16, dropout=0.0)
        applied = applied_to(model, recipe, steps=10)
        self.parts = {"model": model} if model_first else {}
        self.parts |= {"applied": applied, "model": model}

    @property
    def model(self):
        return self.parts["model"]

    @property
    def applied(self):
        return self.parts["applied"]

    def train(self, steps):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.applied.attach(optimizer)
        for _ in range(steps):
            optimizer.zero_grad()
            self.model(torch.ones(2, 3, 16)).sum().backward()
            optimizer.step()


def pickled(given):
    file = io.BytesIO()
    torch.save(given, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=False)


@pytest.mark.parametrize("model_first", [False, True])
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_a_recipe_that_is_copied_with_its_model_goes_its_own_way(copied, model_first):
    trainer = Trainer(model_first=model_first)
    trainer.train(2)
    twin = copied(trainer)
    twin.train(6)
    assert (trainer.applied.step, twin.applied.step) == (2, 8)
    assert twin.model.linear1.__dict__["_bisparse_layer"] is twin.applied.layers["linear1"]
    resumed = Trainer(model_first=True)
    resumed.model.load_state_dict(twin.model.state_dict())
    resumed.applied.load_state_dict(twin.applied.state_dict())
    values = torch.randn(2, 3, 16)
    assert torch.equal(twin.model(values), resumed.model(values))
    twin.applied.remove()
    assert type(twin.model.linear1) is nn.Linear
    assert twin.model.activation_relu_or_gelu == 1
    assert trainer.model.activation_relu_or_gelu == 0, "the original's shortcut stays closed"


def test_a_step_run_that_is_copied_takes_along_what_it_watched():
    trainer = Trainer(model_first=True, recipe="step")
    optimizer = FrozenVarianceAdam(trainer.model.parameters(), lr=1e-3)
    trainer.applied.attach(optimizer)
    trainer.model(torch.ones(2, 3, 16)).sum().backward()
    optimizer.step()
    watched = trainer.applied.state_dict()["watch"]
    assert len(watched["changes"]) == 1
    assert copy.deepcopy(trainer).applied.state_dict()["watch"] == watched


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_model_multiplies_by_the_same_weights(protocol):
    model = nn.Sequential(nn.Conv2d(16, 16, 3), nn.Conv2d(16, 16, 1), nn.Flatten(), nn.Linear(16, 16))
    applied_to(model, "bi-mask")
    values = torch.randn(2, 16, 3, 3)
    expected = model(values)
    loaded = pickle.loads(pickle.dumps(model, protocol))
    assert torch.equal(loaded(values), expected)
    assert isinstance(loaded[1], nn.Conv2d)


def test_a_layer_without_an_optimizer_sees_weights_that_were_written_behind_torchs_back():
    model = network()
    applied = applied_to(model)
    values = torch.randn(4, 16)
    model(values)
    model[0].weight.data.copy_(torch.randn(16, 16))
    assert torch.equal(model(values), under_the_same(model)(values))
    model[0].weight.data.copy_(torch.randn(16, 16))
    fresh = under_the_same(model)
    assert torch.equal(
        applied.weight("0", Stage.FORWARD), fresh[0].__dict__["_bisparse_layer"].weight(fresh[0].weight, Stage.FORWARD)
    )


@pytest.mark.parametrize("recipe", ["bdwp", "transposable"])
def test_refresh_sees_weights_that_were_written_behind_torchs_back(recipe):
    model = network()
    applied = applied_to(model, recipe)
    applied.attach(torch.optim.SGD(model.parameters(), lr=0.1))
    values = torch.randn(4, 16)
    model(values)
    model[0].weight.data.copy_(torch.randn(16, 16))
    applied.refresh()
    fresh = network()
    fresh.load_state_dict(model.state_dict())
    applied_to(fresh, recipe)
    assert torch.equal(model(values), fresh(values))


def test_the_state_of_another_ratio_recipe_or_model_is_refused():
    applied = applied_to(network(), "transposable", "4:8")
    before = applied.state_dict()
    with pytest.raises(ConfigError, match=r"^state: got sparsity 2:8, need 4:8; try apply with what was saved"):
        applied.load_state_dict(applied_to(network(), "transposable", "2:8").state_dict())
    with pytest.raises(ConfigError, match=r"^state: got recipe bdwp, need transposable; try"):
        applied.load_state_dict(applied_to(network(), "bdwp", "4:8").state_dict())
    with pytest.raises(ConfigError, match=r"^state: 2: got no such layer, need {'FF': '4:8', 'BP': '4:8'}; try"):
        applied.load_state_dict(applied_to(nn.Sequential(nn.Linear(16, 16)), "transposable", "4:8").state_dict())
    more = nn.Sequential(*network(), nn.Linear(16, 16))
    with pytest.raises(ConfigError, match=r"^state: 3: got {'FF': '4:8', 'BP': '4:8'}, need no such layer; try"):
        applied.load_state_dict(applied_to(more, "transposable", "4:8").state_dict())
    for other in ({}, {"clock": before["clock"]}, None):
        with pytest.raises(ConfigError, match=r"^state: got something else, need what"):
            applied.load_state_dict(other)
    assert applied.state_dict() | {"generator": 0} == before | {"generator": 0}, "untouched"


def test_the_state_of_layers_with_other_ratios_is_refused():
    plain = load_recipe("bdwp").model
    own = plain.model_copy(update={"layers": (LayerRule(names=("2",), sparsity="1:8", stages=("FF",)),)})
    applied = apply(network(), own, Pattern(2, 8))
    with pytest.raises(
        ConfigError, match=r"^state: 2: got {'FF': '2:8', 'BP': '2:8'}, need {'FF': '1:8', 'BP': '2:8'}"
    ):
        applied.load_state_dict(apply(network(), plain, Pattern(2, 8)).state_dict())


def test_an_optimizer_of_other_weights_is_refused():
    other = nn.Linear(4, 4)
    model = network()
    applied = applied_to(model)
    with pytest.raises(
        ConfigError, match=r"^optimizer: got one that holds none of the pruned weights, need the one that"
    ):
        applied.attach(torch.optim.SGD(other.parameters(), lr=0.1))
    applied.attach(torch.optim.SGD(model.parameters(), lr=0.1))


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
    assert reasons["attention:FF"] == "torch multiplies by its weights in a function"
    named = load_recipe("bdwp").model.model_copy(update={"dense": DenseRule(names=("attention", "lstm.*"))})
    assert apply(attending(), named, Pattern(2, 8)).layers["head"].patterns


def test_bilinear_layers_are_told_too():
    applied = applied_to(nn.Sequential(nn.Bilinear(16, 16, 16), nn.Linear(16, 16)))
    assert set(applied.dense_reasons) == {"0:FF", "0:BP"}


def test_a_model_without_a_layer_to_prune_is_refused_and_one_that_rules_keep_dense_is_not():
    with pytest.raises(ConfigError, match=r"^ReLU: got no Linear, Conv or recurrent layer, need one for bdwp to pr"):
        applied_to(nn.ReLU())
    applied_to(nn.ReLU(), "dense")
    assert set(applied_to(nn.Sequential(nn.Linear(15, 15))).dense_reasons) == {"0:FF", "0:BP"}
    assert applied_to(nn.MultiheadAttention(16, 2)).dense_reasons


@pytest.mark.parametrize("recipe", ["bdwp", "step"])
@pytest.mark.parametrize("steps", ["10", 2.5, True, 0, -1])
def test_steps_that_are_no_whole_number_are_refused(steps, recipe):
    model = network()
    with pytest.raises(ConfigError) as wrong:
        applied_to(model, recipe, steps=steps)
    assert str(wrong.value).startswith(f"steps: got {steps!r}, need a whole number, 1 or more; try")
    assert type(model[0]) is nn.Linear, "untouched"


def test_steps_may_be_numpys():
    assert applied_to(network(), "step", steps=np.int64(10)).phase.steps == 10


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_sixteen_bit_operands_need_weights_in_fp32(precision, kind):
    model = network().to(kind)
    with pytest.raises(
        ConfigError, match=rf"^0\.weight: got {kind}, need torch\.float32: the sums of {precision} prod"
    ):
        applied_to(model, precision=precision)
    assert type(model[0]) is nn.Linear, "untouched"
    applied_to(model)
    assert model(torch.randn(2, 16, dtype=kind)).dtype is kind


def test_the_optimizer_that_step_needs_is_at_the_front_door():
    assert bisparse.FrozenVarianceAdam is FrozenVarianceAdam
    assert "FrozenVarianceAdam" in bisparse.__all__
