"""A search among candidates of a layer: what a mixture computes, and which of them stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.training.rewrites.in_torch import settle
from bisparse.training.rewrites.in_torch.layer_parts import Branches
from torch import nn

pytestmark = pytest.mark.usefixtures("one_thread")


def mixture(*, biased):
    """Three candidates of a convolution of one position each, which have learned something."""
    torch.manual_seed(0)
    branches = Branches(nn.Conv2d(5, 4, 1, bias=biased), 3, between="batch-norm", searched=True).double()
    for name, each in [*branches.named_parameters(), *branches.named_buffers()]:
        if each.is_floating_point():
            with torch.no_grad():
                each.copy_(torch.rand_like(each) + (0.5 if "var" in name else 0.0))
    with torch.no_grad():
        branches.mixture.copy_(torch.tensor([0.3, 1.2, -0.5]))
    return nn.Sequential(branches).eval()


def by_hand(branches, number, x):
    """A candidate, normalised by its running statistics, in numpy: x [B, C, P] of P positions."""
    branch, norm = branches.get_submodule(f"branch_{number}"), branches.get_submodule(f"norm_{number}")
    weight, scale, shift, mean, variance = (
        each.detach().numpy()
        for each in (branch.weight[:, :, 0, 0], norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    made = np.einsum("oc,bcp->bop", weight, x)
    return scale[:, None] * (made - mean[:, None]) / np.sqrt(variance + norm.eps)[:, None] + shift[:, None]


@pytest.mark.parametrize("biased", [False, True])
def test_candidates_are_added_up_by_the_softmax_of_what_they_learned_and_the_largest_stays(biased):
    model = mixture(biased=biased)
    branches, x = model[0], np.random.default_rng(0).normal(size=(2, 5, 6))
    bias = branches.bias.detach().numpy() if biased else np.zeros(4)
    shares = np.exp([0.3, 1.2, -0.5]) / np.exp([0.3, 1.2, -0.5]).sum()
    wanted = sum(share * by_hand(branches, at, x) for at, share in enumerate(shares, 1)) + bias[:, None]
    images = torch.from_numpy(x)[..., None]
    assert np.allclose(model(images).detach().numpy()[..., 0], wanted)

    alone = by_hand(branches, 2, x) + bias[:, None]
    moved = settle(model, {})
    found = model(images).detach().numpy()[..., 0]
    if not biased:
        # The shift is the next normalisation's, as it has no bias.
        found, alone = found - found.mean((0, 2), keepdims=True), alone - alone.mean((0, 2), keepdims=True)
    assert type(model[0]) is nn.Conv2d
    assert np.allclose(found, alone)
    assert {id(each.old) for each in moved} == {id(each) for each in branches.parameters()}
    assert {id(each.new) for each in moved if each.new is not None} == {id(each) for each in model.parameters()}


def test_what_stays_is_pruned_as_the_candidate_was():
    model = mixture(biased=False)
    multiplied = model[0].branch_2.weight.detach().clone()
    multiplied[::2] = 0.0
    settle(model, {"0.branch_2": multiplied})
    assert torch.equal(model[0].weight == 0, multiplied == 0)
