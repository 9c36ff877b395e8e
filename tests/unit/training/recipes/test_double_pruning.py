"""SLoPe: masks that stay, the backward one within the forward one; gradients of kept weights alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.recipes.in_torch import apply
from torch import nn

FF, BP = Stage.FORWARD, Stage.BACKWARD

LAYERS = {
    "linear": (lambda: nn.Linear(8, 12), (6, 8), 1, False),
    "tokens": (lambda: nn.Linear(16, 8, bias=False), (2, 5, 16), 1, False),
    "grouped": (lambda: nn.Conv2d(8, 16, 2, groups=2, stride=2), (3, 8, 5, 4), 2, False),
    "transposed": (lambda: nn.ConvTranspose2d(8, 4, 2), (2, 8, 3, 3), 1, True),
}


@pytest.mark.parametrize("pattern", [Pattern(2, 4), Pattern(1, 4)], ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_the_three_passes_of_slope(layer, pattern, witness, shipped):
    torch.manual_seed(0)
    make, shape, groups, transposed = LAYERS[layer]
    module, forward, backward = (make().double() for _ in range(3))
    for twin in (forward, backward):
        twin.load_state_dict(module.state_dict())
    applied = apply(module, shipped("slope"), pattern)
    values = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    output = module(values)
    gradient = torch.randn_like(output)
    output.backward(gradient)

    master = witness.canonical(module.weight.detach().numpy(), groups, transposed)
    rows = witness.forward_mask(master, pattern.kept, pattern.group)
    both = witness.backward_mask(master * rows, pattern.kept, pattern.group) & rows
    masks = [torch.tensor(witness.stored(each, transposed)) for each in (rows, both)]
    assert torch.equal(applied.mask("", FF), masks[0])
    assert torch.equal(applied.mask("", BP), masks[1])
    for twin, mask in zip((forward, backward), masks, strict=True):
        with torch.no_grad():
            twin.weight.mul_(mask)
    torch.testing.assert_close(output, forward(values))
    again = values.detach().clone().requires_grad_()
    backward(again).backward(gradient)
    torch.testing.assert_close(values.grad, again.grad)
    # Of all weights, as the array writes it: what is pruned is set to zero with the update.
    torch.testing.assert_close(module.weight.grad, backward.weight.grad)
    counted = np.moveaxis(both, 1, -1).reshape(-1, pattern.group).sum(-1)
    assert counted.max() <= pattern.kept


def test_masks_stay_and_pruned_weights_are_zero(shipped):
    torch.manual_seed(0)
    module = nn.Linear(16, 8)
    applied = apply(module, shipped("slope"), Pattern(2, 4))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.3)
    applied.attach(optimizer)
    first = module.weight.detach().clone()
    masks = {stage: applied.mask("", stage).clone() for stage in (FF, BP)}
    for _ in range(4):
        optimizer.zero_grad()
        module(torch.randn(10, 16)).square().sum().backward()
        optimizer.step()
    assert all(torch.equal(applied.mask("", stage), mask) for stage, mask in masks.items())
    assert not module.weight[~masks[FF]].any()
    assert not (module.weight[masks[FF]] == first[masks[FF]]).any()
    assert not optimizer.state[module.weight]["exp_avg_sq"][~masks[FF]].any(), "nothing to keep of them"
