"""Masks that are learned by scores of low rank (PST), against their definition in plain numpy."""

import copy
import itertools

import numpy
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import Recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.rewrites.in_torch import rewrite_captured
from torch import nn

from .conftest import captured
from .test_adapters_in_torch import as_numpy, network, under

pytestmark = pytest.mark.usefixtures("one_thread")

SAYS = {
    "forward": {"operand": "weight"},
    "backward": {"operand": "weight"},
    "mask_search": {"method": "given"},
    "dense": {"names": ["0", "4"]},
}
SCORES = {"kind": "learned-scores", "rank": 3, "score_rank": 2, "layers": ["2"]}


def parts_of(layer):
    names = ("update_b", "update_a", "score_b", "score_a", "score_rows", "score_columns")
    return [as_numpy(layer.get_submodule(name).weight) for name in names]


def mask_of(layer, kept):
    """The largest scores, in numpy."""
    u, v, a, b, rows, columns = parts_of(layer)
    whole = as_numpy(layer.weight) + u @ v
    scores = numpy.abs(whole) + a @ b + rows + columns
    return whole, scores >= numpy.sort(scores.flatten())[-round(kept * scores.size)]


def test_masks_follow_the_scores_and_both_learn_as_their_definition_has_it():
    model, applied = under(SCORES, **SAYS)
    layer, base = model[2], as_numpy(model[2].weight)
    for name in ("update_b", "score_b", "score_rows", "score_columns"):
        nn.init.normal_(layer.get_submodule(name).weight, std=0.3)
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.05)
    applied.attach(optimizer)
    masks = []
    for _ in range(4):
        optimizer.zero_grad()
        x, above = torch.randn(5, 12, dtype=torch.float64, requires_grad=True), torch.randn(5, 6, dtype=torch.float64)
        whole, mask = mask_of(layer, 0.25)
        u, v, a, b, _, _ = parts_of(layer)
        made = layer(x)
        numpy.testing.assert_allclose(as_numpy(made), as_numpy(x) @ (mask * whole).T + as_numpy(layer.bias))
        made.backward(above)
        gradient = above.numpy().T @ as_numpy(x)
        kept, scored = mask * gradient, whole * gradient
        names = ("update_b", "update_a", "score_b", "score_a")
        found = [as_numpy(layer.get_submodule(name).weight.grad) for name in names]
        for each, wanted in zip(found, (kept @ v.T, u.T @ kept, scored @ b.T, a.T @ scored), strict=True):
            numpy.testing.assert_allclose(each, wanted)
        numpy.testing.assert_allclose(as_numpy(layer.score_rows.weight.grad), scored.sum(1, keepdims=True))
        numpy.testing.assert_allclose(as_numpy(layer.score_columns.weight.grad), scored.sum(0))
        numpy.testing.assert_allclose(as_numpy(x.grad), above.numpy() @ (mask * whole))
        assert (as_numpy(applied.mask("2", Stage.FORWARD)) == mask).all()
        masks.append(mask)
        optimizer.step()
    assert any((first != second).any() for first, second in itertools.pairwise(masks)), "none ever moved"
    assert (as_numpy(layer.weight) == base).all(), "the base is frozen"
    whole, mask = mask_of(layer, 0.25)
    x = torch.randn(5, 12, dtype=torch.float64)
    twin = copy.deepcopy(model)
    torch.testing.assert_close(twin[2](x), layer(x))
    expected = as_numpy(layer(x))
    applied.remove()
    assert list(model.state_dict()) == list(network().state_dict())
    numpy.testing.assert_allclose(as_numpy(model[2].weight), mask * whole)
    numpy.testing.assert_allclose(as_numpy(model[2](x)), expected)


def test_one_mask_serves_both_passes():
    says = {"name": "mine", "title": "Mine", "source": "a test", "rewrites": [SCORES], **SAYS}
    recipe, model = Recipe.model_validate(says), network()
    rewrite_captured(model, recipe.rewrites, lambda: captured(lambda: model, (8,)))
    with pytest.raises(ConfigError, match=r"sparsity: got 2:4 in 2, need a share of zeros"):
        apply(model, recipe, parse_format("2:4"))
    with pytest.raises(ConfigError, match=r"precision: got bf16, need fp32: the mask of 2 is learned"):
        apply(model.float(), recipe, parse_format("75%"), precision="bf16")
