"""STEP: an AdamW whose second moment freezes, and the watch that says when, against numpy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.in_torch import FrozenVarianceAdam, apply
from bisparse.training.recipes.in_torch.variance_watch import VarianceWatch
from bisparse.training.recipes.schedule import RecipeSchedule, VarianceSwitch
from torch import nn

EXACTLY = {"rtol": 1e-10, "atol": 1e-12}


def stepped(optimizer, parameter, gradient):
    parameter.grad = torch.tensor(gradient)
    optimizer.step()


@pytest.mark.parametrize("freeze_after", [1, 4, 100])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_adamw_until_it_freezes_and_steps_formula_after(freeze_after, decay, witness):
    generator = np.random.default_rng(0)
    start = generator.normal(size=(3, 4))
    parameter = nn.Parameter(torch.tensor(start))
    optimizer = FrozenVarianceAdam([parameter], lr=0.01, betas=(0.8, 0.95), weight_decay=decay)
    expected = witness.AdamW(start, rate=0.01, betas=(0.8, 0.95), decay=decay)
    for step in range(8):
        gradient = generator.normal(size=(3, 4))
        stepped(optimizer, parameter, gradient)
        expected.step(gradient)
        np.testing.assert_allclose(parameter.detach(), expected.weight, **EXACTLY)
        if step + 1 == freeze_after:
            optimizer.freeze()
            expected.freeze()
    assert optimizer.frozen == (freeze_after <= 8)


def test_a_frozen_second_moment_stays_bit_for_bit():
    parameter = nn.Parameter(torch.ones(4))
    optimizer = FrozenVarianceAdam([parameter])
    stepped(optimizer, parameter, np.ones(4, np.float32))
    optimizer.freeze()
    before = optimizer.state[parameter]["exp_avg_sq"].clone()
    stepped(optimizer, parameter, np.full(4, 7, np.float32))
    assert torch.equal(optimizer.state[parameter]["exp_avg_sq"], before)


def test_a_parameter_that_gets_its_first_gradient_after_the_freeze_trains_too():
    early, late = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = FrozenVarianceAdam([early, late], lr=0.1, weight_decay=0.0)
    stepped(optimizer, early, np.ones(1, np.float32))
    optimizer.freeze()
    stepped(optimizer, late, np.full(1, 5, np.float32))
    assert late.item() == pytest.approx(0.9), "as Adam's first step: the rate, in the gradient's direction"


@pytest.mark.parametrize("option", ["maximize", "amsgrad"])
def test_what_adam_was_told_holds_after_the_freeze(option):
    first, then = np.full(1, 4, np.float32), np.full(1, 0.5, np.float32)
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = FrozenVarianceAdam([parameter], lr=0.1, betas=(0.0, 0.5), weight_decay=0.0, **{option: True})
    for gradient in (first, then, then):
        stepped(optimizer, parameter, gradient)
    second = {"maximize": 0.5 * (0.5 * (0.5 * 16) + 0.5 * 0.25) + 0.5 * 0.25, "amsgrad": 0.5 * 16}[option]
    optimizer.freeze()
    before = parameter.item()
    stepped(optimizer, parameter, then)
    rise = 0.1 * 0.5 / np.sqrt(second / (1 - 0.5**3))
    assert parameter.item() - before == pytest.approx(rise if option == "maximize" else -rise)


def test_state_dicts_keep_that_it_is_frozen():
    parameter = nn.Parameter(torch.ones(4))
    optimizer = FrozenVarianceAdam([parameter])
    stepped(optimizer, parameter, np.ones(4, np.float32))
    optimizer.freeze()
    fresh = FrozenVarianceAdam([parameter])
    assert not fresh.frozen
    fresh.load_state_dict(optimizer.state_dict())
    assert fresh.frozen


@pytest.mark.parametrize("made_before", [torch.optim.Adam, torch.optim.AdamW])
def test_hooks_run_once_an_update_whatever_optimizers_the_process_made_before(made_before, shipped):
    """Torch wraps the step of a class once the first of it is made, to run the hooks; ours calls AdamW's."""
    made_before([nn.Parameter(torch.ones(1))])
    module = nn.Linear(8, 8)
    applied = apply(module, shipped("step"), Pattern(2, 4), steps=10)
    optimizer = FrozenVarianceAdam(module.parameters())
    applied.attach(optimizer)
    for step in range(1, 8):
        module(torch.randn(2, 8)).sum().backward()
        optimizer.step()
        assert applied.step == step


# When it switches ----------------------------------------------------------------------------------------------------


class Moments:
    """Stands in for an Adam optimizer whose second moments are told."""

    def __init__(self, *sizes):
        self.parameters = [nn.Parameter(torch.zeros(size)) for size in sizes]
        self.param_groups = [{"params": self.parameters}]
        self.state = {}

    def become(self, *moments):
        for parameter, moment in zip(self.parameters, moments, strict=True):
            if moment is not None:
                self.state[parameter] = {"exp_avg_sq": torch.tensor(moment)}


def followed(watch, moments, *turns):
    for turn in turns:
        watch.before_update(moments)
        moments.become(*turn)
        watch.after_update(moments)


def rule(**fields):
    return VarianceSwitch(**{"earliest_share": 0.0, "latest_share": 1.0} | fields)


def test_the_change_is_the_mean_over_all_weights_of_all_parameters():
    watch, moments = VarianceWatch(rule(), 100, 0.5), Moments(2, 1)
    followed(watch, moments, ([1.0, 3.0], [5.0]), ([1.0, 2.0], [7.0]), ([1.0, 2.0], [7.5]))
    assert watch.state_dict() == {"changes": pytest.approx([1.0, 0.5 / 3])}, "the last 1 / (1 - 0.5) of them"


def test_a_parameter_without_a_gradient_yet_does_not_count():
    watch, moments = VarianceWatch(rule(), 100, 0.5), Moments(2, 1)
    followed(watch, moments, ([1.0, 3.0], None), ([1.0, 4.0], [6.0]))
    assert watch.state_dict() == {"changes": pytest.approx([2.0, 7 / 3])}


def test_the_geometric_mean_is_told_by_the_rule():
    watch, moments = VarianceWatch(rule(average="geometric"), 100, 0.5), Moments(2)
    followed(watch, moments, ([1.0, 4.0],))
    assert watch.state_dict() == {"changes": pytest.approx([2.0])}


def test_it_settles_when_the_mean_over_the_window_falls_below_the_threshold():
    watch, moments = VarianceWatch(rule(change=0.5), 100, 0.75), Moments(1)
    settled = []
    for step, moment in enumerate([4.0, 4.0, 4.0, 4.0, 4.4, 6.0, 6.1], start=1):
        followed(watch, moments, ([moment],))
        settled.append(watch.settled(step))
    # Changes 4, 0, 0, 0, 0.4, 1.6, 0.1; means of four: 1, 0.1, 0.5, 0.525.
    assert settled == [False, False, False, False, True, False, False]


@pytest.mark.parametrize(("earliest", "latest", "steps", "expected"), [
    (0.1, 0.5, 20, 3),  # calm from the second on, but later than the second
    (0.5, 0.8, 20, 11),
    (0.0, 0.1, 20, 2),
    (0.1, 0.1, 30, 3),  # 0.1 x 30 is a little more than 3 in floating point
])  # fmt: skip
def test_never_before_the_earliest_and_always_at_the_latest(earliest, latest, steps, expected):
    watch, moments = VarianceWatch(rule(earliest_share=earliest, latest_share=latest), steps, 0.5), Moments(1)
    for step in range(1, steps + 1):
        followed(watch, moments, ([0.0],))
        if watch.settled(step):
            break
    assert step == expected


def network(shipped, *, steps, betas=(0.9, 0.5), **fields):
    torch.manual_seed(0)
    module = nn.Linear(8, 8).double()
    recipe = shipped("step", schedule=RecipeSchedule(switch=VarianceSwitch(**fields)))
    applied = apply(module, recipe, Pattern(2, 4), steps=steps)
    optimizer = FrozenVarianceAdam(module.parameters(), lr=0.01, betas=betas)
    applied.attach(optimizer)
    return module, applied, optimizer


def test_a_run_is_dense_adam_then_masked_with_the_variance_of_the_switch(shipped, witness):
    module, applied, optimizer = network(shipped, steps=8, earliest_share=0, latest_share=0.5, change=1e-30)
    weight = module.weight.detach().numpy().copy()
    expected = witness.AdamW(weight, rate=0.01, betas=(0.9, 0.5), decay=0.01)
    bias = module.bias.detach().numpy().copy()
    moving = witness.AdamW(bias, rate=0.01, betas=(0.9, 0.5), decay=0.01)
    for step in range(8):
        values = torch.randn(3, 8, dtype=torch.float64)
        optimizer.zero_grad()
        output = module(values)
        (output.square().sum() / 2).backward()
        masked = expected.weight if step < 4 else expected.weight * witness.forward_mask(expected.weight[None], 2, 4)[0]
        z = values.numpy() @ masked.T + moving.weight
        np.testing.assert_allclose(output.detach(), z, **EXACTLY)
        optimizer.step()
        expected.step(z.T @ values.numpy())
        moving.step(z.sum(0))
        if step == 3:
            expected.freeze()
            moving.freeze()
        np.testing.assert_allclose(module.weight.detach(), expected.weight, **EXACTLY)
        assert applied.phase.kind == ("dense" if step < 3 else "sparse")
        assert applied.switch_step == (None if step < 3 else 4)


def test_a_settled_variance_switches_early(shipped):
    module, applied, optimizer = network(shipped, steps=100, earliest_share=0.05, latest_share=0.9, change=1e3)
    for _ in range(10):
        module(torch.randn(3, 8, dtype=torch.float64)).sum().backward()
        optimizer.step()
    assert applied.switch_step == 6, "the first after 5% of the run"


def test_the_watch_may_be_loaded_before_or_after_it_is_attached(shipped):
    _, applied, optimizer = network(shipped, steps=100)
    for _ in range(3):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    state = applied.state_dict()
    assert len(state["watch"]["changes"]) == 2
    module = nn.Linear(8, 8).double()
    fresh = apply(module, applied.recipe, Pattern(2, 4), steps=100)
    fresh.load_state_dict(state)
    fresh.attach(FrozenVarianceAdam(module.parameters(), betas=(0.9, 0.5)))
    assert fresh.state_dict()["watch"] == state["watch"]


def test_another_optimizer_is_refused(shipped):
    module = nn.Linear(8, 8)
    applied = apply(module, shipped("step"), Pattern(2, 4), steps=10)
    with pytest.raises(ConfigError, match="optimizer: got AdamW, need FrozenVarianceAdam: step freezes"):
        applied.attach(torch.optim.AdamW(module.parameters()))
