"""Pruned weights that still count, softly or less and less: against plain numpy, and what finding their masks costs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.phases import phases
from bisparse.training.recipes.run_plan import stretches
from bisparse.training.recipes.schedule import RecipeSchedule
from torch import nn

FF, BP = Stage.FORWARD, Stage.BACKWARD
RATE = 0.1


def pruned_weights(name, **fields):
    recipe = load_recipe(name).model
    search = recipe.mask_search.model_copy(update={"scope": "layer"})
    return recipe.model_copy(update={"schedule": RecipeSchedule(**fields), "mask_search": search})


def layer(outputs=8, inputs=8, seed=2):
    torch.manual_seed(seed)
    return nn.Linear(inputs, outputs, bias=False).double()


def started(module, recipe, sparsity, steps):
    applied = apply(module, recipe, parse_format(sparsity), steps=steps)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    applied.attach(optimizer)
    return applied, optimizer


def batch(step, inputs=8):
    return torch.randn(5, inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(step))


def kept_of(weight, count):
    order = sorted(range(weight.size), key=lambda index: (-abs(weight.ravel()[index]), index))
    mask = np.zeros(weight.size, dtype=bool)
    mask[order[:count]] = True
    return mask.reshape(weight.shape)


def soft(weight, tau, threshold):
    """m, and d(m w)/dw, with the quotient as it is written."""
    one, other = np.exp(weight**2 / tau), np.exp(threshold**2 / tau)
    factor = one / (one + other)
    return factor, factor + weight * factor * (1 - factor) * 2 * weight / tau


def thresholds(weight, sparsity):
    """Midway between the least kept and the most pruned: of the weight, or of each group of four inputs."""
    if sparsity == "75%":
        ordered = np.sort(abs(weight).ravel())
        pruned = round(0.75 * weight.size)
        return (ordered[pruned - 1] + ordered[pruned]) / 2
    ordered = np.sort(abs(weight).reshape(len(weight), -1, 4), axis=-1)
    return np.repeat((ordered[..., 1] + ordered[..., 2]) / 2, 4, axis=-1)


@pytest.mark.parametrize("sparsity", ["75%", "2:4"])
def test_a_soft_mask_multiplies_and_learns_as_pdp_says(sparsity):
    tau, module = 0.02, layer()
    recipe = pruned_weights("pdp", dense_share=0.2, final_share=0.2)
    recipe = recipe.model_copy(update={"pruned_weights": recipe.pruned_weights.model_copy(update={"temperature": tau})})
    applied, optimizer = started(module, recipe, sparsity, 10)
    weight, hard, kinds = module.weight.detach().numpy().copy(), None, []
    for step in range(10):
        kinds.append(applied.phase.kind)
        values = batch(step).requires_grad_()
        factor, slope = np.ones_like(weight), np.ones_like(weight)
        if 2 <= step < 8:
            factor, slope = soft(weight, tau, thresholds(weight, sparsity))
            assert ((factor > 0.5) == applied.mask("", FF).numpy()).all()
        elif step >= 8:
            factor, backward = applied.mask("", FF).numpy().copy(), applied.mask("", BP).numpy()
            hard = factor if step == 8 else hard
            assert np.array_equal(factor, hard), "found once"
            assert hard.sum() == weight.size // (4 if sparsity == "75%" else 2)
        optimizer.zero_grad()
        output = module(values)
        (output.square().sum() / 2).backward()
        counted = factor * weight
        z = values.detach().numpy() @ counted.T
        np.testing.assert_allclose(output.detach(), z, rtol=1e-10)
        np.testing.assert_allclose(
            values.grad, z @ (backward * weight if step >= 8 else counted), rtol=1e-9, atol=1e-12
        )
        gradient = z.T @ values.detach().numpy() * slope
        np.testing.assert_allclose(module.weight.grad, gradient, rtol=1e-9, atol=1e-12)
        optimizer.step()
        weight = weight - RATE * gradient
        np.testing.assert_allclose(module.weight.detach(), weight, rtol=1e-9, atol=1e-12)
        weight = module.weight.detach().numpy().copy()
    assert kinds == ["dense"] * 2 + ["leak"] * 6 + ["sparse"] * 2


def canonical(weight, module):
    """[groups, out, in, kernel...], whatever torch stores first."""
    grouped = weight.reshape(module.groups, weight.shape[0] // module.groups, *weight.shape[1:])
    return grouped.swapaxes(1, 2) if isinstance(module, nn.ConvTranspose2d) else grouped


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize("sparsity", ["75%", "2:4"])
def test_convolutions_have_their_soft_thresholds_in_groups_of_input_channels(kind, sparsity):
    torch.manual_seed(4)
    tau, module = 0.02, kind(8, 16, 3, groups=2, bias=False).double()
    recipe = pruned_weights("pdp", final_share=0.2)
    held = recipe.pruned_weights.model_copy(update={"temperature": tau})
    dense_rule = recipe.dense.model_copy(update={"first_convolution": False})
    recipe = recipe.model_copy(update={"pruned_weights": held, "dense": dense_rule})
    started(module, recipe, sparsity, 10)
    lines = canonical(module.weight.detach().numpy(), module)
    inputs_last = np.moveaxis(lines, 2, -1)
    flat = thresholds(inputs_last.reshape(-1, inputs_last.shape[-1]), sparsity)
    limits = np.moveaxis(
        np.broadcast_to(flat, inputs_last.reshape(-1, inputs_last.shape[-1]).shape).reshape(inputs_last.shape), -1, 2
    )
    factor, slope = soft(lines, tau, limits)
    counted = canonical_back(factor * lines, module)
    values = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    plain = kind(8, 16, 3, groups=2, bias=False).double()
    plain.weight.data = torch.from_numpy(counted.copy())
    for each in (module, plain):
        each(values).square().sum().backward()
    torch.testing.assert_close(module(values), plain(values), rtol=1e-10, atol=1e-12)
    expected = plain.weight.grad.numpy() * canonical_back(slope, module)
    np.testing.assert_allclose(module.weight.grad, expected, rtol=1e-9, atol=1e-12)


def canonical_back(lines, module):
    grouped = lines.swapaxes(1, 2) if isinstance(module, nn.ConvTranspose2d) else lines
    return np.ascontiguousarray(grouped).reshape(tuple(module.weight.shape))


def test_a_soft_mask_s_share_of_zeros_grows_along_the_ramp_and_one_threshold_may_serve_the_network():
    recipe = load_recipe("pdp").model
    ramp = recipe.schedule.ramp.model_copy(update={"updates": 4})
    recipe = recipe.model_copy(update={"schedule": recipe.schedule.model_copy(update={"ramp": ramp})})
    module = nn.Sequential(layer(), layer(seed=3)).double()
    with torch.no_grad():
        module[0].weight.mul_(2.0)
    applied, optimizer = started(module, recipe, "80%", 10)
    for step in range(10):
        masks = [applied.mask(path, FF) for path in ("0", "1")]
        if step:
            zeros = 20 * min((step - 1) // 2 + 1, 4)
            if step < 9:
                both = np.concatenate([each.weight.detach().numpy().ravel() for each in module])
                found = np.concatenate([mask.numpy().ravel() for mask in masks])
                assert np.array_equal(found, kept_of(both, 2 * round((100 - zeros) / 100 * 64)))
            assert sum(int(mask.sum()) for mask in masks) == 2 * round((100 - zeros) / 100 * 64)
        optimizer.zero_grad()
        module(batch(step)).square().mean().backward()
        optimizer.step()
    assert masks[0].sum() > masks[1].sum()


@pytest.mark.parametrize("sparsity", ["75% block 2x2", "75% in each row", "50% of rows"])
def test_a_soft_mask_needs_a_threshold_that_single_weights_meet(sparsity):
    with pytest.raises(ConfigError, match="need N:M or a share of zeros for a soft mask; try 80%"):
        apply(layer(), load_recipe("pdp").model, parse_format(sparsity), steps=10)


def test_unimportant_weights_shrink_in_proportion_and_are_then_gone():
    module = layer()
    applied, optimizer = started(module, load_recipe("iss-p").model, "75%", 8)
    weight, hard = module.weight.detach().numpy().copy(), None
    for step in range(8):
        values = batch(step)
        optimizer.zero_grad()
        output = module(values)
        (output.square().sum() / 2).backward()
        counted = weight if step < 6 else weight * hard
        np.testing.assert_allclose(output.detach(), values.numpy() @ counted.T, rtol=1e-10, atol=1e-13)
        optimizer.step()
        weight = weight - RATE * (values.numpy() @ counted.T).T @ values.numpy()
        if step < 6:
            hard = kept_of(weight, 16)
            weight = np.where(hard, weight, 0.95 * weight) if step < 5 else weight
        np.testing.assert_allclose(module.weight.detach(), weight, rtol=1e-10, atol=1e-13)
        assert np.array_equal(applied.mask("", FF).numpy(), hard)
        weight = module.weight.detach().numpy().copy()
    applied.remove()
    assert np.count_nonzero(module.weight.detach().numpy()) == 16


@pytest.mark.parametrize("name", ["gradual-magnitude", "granet", "iss-p", "journey-matters", "pdp"])
def test_every_phase_keeps_as_many_weights_as_its_simulation_takes(name):
    recipe, pattern, steps = load_recipe(name).model, parse_format("80%"), 40
    recipe = recipe.model_copy(update={"layer_density": "uniform"})
    module = nn.Sequential(layer(), layer(16), layer(8, 16)).double()
    applied, optimizer = started(module, recipe, "80%", steps)
    for stretch in stretches(recipe, pattern, steps):
        for step in range(stretch.first_step, stretch.first_step + stretch.steps):
            masks = [applied.mask(path, FF) for path in ("0", "1", "2")]
            kept = [
                each.weight.numel() if mask is None else int(mask.sum())
                for each, mask in zip(module, masks, strict=True)
            ]
            assert sum(kept) == sum(round(stretch.trains.density * each.weight.numel()) for each in module), step
            optimizer.zero_grad()
            module(batch(step)).square().mean().backward()
            optimizer.step()


# Cost ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iss-p", "pdp"])
def test_while_pruned_weights_count_a_step_is_dense_and_finds_its_masks(name):
    found = stretches(load_recipe(name).model, parse_format("80%"), 1000)
    soft_ones = [each for each in found if each.kind == "leak"]
    assert all(each.recipe is None and each.searches for each in soft_ones)
    assert sum(each.steps for each in soft_ones) == {"iss-p": 750, "pdp": 800}[name]
    assert str(soft_ones[-1].trains) == "80%"
    works = load_recipe(name).model.works_while_pruned_count
    assert [(each.work, each.whole_network) for each in works] == [("sort", name == "pdp"), ("threshold", False)]
    assert set(load_recipe(name).model.left_to_run) == {each.title for each in works}
    assert not any(each.searches for each in found if each.kind != "leak")


@pytest.mark.parametrize("sparsity", ["50%", "80%", "2:8"])
def test_shares_of_the_compute_are_shares_of_the_densities_summed_over_the_steps(sparsity):
    recipe, pattern, steps = load_recipe("journey-matters").model, parse_format(sparsity), 100_000
    spent = {"first": 0.0, "between": 0.0, "last": 0.0}
    for each in stretches(recipe, pattern, steps):
        full = each.kind == "sparse" or each.trains == pattern
        spent["first" if each.kind == "dense" else "last" if full else "between"] += each.steps * each.trains.density
    whole = sum(spent.values())
    assert spent["first"] == pytest.approx(0.25 * whole, rel=1e-3)
    if sparsity != "2:8":
        # The last update of the ramp has the full ratio: a tenth of the steps between.
        last = phases(recipe, pattern, steps)[-1]
        assert last.steps * pattern.density == pytest.approx(0.25 * whole, rel=1e-3)


def test_a_schedule_of_compute_reads_back_as_it_was_written():
    recipe = load_recipe("journey-matters").model
    assert Recipe.model_validate_json(json.dumps(recipe.model_dump(mode="json", by_alias=True))) == recipe
