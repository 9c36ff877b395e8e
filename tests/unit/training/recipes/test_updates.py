"""The decay term: an update is w - lr (g + strength (1 - m) w), by hand, whatever the loop around it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.declared_rules import Decay
from bisparse.training.recipes.in_torch import apply
from torch import nn

EXACTLY = {"rtol": 1e-12, "atol": 1e-14}
STRENGTH, RATE = 0.25, 0.5


def decaying(shipped, name="sr-ste", mask="forward", **fields):
    return shipped(name, decay=Decay(strength=STRENGTH, mask=mask), **fields)


def term(witness, weight, mask="forward", pattern=(2, 4)):
    find = witness.forward_mask if mask == "forward" else witness.backward_mask
    return STRENGTH * ~find(weight[None], *pattern)[0] * weight


def gradient_of(witness, weight, values):
    """Of sum(z^2) / 2 under SR-STE, straight through to the master."""
    z = values @ (weight * witness.forward_mask(weight[None], 2, 4)[0]).T
    return z.T @ values


def loss(output):
    return output.square().sum() / 2


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("accumulated", [1, 3])
@pytest.mark.parametrize("steps", [4])
def test_sgd_takes_the_gradient_and_the_decay_once_an_update(momentum, accumulated, steps, witness, shipped):
    torch.manual_seed(0)
    module = nn.Linear(8, 4, bias=False).double()
    applied = apply(module, decaying(shipped), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE / 100, momentum=momentum)
    applied.attach(optimizer)
    weight = module.weight.detach().numpy().copy()
    velocity = np.zeros_like(weight)
    for _ in range(steps):
        batches = torch.randn(accumulated, 5, 8, dtype=torch.float64)
        optimizer.zero_grad()
        for batch in batches:
            loss(module(batch)).backward()
        optimizer.step()
        total = sum(gradient_of(witness, weight, batch.numpy()) for batch in batches) + term(witness, weight)
        velocity = momentum * velocity + total
        weight = weight - RATE / 100 * velocity
        np.testing.assert_allclose(module.weight.detach(), weight, **EXACTLY)
    assert applied.step == steps


@pytest.mark.parametrize("mask", ["forward", "backward"])
def test_the_decay_follows_the_mask_that_the_recipe_names(mask, witness, shipped):
    module = nn.Linear(8, 8, bias=False).double()
    applied = apply(module, decaying(shipped, "bdwp", mask), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    applied.attach(optimizer)
    before = module.weight.detach().numpy().copy()
    loss(module(torch.zeros(1, 8, dtype=torch.float64))).backward()
    optimizer.step()
    np.testing.assert_allclose(module.weight.detach(), before - RATE * term(witness, before, mask), **EXACTLY)


@pytest.mark.parametrize(("name", "strength"), [("sr-ste", 2e-4), ("bdwp", 2e-4), ("bi-mask", 2e-4)])
def test_the_shipped_strength_is_that_of_sr_ste(name, strength, witness, shipped):
    module = nn.Linear(8, 8, bias=False).double()
    applied = apply(module, shipped(name), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    applied.attach(optimizer)
    before = module.weight.detach().numpy().copy()
    module(torch.zeros(1, 8, dtype=torch.float64)).sum().backward()
    optimizer.step()
    pruned = ~witness.forward_mask(before[None], 2, 4)[0]
    np.testing.assert_allclose(module.weight.detach(), before - strength * pruned * before, **EXACTLY)


@pytest.mark.parametrize("name", ["dense", "sdgp", "sdwp", "transposable", "mdgf-linear", "sdgf-stepwise"])
def test_recipes_without_decay_leave_the_gradient_alone(name, shipped):
    module = nn.Linear(8, 8, bias=False).double()
    applied = apply(module, shipped(name), Pattern(2, 4), steps=1)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    applied.attach(optimizer)
    before = module.weight.detach().clone()
    module(torch.zeros(1, 8, dtype=torch.float64)).sum().backward()
    optimizer.step()
    assert torch.equal(module.weight, before)


class Tied(nn.Module):
    """Two layers with one weight, the second of which may have a ratio of its own."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.second.weight = self.first.weight

    def forward(self, values):
        return self.second(self.first(values))


def test_a_shared_weight_decays_once(witness, shipped):
    module = Tied().double()
    applied = apply(module, decaying(shipped), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    applied.attach(optimizer)
    weight = module.first.weight.detach().numpy().copy()
    values = torch.randn(3, 8, dtype=torch.float64)
    loss(module(values)).backward()
    optimizer.step()
    masked = weight * witness.forward_mask(weight[None], 2, 4)[0]
    hidden = values.numpy() @ masked.T
    dz = hidden @ masked.T
    gradient = dz.T @ hidden + (dz @ masked).T @ values.numpy()
    np.testing.assert_allclose(
        module.first.weight.detach(), weight - RATE * (gradient + term(witness, weight)), **EXACTLY
    )
    assert module.first.weight is module.second.weight


def test_a_layer_that_a_step_does_not_use_does_not_decay(shipped):
    module = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
    applied = apply(module, decaying(shipped), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    applied.attach(optimizer)
    before = module[1].weight.detach().clone()
    module[0](torch.randn(2, 8)).sum().backward()
    optimizer.step()
    assert torch.equal(module[1].weight, before)


def test_masks_are_those_of_the_weights_after_each_update(witness, shipped):
    module = nn.Linear(8, 8, bias=False).double()
    applied = apply(module, decaying(shipped, "bdwp"), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.3)
    applied.attach(optimizer)
    masks = set()
    for _ in range(5):
        optimizer.zero_grad()
        loss(module(torch.randn(4, 8, dtype=torch.float64))).backward()
        optimizer.step()
        weight = module.weight.detach().numpy()
        expected = weight * witness.forward_mask(weight[None], 2, 4)[0]
        np.testing.assert_allclose(module(torch.eye(8, dtype=torch.float64)).detach().T, expected, **EXACTLY)
        masks.add((expected != 0).tobytes())
    assert len(masks) > 1, "or nothing was shown"


@pytest.mark.parametrize("replace", ["load_state_dict", "in place", "data", "functional_call"])
def test_weights_changed_between_updates_get_their_own_masks(replace, witness, shipped):
    module = nn.Linear(8, 8, bias=False).double()
    apply(module, shipped("sr-ste"), Pattern(2, 4))
    eye, memory = torch.eye(8, dtype=torch.float64), np.empty((8, 8))
    for number in range(4):
        if replace != "functional_call":
            module(eye)
        fresh = torch.randn(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(number))
        expected = fresh.numpy() * witness.forward_mask(fresh.numpy()[None], 2, 4)[0]
        if replace == "load_state_dict":
            module.load_state_dict({"weight": fresh})
        elif replace == "in place":
            with torch.no_grad():
                module.weight.copy_(fresh)
        elif replace == "data":
            module.weight.data = fresh
        if replace == "functional_call":
            # A new tensor at the address of the last one, as temporaries may be.
            memory[:] = fresh.numpy()
            output = torch.func.functional_call(module, {"weight": torch.from_numpy(memory)}, (eye,))
        else:
            output = module(eye)
        np.testing.assert_array_equal(output.detach().T, expected)


def test_loss_scaling_does_not_scale_the_decay_and_a_skipped_update_is_no_step(witness, shipped):
    torch.manual_seed(0)
    module = nn.Linear(8, 4, bias=False)
    applied = apply(module, decaying(shipped), Pattern(2, 4), precision="fp16")
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    applied.attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before = module.weight.detach().numpy().copy()
    values = torch.zeros(2, 8)
    values[:, 0] = 1
    scaler.scale(module(values).sum()).backward()
    assert not module.weight.grad.isfinite().all(), "a gradient that FP16 cannot hold"
    scaler.step(optimizer)
    scaler.update()
    assert applied.step == 0
    assert np.array_equal(module.weight.detach(), before)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**6)
    optimizer.zero_grad()
    scaler.scale(module(values).sum()).backward()
    scaler.step(optimizer)
    gradient = np.zeros_like(before)
    gradient[:, 0] = 2
    expected = before - RATE * (gradient + term(witness, before))
    np.testing.assert_allclose(module.weight.detach(), expected, rtol=1e-6, atol=1e-7)
    assert applied.step == 1


def test_a_closure_would_wash_the_decay_away_and_is_refused(shipped):
    module = nn.Linear(8, 8)
    applied = apply(module, shipped("sr-ste"), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    applied.attach(optimizer)
    need = r"optimizer.step: got a closure, need gradients that are there already: .*; try calling backward before"
    for call in (lambda: optimizer.step(lambda: 0.0), lambda: optimizer.step(closure=lambda: 0.0)):
        with pytest.raises(ConfigError, match=need):
            call()
    optimizer.step(None)
    assert applied.step == 1


def test_a_recipe_is_attached_once_and_not_after_it_was_removed(shipped):
    module = nn.Linear(8, 8)
    applied = apply(module, shipped("sr-ste"), Pattern(2, 4))
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    applied.attach(optimizer)
    with pytest.raises(ConfigError, match="attach: got a second optimizer"):
        applied.attach(optimizer)
    applied.remove()
    with pytest.raises(ConfigError, match="attach: got a recipe that was removed"):
        applied.attach(optimizer)
    module(torch.randn(2, 8)).sum().backward()
    optimizer.step()
    assert applied.step == 0, "its hooks are gone"
