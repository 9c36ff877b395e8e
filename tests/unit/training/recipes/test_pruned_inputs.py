"""Inputs that are pruned as they stream in: what FF and WU multiply, against its definition in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.declared_rules import DenseRule
from bisparse.training.recipes.in_torch import apply
from torch import nn

LAYERS = {
    "linear": (lambda: nn.Linear(8, 12), (6, 8)),
    "tokens": (lambda: nn.Linear(8, 12, bias=False), (2, 5, 8)),
    "one sample": (lambda: nn.Linear(8, 12), (8,)),
    "convolution": (lambda: nn.Conv2d(8, 12, 3, padding=1), (2, 8, 3, 3)),
    "grouped": (lambda: nn.Conv2d(8, 16, 2, groups=2, stride=2), (3, 8, 5, 4)),
    "circular": (lambda: nn.Conv1d(4, 8, 3, padding=2, padding_mode="circular"), (2, 4, 6)),
    "transposed": (lambda: nn.ConvTranspose2d(8, 8, 2, stride=2), (2, 8, 3, 3)),
}


def along_positions(witness, values, *, linear):
    """The largest of every 4 samples and positions of each channel, in the order in which they lie."""
    rows = values if linear else np.moveaxis(values, 1, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    kept = (flat * witness.top_n(abs(flat), 2, 4, 0)).reshape(rows.shape)
    return kept if linear else np.moveaxis(kept, -1, 1)


@pytest.mark.parametrize("layer", LAYERS)
def test_forward_multiplies_the_largest_along_channels_and_the_weight_gradient_those_along_positions(
    layer, witness, shipped
):
    torch.manual_seed(0)
    make, shape = LAYERS[layer]
    module, twin = make().double(), make().double()
    twin.load_state_dict(module.state_dict())
    applied = apply(module, shipped("sparse-activations"), Pattern(2, 4))
    values = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    output = module(values)
    gradient = torch.randn_like(output)
    output.backward(gradient)

    linear, plain = isinstance(module, nn.Linear), values.detach().numpy()
    groups = getattr(module, "groups", 1)
    along_channels = witness.pruned_gradient(plain, 2, 4, groups, linear=linear)
    with torch.no_grad():
        torch.testing.assert_close(output.detach(), twin(torch.tensor(along_channels)))

    again = values.detach().clone().requires_grad_()
    twin(again).backward(gradient)
    torch.testing.assert_close(values.grad, again.grad, msg="of BP nothing is pruned")
    assert torch.equal(module.weight, twin.weight), "nor of the weights"
    twin.zero_grad()
    patched = isinstance(module, nn.Conv1d | nn.Conv2d)
    taken = plain if patched else along_positions(witness, plain, linear=linear)
    twin(torch.tensor(taken)).backward(gradient)
    torch.testing.assert_close(module.weight.grad, twin.weight.grad)
    told = "a convolution's input is read in patches, which have no groups along positions"
    assert applied.dense_reasons == ({":WU": told} if patched else {})


def test_the_layers_of_a_network_that_are_named_alone_are_pruned(shipped):
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    recipe = shipped("sparse-activations").model_copy(update={"dense": DenseRule(all_but=("2",))})
    applied = apply(network, recipe, Pattern(2, 4))
    assert not applied.layers["0"].patterns
    assert applied.dense_reasons["0:FF"] == "not among those that alone the recipe prunes"
    hidden = network[1](network[0](torch.randn(5, 8))).detach()
    assert not torch.allclose(network[2](hidden), nn.functional.linear(hidden, network[2].weight, network[2].bias))
    applied.remove()
    torch.testing.assert_close(
        network[2](hidden), nn.functional.linear(hidden, network[2].weight, network[2].bias), msg="a plain layer again"
    )
