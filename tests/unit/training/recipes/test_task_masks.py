"""Masks of tasks that move: what is exchanged, and what is left, against the rule written out in numpy."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.in_torch.apply import apply
from torch import nn

FF = Stage.FORWARD
TWO = [{"name": "one", "share": 0.5, "task": 1}, {"name": "other", "task": 2}]


def recipe(moves, phases=TWO, **fields):
    whole = json.loads(load_recipe("cl-dst").model.model_dump_json(by_alias=True, exclude_defaults=True))
    search = {"method": "given", "start": "random", **({"moves": moves} if moves else {})}
    own = {"name": "tasks", "mask_search": search, "layer_density": "uniform", "schedule": {"phases": phases}}
    return Recipe.model_validate_json(json.dumps(whole | own | fields))


class Started:
    """A linear layer in its first task, and all that moves it."""

    def __init__(self, moves, *, steps=20, sparsity="75%", taken=None, size=(16, 8)):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(size[1], size[0], bias=False))
        self.applied = apply(
            self.model, recipe(moves), parse_format(sparsity), steps=steps, follows_schedule=True, seed=1
        )
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.applied.attach(self.optimizer)
        self.applied.draw(0, {} if taken is None else {"0": taken})

    @property
    def mask(self):
        return self.applied.layers["0"].kept_masks[FF].clone()

    @property
    def weight(self):
        return self.model[0].weight.detach().clone()

    @property
    def momentum(self):
        return self.optimizer.state[self.model[0].weight]["momentum_buffer"].clone()

    def step(self):
        self.optimizer.zero_grad()
        self.model(torch.randn(4, self.model[0].in_features)).square().sum().backward()
        self.optimizer.step()
        return self.model[0].weight.grad.clone()


def exchanged(mask, weight, earlier, growth, share):
    """The rule: of a task's own weights the smallest go, and the largest growth of what no task keeps comes."""
    own = mask & ~earlier
    goes = int(share * own.sum())
    smallest = sorted(map(tuple, np.argwhere(own)), key=lambda at: abs(weight[at]))[:goes]
    free = sorted(map(tuple, np.argwhere(~mask & ~earlier)), key=lambda at: -growth[at])[:goes]
    found = mask.copy()
    for at in smallest:
        found[at] = False
    for at in free:
        found[at] = True
    return found


@pytest.mark.parametrize("taken", [False, True])
def test_a_move_exchanges_the_smallest_own_weights_for_those_of_the_largest_gradient(taken):
    earlier = torch.zeros(16, 8, dtype=torch.bool)
    if taken:
        earlier[::2, ::2] = True
    begun = Started({"every_steps": 4, "exchanged": 0.5, "grow": "gradient"}, taken=earlier)
    first, before = begun.mask, begun.weight
    for _ in range(3):
        begun.step()
    assert torch.equal(begun.mask, first), "no move yet"
    weight, remembered = begun.weight.numpy(), begun.momentum.numpy()
    gradient = begun.step().numpy()
    updated = weight - 0.1 * (0.9 * remembered + gradient)
    wanted = exchanged(first.numpy(), updated, earlier.numpy(), np.abs(gradient), share=0.5)
    assert np.array_equal(begun.mask.numpy(), wanted)
    changed = begun.mask ^ first
    assert changed.any()
    assert (begun.weight[changed] == 0).all(), "what goes is zero, and so is what grows"
    assert (begun.momentum[~begun.mask | earlier] == 0).all()
    assert torch.equal(begun.weight[earlier], before[earlier]), "an earlier task's weights stay"


@pytest.mark.parametrize("sparsity", ["75%", "2:8", "75% in each row", "50% block 2x2"])
def test_masks_that_move_at_random_keep_their_format_and_their_number(sparsity):
    begun = Started({"every_steps": 2, "exchanged": 0.4, "grow": "random"}, sparsity=sparsity)
    first = begun.mask
    for _ in range(6):
        begun.step()
    last = begun.mask
    assert not torch.equal(first, last)
    assert int(first.sum()) == int(last.sum())
    if sparsity == "2:8":
        assert (last.reshape(16, 1, 8).sum(-1) == 2).all()


def test_nothing_moves_at_the_last_update_of_a_task():
    begun = Started({"every_steps": 5, "exchanged": 0.5, "grow": "random"}, steps=20)
    masks = []
    for _ in range(10):
        begun.step()
        masks.append(begun.mask)
    assert not torch.equal(masks[3], masks[4])
    assert torch.equal(masks[8], masks[9])
