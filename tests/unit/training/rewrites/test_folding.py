"""What goes is folded into what reads it, as least squares of the rows that make it say."""

import copy

import numpy as np
import pytest
import torch
from bisparse.training.rewrites.in_torch.folding import RIDGE, combinations
from bisparse.training.rewrites.in_torch.narrowed_module import Widths
from bisparse.training.rewrites.keep import Keep
from pydantic import ValidationError
from torch import nn

from .conftest import captured

ENTRY = Keep(kind="keep", neurons=0.5, chosen_by="first", folded=True)


def narrowed(model: nn.Module, shape: tuple[int, ...], entry: Keep) -> nn.Module:
    graph = captured(lambda: model, shape, loss="cross-entropy")
    narrow = copy.deepcopy(model)
    Widths.of(narrow, graph).narrow(narrow, entry)
    return narrow


def by_hand(rows: np.ndarray, kept: int) -> np.ndarray:
    """Ridge regression of the rows that go on those that stay, the normal equations written out; what is above zero."""
    stay, gone = rows[:kept], rows[kept:]
    ridge = RIDGE * (stay**2).sum(1).mean()
    return np.stack([np.linalg.solve(stay @ stay.T + ridge * np.eye(kept), stay @ row) for row in gone]).clip(0)


def test_combinations_are_ridge_regressions_without_what_is_below_zero() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 9))
    stays = torch.arange(7) < 4
    np.testing.assert_allclose(combinations(torch.tensor(rows), stays).numpy(), by_hand(rows, 4), rtol=1e-9)


def test_columns_of_a_linear_layer_take_up_what_goes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    rows = torch.cat([model[0].weight, model[0].bias[:, None]], dim=1).detach().numpy()
    columns = model[2].weight.detach().numpy()
    expected = columns[:, :3] + columns[:, 3:] @ by_hand(rows, 3)
    np.testing.assert_allclose(narrowed(model.float(), (5,), ENTRY)[2].weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_rows_are_as_the_normalisation_behind_them_has_them_and_every_place_of_a_channel_is_folded() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4, 3))
    norm = model[1]
    for each in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        each.data.uniform_(0.5, 2.0)
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()
    shift = norm.bias.detach().numpy() + scale * (model[0].bias.detach().numpy() - norm.running_mean.numpy())
    rows = np.concatenate([scale[:, None] * model[0].weight.detach().numpy().reshape(4, -1), shift[:, None]], axis=1)
    columns = model[4].weight.detach().numpy().reshape(3, 4, 4)
    expected = columns[:, :2] + np.einsum("gk,ngp->nkp", by_hand(rows, 2), columns[:, 2:])
    entry = Keep(kind="keep", channels=0.5, chosen_by="first", folded=True)
    found = narrowed(model, (2, 4, 4), entry)[4].weight.detach().numpy().reshape(3, 2, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_channel_that_is_twice_another_is_lost_without_harm() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 3))
    with torch.no_grad():
        model[0].weight[2:] = 2 * model[0].weight[:2]
    inputs = torch.randn(10, 5)
    with_it, without = (
        narrowed(model, (5,), ENTRY.model_copy(update={"folded": folded}))(inputs) for folded in (True, False)
    )
    off = (with_it - model(inputs)).norm() / model(inputs).norm()
    assert off.item() < 0.02 < ((without - model(inputs)).norm() / model(inputs).norm()).item()


def test_it_is_of_channels_and_neurons_that_are_chosen() -> None:
    with pytest.raises(ValidationError, match="folded: got true, need chosen_by"):
        Keep(kind="keep", channels=0.5, folded=True)
