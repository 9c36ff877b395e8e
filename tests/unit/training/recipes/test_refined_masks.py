"""DSnoT's exchanges, against their definition in plain numpy, and on a small GPT that nobody trains."""

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.refined_masks import InputTotals, refined
from bisparse.training.recipes.mask_search import Refinement
from torch import nn

pytestmark = pytest.mark.usefixtures("one_thread")


def by_hand(mask, weight, x, rule):
    """Row by row, cycle by cycle."""
    mean, variance, norm = x.mean(0), x.var(0), np.sqrt((x**2).sum(0))
    kept, errors = mask.copy(), []
    for row, w in enumerate(weight):
        given, free = w * mean, np.ones(len(w), bool)
        error = given[~mask[row]].sum()
        for _ in range(rule.cycles):
            sign = np.sign(error)
            grow = np.flatnonzero(~mask[row] & free & (given / variance**rule.variance_power * sign > 0))
            go = np.flatnonzero(mask[row] & free & (given * sign < 0))
            if abs(error) <= rule.threshold or not len(grow) or not len(go):
                break
            back = grow[np.argmax(given[grow] / variance[grow] ** rule.variance_power * sign)]
            away = go[np.argmin(abs(w[go]) * norm[go])]
            kept[row, back], kept[row, away] = True, False
            free[[back, away]] = False
            error += given[away] - given[back]
        errors.append(error)
    return kept, np.array(errors)


@pytest.mark.parametrize("rule", [Refinement(), Refinement(cycles=3, threshold=0.0), Refinement(variance_power=0.0)])
def test_each_cycle_exchanges_the_pair_that_its_definition_says(rule):
    torch.manual_seed(0)
    weight, x = torch.randn(6, 40, dtype=torch.float64), torch.randn(50, 40, dtype=torch.float64) + 0.5
    mask = torch.zeros(6, 40, dtype=torch.bool)
    mask.scatter_(1, weight.abs().topk(12, 1).indices, value=True)
    first, second = InputTotals.of(x[:20]), InputTotals.of(x[20:])
    after = refined(mask, weight, first + second, rule)
    wanted, errors = by_hand(mask.numpy(), weight.numpy(), x.numpy(), rule)
    np.testing.assert_array_equal(after, wanted)
    assert (after.sum(1) == 12).all()
    assert (after != mask).any()
    before = np.abs((weight.numpy() * x.numpy().mean(0) * ~mask.numpy()).sum(1))
    assert np.abs(errors).mean() < before.mean()


def test_a_network_is_pruned_without_training_and_keeps_its_outputs_mean_better_than_by_wanda_alone():
    recipe, tokens, errors = load_recipe("dsnot").model, torch.randint(0, 24, (8, 16)), {}
    for refines in (False, True):
        torch.manual_seed(0)
        model = Gpt2(vocabulary=24, longest=16, width=32, depth=1, heads=4, dropout=0.0)
        seen, whole = [], model.blocks[0].feed_forward[2].weight.detach().clone()
        # Outputs of so small a network are nearer to zero than the threshold.
        rule = Refinement(threshold=0.0) if refines else None
        search = recipe.mask_search.model_copy(update={"refined": rule})
        own = recipe.model_copy(update={"mask_search": search})
        applied = apply(model, own, parse_format("70% in each row"))
        hook = model.blocks[0].feed_forward[2].register_forward_pre_hook(lambda _, x, seen=seen: seen.append(x[0]))
        model(tokens)
        hook.remove()
        applied.remove()
        pruned = model.blocks[0].feed_forward[2].weight.detach()
        assert ((pruned != 0).sum(1) == 39).all()
        mean = seen[0].detach().flatten(0, 1).mean(0)
        errors[refines] = float(((whole - pruned) @ mean).abs().mean())
    assert errors[True] < 0.5 * errors[False]


def test_masks_with_a_rule_along_rows_are_refused():
    recipe = load_recipe("dsnot").model
    for text in ("2:4", "70% in each column"):
        with pytest.raises(ConfigError, match=r"0: got .*, need a share of zeros for masks that are refined"):
            apply(nn.Sequential(nn.Linear(8, 8)), recipe, parse_format(text))
    with pytest.raises(ConfigError, match="0: got a weight of 4 axes, need a linear layer for masks that are refined"):
        apply(
            nn.Sequential(nn.Conv2d(8, 8, 3)),
            recipe.model_copy(update={"dense": recipe.dense.model_copy(update={"first_convolution": False})}),
            parse_format("70%"),
        )


def test_refined_masks_go_on_where_they_were():
    recipe, made = load_recipe("dsnot").model, []
    for _ in range(2):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 4))
        made.append((model, apply(model, recipe, parse_format("70% in each row"))))
    (model, applied), (_, again) = made
    model(torch.randn(9, 16) + 1)
    assert applied.mask("0", Stage.FORWARD) is not None
    again.load_state_dict(applied.state_dict())
    assert torch.equal(again.mask("0", Stage.FORWARD), applied.mask("0", Stage.FORWARD))
