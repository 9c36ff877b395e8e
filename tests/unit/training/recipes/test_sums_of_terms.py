"""Sums of N:M terms as masks of recipes that keep the N largest: both passes against numpy, and who refuses them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from bisparse.training.loop.agreement import check_agreement
from bisparse.training.recipes.in_torch import apply
from torch import nn

FF, BP = Stage.FORWARD, Stage.BACKWARD

SUMS = {"2:8+1:8": [(2, 8), (1, 8)], "1:4+1:8": [(1, 4), (1, 8)], "1:4+2:8+1:16": [(1, 4), (2, 8), (1, 16)]}


@pytest.mark.parametrize("recipe", ["sr-ste", "sdwp", "bdwp", "static-masks"])
@pytest.mark.parametrize("text", SUMS)
def test_each_pass_multiplies_by_the_terms_along_its_own_channels(text, recipe, witness, shipped):
    torch.manual_seed(0)
    module = nn.Linear(16, 32, bias=False).double()
    applied = apply(module, shipped(recipe), parse_format(text))
    values = torch.randn(5, 16, dtype=torch.float64, requires_grad=True)
    output = module(values)
    gradient = torch.randn_like(output)
    output.backward(gradient)
    master = module.weight.detach().numpy()
    forward = witness.terms_mask(master[None], SUMS[text], witness.IN)[0]
    backward = witness.terms_mask(master[None], SUMS[text], witness.OUT)[0]
    forward_weight = master if recipe == "sdwp" else master * forward
    backward_weight = master * (forward if recipe == "sr-ste" else backward)
    np.testing.assert_allclose(output.detach(), values.detach().numpy() @ forward_weight.T, rtol=1e-12)
    np.testing.assert_allclose(values.grad, gradient.numpy() @ backward_weight, rtol=1e-12)
    np.testing.assert_allclose(module.weight.grad, gradient.numpy().T @ values.detach().numpy(), rtol=1e-12)
    for mask in filter(lambda each: each is not None, (applied.mask("", stage) for stage in (FF, BP))):
        assert mask.double().mean().item() == parse_format(text).density


@pytest.mark.parametrize("text", SUMS)
def test_masks_follow_the_weights_of_recipes_that_make_them_anew(text, witness, shipped):
    module = nn.Linear(16, 16, bias=False)
    applied = apply(module, shipped("bdwp"), parse_format(text))
    for seed in range(3):
        torch.manual_seed(seed)
        with torch.no_grad():
            module.weight.normal_()
        master = module.weight.detach().numpy()[None]
        assert np.array_equal(applied.mask("", FF).numpy(), witness.terms_mask(master, SUMS[text], witness.IN)[0])
        assert np.array_equal(applied.mask("", BP).numpy(), witness.terms_mask(master, SUMS[text], witness.OUT)[0])


@pytest.mark.parametrize("percent", [50, 70, 80])
def test_weights_without_a_rule_are_multiplied_as_terms_that_hold_as_many(percent, witness, shipped):
    """At 50% the sum of 37.5% holds too few: all that is kept is multiplied."""
    torch.manual_seed(0)
    recipe = shipped("tasd", schedule=shipped("static-masks").schedule)
    module = nn.Linear(16, 32, bias=False).double()
    applied = apply(module, recipe, parse_format(f"{percent}%"))
    values = torch.randn(5, 16, dtype=torch.float64, requires_grad=True)
    output = module(values)
    gradient = torch.randn_like(output)
    output.backward(gradient)
    master = module.weight.detach().numpy()
    kept = abs(master) >= np.sort(abs(master), axis=None)[-round(master.size * (100 - percent) / 100)]
    summed = percent > 62
    taken = {
        axis: kept & witness.terms_mask((master * kept)[None], SUMS["2:8+1:8"], axis)[0] if summed else kept
        for axis in (witness.IN, witness.OUT)
    }
    np.testing.assert_allclose(output.detach(), values.detach().numpy() @ (master * taken[witness.IN]).T, rtol=1e-12)
    np.testing.assert_allclose(values.grad, gradient.numpy() @ (master * taken[witness.OUT]), rtol=1e-12)
    np.testing.assert_allclose(module.weight.grad, gradient.numpy().T @ values.detach().numpy(), rtol=1e-12)
    lost = 1 - taken[witness.IN].sum() / kept.sum()
    assert bool(0 < lost < 0.25) is summed, "a few that no term takes"
    assert applied.dense_reasons == {}


@pytest.mark.parametrize("recipe", ["transposable", "bi-mask", "sdgp", "s-ste", "fully-sparse"])
def test_masks_of_another_kind_take_n_of_m_alone(recipe, shipped):
    with pytest.raises(ConfigError, match=r"sparsity: got 2:8\+1:8, need N:M such as 2:8"):
        apply(nn.Linear(16, 16), shipped(recipe), parse_format("2:8+1:8"))


def test_a_run_whose_zeros_are_multiplied_as_a_sum_is_what_is_simulated(shipped):
    """At 90% the sum holds all that is kept, at 50% it would not: then the layer is multiplied as it is."""
    for percent in ("90%", "50%"):
        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        graph = capture(model, (16,), name="net", default_batch=4, source="test")
        applied = apply(model, shipped("tasd"), parse_format(percent), steps=20)
        check_agreement(applied, graph)
