"""S-STE: its weights and gradients against their definition in numpy; no jumps; a scale that stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.recipes.in_torch import apply
from torch import nn

LAYERS = {
    "linear": (lambda: nn.Linear(8, 12), (6, 8), 1, False),
    "tokens": (lambda: nn.Linear(16, 8, bias=False), (2, 5, 16), 1, False),
    "grouped": (lambda: nn.Conv2d(8, 16, 2, groups=2, stride=2), (3, 8, 5, 4), 2, False),
    "transposed": (lambda: nn.ConvTranspose2d(8, 4, 2), (2, 8, 3, 3), 1, True),
}


@pytest.mark.parametrize("pattern", [Pattern(2, 4), Pattern(1, 4), Pattern(1, 2)], ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_both_passes_multiply_by_the_soft_weight_and_the_weight_gradient_is_of_a_drawn_one(
    layer, pattern, witness, shipped
):
    torch.manual_seed(0)
    make, shape, groups, transposed = LAYERS[layer]
    module, twin = make().double(), make().double()
    twin.load_state_dict(module.state_dict())
    apply(module, shipped("s-ste"), pattern, seed=5)
    values = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    output = module(values)
    gradient = torch.randn_like(output)
    output.backward(gradient)

    master = witness.canonical(twin.weight.detach().numpy(), groups, transposed)
    soft = witness.soft_weight(master, pattern.kept, pattern.group)
    with torch.no_grad():
        twin.weight.copy_(torch.tensor(witness.stored(soft, transposed)))
    again = values.detach().clone().requires_grad_()
    torch.testing.assert_close(output, twin(again))
    twin(again).backward(gradient)
    torch.testing.assert_close(values.grad, again.grad)
    twin.zero_grad()
    if transposed:
        moving = gradient
    else:
        linear = isinstance(module, nn.Linear)
        rows = gradient if linear else gradient.movedim(1, -1)
        flat = rows.reshape(-1, rows.shape[-1]).numpy()
        draw = torch.Generator().manual_seed(5)
        draws = torch.rand((flat.shape[1], -(-len(flat) // pattern.group)), generator=draw).double().numpy()
        drawn = torch.tensor(witness.unbiased(flat, pattern.kept, pattern.group, 0, draws)).reshape(rows.shape)
        moving = drawn if linear else drawn.movedim(-1, 1)
    twin(values.detach()).backward(moving)
    torch.testing.assert_close(module.weight.grad, twin.weight.grad)


def test_a_short_last_group_of_up_to_n_is_as_it_was(witness, shipped):
    module = nn.Linear(6, 4, bias=False).double()
    applied = apply(module, shipped("s-ste", indivisible=False), Pattern(2, 4))
    expected = witness.soft_weight(module.weight.detach().numpy()[None], 2, 4)[0]
    np.testing.assert_allclose(applied.weight("", Stage.FORWARD).numpy(), expected, rtol=1e-12)
    scaled = applied.weight("", Stage.FORWARD)[:, 4:] / module.weight[:, 4:].detach()
    assert torch.allclose(scaled, scaled[0, 0].expand_as(scaled)), "scaled, not shrunk"


def test_weights_change_places_without_a_jump(shipped):
    """Two weights that pass each other move what is multiplied by no more than they move; a hard mask jumps."""

    def multiplied(name, a, b):
        module = nn.Linear(4, 1, bias=False).double()
        with torch.no_grad():
            module.weight.copy_(torch.tensor([[3.0, a, b, 0.5]]))
        applied = apply(module, shipped(name), Pattern(2, 4))
        if name == "s-ste":
            state = applied.state_dict()
            state["layers"][""]["scale"] = 1.0
            applied.load_state_dict(state)
        return applied.weight("", Stage.FORWARD)

    for name, jumps in (("s-ste", False), ("sr-ste", True)):
        moved = (multiplied(name, 1.0, 1.001) - multiplied(name, 1.0, 0.999)).abs().max()
        assert bool(moved > 0.003) is jumps


def test_the_scale_is_found_once_and_goes_on_with_the_state(shipped):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    applied = apply(model, shipped("s-ste"), Pattern(2, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    applied.attach(optimizer)

    def scales(recipe):
        return [layer["scale"] for layer in recipe.state_dict()["layers"].values()]

    assert scales(applied) == [None, None]
    model(torch.randn(4, 8)).square().sum().backward()
    first = scales(applied)
    optimizer.step()
    model(torch.randn(4, 8))
    assert scales(applied) == first
    assert len(set(first)) == 2, "each weight has its own"
    other = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    other.load_state_dict(model.state_dict())
    again = apply(other, shipped("s-ste"), Pattern(2, 4))
    again.load_state_dict(applied.state_dict())
    assert torch.equal(again.weight("1", Stage.FORWARD), applied.weight("1", Stage.FORWARD))
    applied.remove()
    assert (model[0].weight.reshape(8, 2, 4) != 0).sum(-1).max() <= 2
