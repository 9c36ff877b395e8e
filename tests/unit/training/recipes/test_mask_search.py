"""Masks over a run: found anew when they are due, right in every phase, and their churn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.churn import Churn
from bisparse.training.recipes.mask_search import MaskSearch
from bisparse.training.recipes.schedule import RecipeSchedule
from torch import nn

FF, BP = Stage.FORWARD, Stage.BACKWARD


def run(recipe, steps, *, channels=(16, 16), skipped=(), total=None, seed=0):
    """Weights change entirely each step; yields what hangs on the layer before each update."""
    module = nn.Linear(*channels, bias=False)
    applied = apply(module, recipe, Pattern(2, 4), steps=total, seed=seed)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.0)
    applied.attach(optimizer)
    generator = torch.Generator().manual_seed(3)
    for step in range(steps):
        with torch.no_grad():
            module.weight.copy_(torch.randn(module.weight.shape, generator=generator))
        if step not in skipped:
            module(torch.randn(2, channels[0])).sum().backward()
            yield step, module.weight.detach().numpy().copy(), applied
        optimizer.step()


def as_numpy(applied, stage):
    return applied.mask("", stage).numpy().copy()


def test_transposable_masks_are_found_anew_every_forty_updates(witness, shipped):
    found = None
    for step, weight, applied in run(shipped("transposable"), 83):
        if step % 40 == 0:
            found = witness.transposable_mask(weight[None], 2, 4)[0]
        assert np.array_equal(as_numpy(applied, FF), found), step
        assert np.array_equal(as_numpy(applied, BP), found), step


def test_bi_masks_keep_their_order_for_a_hundred_updates_and_then_draw_ten_more(witness, shipped):
    drawn = torch.Generator().manual_seed(0)
    order = None
    for step, weight, applied in run(shipped("bi-mask"), 203):
        forward = witness.forward_mask(weight[None], 2, 4)
        if step % 100 == 0:
            tried = [torch.randperm(16, generator=drawn).numpy() for _ in range(10)]
            kept = [witness.permuted_mask(weight[None], 2, 4, forward, each).sum() for each in tried]
            order = tried[int(np.argmax(kept))]
        if step % 10 == 0:
            assert np.array_equal(as_numpy(applied, FF), forward[0])
            assert np.array_equal(as_numpy(applied, BP), witness.permuted_mask(weight[None], 2, 4, forward, order)[0])
        state = applied.state_dict()["layers"][""]
        assert np.array_equal(state["order"].numpy(), order), step


def test_looking_at_masks_and_evaluating_twice_draws_no_order_again(shipped):
    for _, _, applied in run(shipped("bi-mask"), 1):
        generator = applied.state_dict()["generator"]
        applied.mask("", BP)
        with torch.no_grad():
            applied._modules[""].weight.add_(1.0)
        applied.mask("", BP)
        assert torch.equal(applied.state_dict()["generator"], generator)


def test_a_layer_that_sits_out_the_step_of_a_search_searches_at_its_next(witness, shipped):
    recipe = shipped("transposable", mask_search=MaskSearch(method="transposable", every_steps=5))
    searched = None
    for step, weight, applied in run(recipe, 12, skipped=(5, 6)):
        if step in (0, 7, 10):
            searched = witness.transposable_mask(weight[None], 2, 4)[0]
        assert np.array_equal(as_numpy(applied, FF), searched), step


def test_a_frame_with_another_ratio_has_a_transposable_mask_of_its_own(witness, shipped):
    recipe = shipped("transposable", schedule=RecipeSchedule(frames="stepwise"))
    for step, weight, applied in run(recipe, 10, total=10):
        if step in (0, 5):
            found = witness.transposable_mask(weight[None], 3 if step == 0 else 2, 4)[0]
        assert np.array_equal(as_numpy(applied, FF), found), step


def test_a_search_that_a_dense_phase_puts_off_comes_with_its_end(witness, shipped):
    recipe = shipped("transposable", schedule=RecipeSchedule(dense_share=0.3))
    for step, weight, applied in run(recipe, 10, total=10):
        if step < 3:
            assert applied.mask("", FF) is None
            assert np.array_equal(applied.weight("", FF), weight)
            continue
        if step == 3:
            found = witness.transposable_mask(weight[None], 2, 4)[0]
        assert np.array_equal(as_numpy(applied, FF), found), step


@pytest.mark.parametrize("name", ["sdgf-stepwise", "sdgf-geometric"])
def test_frames_tighten_the_mask(name, shipped):
    densities = [
        1.0 if applied.mask("", FF) is None else float(applied.mask("", FF).float().mean())
        for _, _, applied in run(shipped(name), 20, channels=(32, 8), total=20)
    ]
    tightening = {"sdgf-stepwise": [1.0] * 2 + [0.75] * 7 + [0.5] * 11, "sdgf-geometric": [1.0] * 2 + [0.5] * 18}
    assert densities == tightening[name]


# Churn ---------------------------------------------------------------------------------------------------------------


def test_churn_is_the_share_of_elements_that_an_update_changes():
    churn = Churn()
    assert churn.take() is None
    masks = [torch.tensor(bits, dtype=torch.bool) for bits in ([1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1])]
    for step, mask in enumerate(masks[:3]):
        churn.see(mask, step)
        churn.see(~mask, step)  # of the same step: seen already
    assert churn.take() == (2 + 0) / 2 / 4
    assert churn.take() is None
    churn.see(masks[3], 3)
    fresh = Churn()
    fresh.load_state_dict(churn.state_dict())
    assert churn.take() == fresh.take() == 1.0


def test_a_layer_counts_the_churn_of_its_own_masks(shipped):
    masks = []
    for _, _, applied in run(shipped("bdwp"), 6):
        masks.append(as_numpy(applied, FF))
    changed = [np.mean(now != then) for now, then in zip(masks[1:], masks[:-1], strict=True)]
    assert applied.layers[""].churn.take() == pytest.approx(np.mean(changed))


@pytest.mark.parametrize(("every", "anew"), [(1, range(12)), (5, (0, 5, 10)), (10**9, (0,))])
def test_top_n_masks_are_found_anew_when_their_search_is_due(witness, shipped, every, anew):
    recipe = shipped("bdwp", mask_search=MaskSearch(every_steps=every))
    forward = None
    for step, weight, applied in run(recipe, 12):
        if step in anew:
            forward = witness.forward_mask(weight[None], 2, 4)[0]
            backward = as_numpy(applied, BP)
        assert np.array_equal(as_numpy(applied, FF), forward), step
        assert np.array_equal(as_numpy(applied, BP), backward), step


def test_a_fixed_mask_goes_on_after_a_save_and_is_made_anew_by_a_refresh(witness, shipped):
    recipe = shipped("sr-ste", mask_search=MaskSearch(every_steps=10**9))
    for _, _, applied in run(recipe, 3):
        kept = as_numpy(applied, FF)
    other = nn.Linear(16, 16, bias=False)
    resumed = apply(other, recipe, Pattern(2, 4))
    resumed.load_state_dict(applied.state_dict())
    assert np.array_equal(as_numpy(resumed, FF), kept)
    resumed.refresh()
    assert np.array_equal(as_numpy(resumed, FF), witness.forward_mask(other.weight.detach().numpy()[None], 2, 4)[0])
