"""Masks that move: their formats, what they cost beside what they train, and what does not go together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.mask_search import Moves
from bisparse.training.recipes.run_plan import stretches
from torch import nn

from bisparse.api import capture

from .masks_by_definition import FF, batch, given, moving, network, started

# Formats -------------------------------------------------------------------------------------------------------------


def convolutions():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 16, 3), nn.Conv2d(16, 16, 3, groups=2), nn.ConvTranspose2d(16, 8, 2), nn.Flatten(),
        nn.Linear(8 * 9, 16),
    )  # fmt: skip


def channels(applied, model, path, stage):
    """The mask as rows of outputs by inputs, for each group and kernel position."""
    mask, module = applied.mask(path, stage), model.get_submodule(path)
    groups = getattr(module, "groups", 1)
    folded = mask.reshape(groups, mask.shape[0] // groups, mask.shape[1], -1).movedim(-1, 1)
    return folded.transpose(-1, -2) if isinstance(module, nn.ConvTranspose2d) else folded


@pytest.mark.parametrize("sparsity", ["2:4", "75%", "75% block 2x4", "75% in each row", "75% in each column"])
@pytest.mark.parametrize("grow", ["gradient", "random"])
def test_a_mask_that_moves_is_of_its_format(sparsity, grow):
    model, recipe = convolutions(), moving("rigl", grow=grow, exchanged=0.5, exchanged_at_last=None, until_share=1.0)
    applied, optimizer = started(model, recipe, sparsity, steps=6)
    seen: dict[str, list[torch.Tensor]] = {}
    for step in range(6):
        optimizer.zero_grad()
        model(torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(step))).square().sum().backward()
        optimizer.step()
        for path, layer in applied.layers.items():
            for stage in layer.patterns:
                check_format(channels(applied, model, path, stage), sparsity, stage, layer.patterns[stage])
            seen.setdefault(path, []).append(applied.mask(path, FF).clone())
    assert all(not torch.equal(masks[0], masks[-1]) for masks in seen.values()), "or nothing was shown"


def check_format(mask, sparsity, stage, pattern):
    if sparsity == "2:4":
        lines = mask if stage is FF else mask.transpose(-1, -2)
        assert (lines.unflatten(-1, (-1, 4)).sum(-1) == 2).all()
    elif "block" in sparsity:
        blocks = mask.unflatten(-1, (-1, 4)).unflatten(-3, (-1, 2)).float().mean((-1, -3))
        assert set(blocks.unique().tolist()) == {0.0, 1.0}
        assert blocks.sum().item() == round(0.25 * blocks.numel())
    elif "each" in sparsity:
        axis = (1, 3) if "row" in sparsity else (1, 2)
        counts = mask.sum(axis)
        assert len(counts.unique()) == 1
        assert counts.float().mean() / (mask.numel() / counts.numel()) == pytest.approx(0.25, abs=0.02)
    else:
        assert int(mask.sum()) == round(0.25 * mask.numel())


def test_a_structure_has_nothing_to_exchange_and_is_refused():
    with pytest.raises(ConfigError, match=r"0: got 50% of rows, need N:M or a share of zeros for masks that move"):
        apply(network(), moving("rigl"), parse_format("50% of rows"), steps=4)


# Cost and training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random-erk", "random-uniform", "rigl", "granet"])
def test_a_run_ends_with_the_densities_that_its_simulation_has(name):
    recipe, pattern = load_recipe(name).model, parse_format("80%")
    if recipe.mask_search.moves is not None:
        recipe = moving(name).model_copy(update={"layer_density": recipe.layer_density})
    model = convolutions()
    graph = capture(convolutions(), "4x6x6")
    prunings = annotate(graph, recipe, pattern, pre_generation=True).prunings
    applied, optimizer = started(model, recipe, "80%", steps=8)
    for step in range(8):
        optimizer.zero_grad()
        model(torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(step))).square().mean().backward()
        optimizer.step()
    sizes, kept, simulated = {}, {}, {}
    for product in graph.products:
        if product.stage is FF:
            mask = applied.mask(product.module, FF)
            sizes[product.module] = applied.master(product.module).numel()
            kept[product.module] = sizes[product.module] if mask is None else int(mask.sum())
            found = prunings.get(product.name)
            simulated[product.module] = sizes[product.module] * (1.0 if found is None else found.pattern.density)
    assert sum(kept.values()) == pytest.approx(sum(simulated.values()), abs=2)
    if recipe.mask_search.scope == "network":
        # A threshold finds shares of its own, which a simulation takes from what was measured.
        assert kept != {path: pytest.approx(each, abs=1) for path, each in simulated.items()}
        rows = tuple(
            LayerDensity(epoch=1, module=path, forward_weight_density=each / sizes[path]) for path, each in kept.items()
        )
        run = LayerDensities(name="run", sha256="", rows=rows, trained_as=(recipe.name, "80%"))
        assert replace(run, trained_as=("dense", "80%")).weights_at_last(recipe.name) is None
        measured = run.weights_at_last(recipe.name)
        prunings = annotate(graph, recipe, pattern, pre_generation=True, kept_weights=measured).prunings
        simulated |= {
            product.module: sizes[product.module] * prunings[product.name].pattern.density
            for product in graph.products
            if product.name in prunings and product.stage is FF
        }
    assert kept == {path: pytest.approx(each, abs=1) for path, each in simulated.items()}


@pytest.mark.parametrize("steps", [7, 12, 100])
def test_masks_move_as_often_as_their_moves_are_priced(steps):
    recipe = moving("rigl", every_steps=3)
    (gradient, *_) = recipe.works
    priced = sum(
        gradient.times(each.first_step, each.steps, steps) for each in stretches(recipe, parse_format("75%"), steps)
    )
    moves = recipe.mask_search.moves
    assert priced == sum(moves.due(step, steps) for step in range(1, steps + 1))


def test_what_moves_cost_is_told_once():
    assert [work.title for work in load_recipe("rigl").model.works] == [
        "dense weight gradient", "drop: sort of weights", "grow: sort of gradients", "mask-update of weights",
    ]  # fmt: skip
    assert load_recipe("granet").model.works[1].whole_network
    by_chance = load_recipe("rigl").model
    search = by_chance.mask_search.model_copy(update={"moves": Moves(every_steps=100, grow="random")})
    assert [work.work for work in by_chance.model_copy(update={"mask_search": search}).works] == [
        "sort", "mask-update",
    ]  # fmt: skip
    declared = by_chance.model_dump(mode="json", by_alias=True)
    twice = declared | {"extra_work": [{"work": "mask-update", "every_steps": 100}]}
    with pytest.raises(ValueError, match=r"what mask_search\.moves costs is not told again"):
        Recipe.model_validate(twice)


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_search": {"score": "taylor"}}, "score: got it with method top-n, need method given"),
        ({"mask_search": {"method": "given", "moves": {"every_steps": 2}}}, "moves: got it with learning weights"),
        ({"pruned_weights": {"state": "frozen"}}, "got frozen, need learning, or mask_search.method: given"),
        (
            {"mask_search": {"method": "given"}, "pruned_weights": {"state": "soft", "temperature": 1e-3}},
            "got soft, need schedule.final_share above 0",
        ),
        (
            {
                "mask_search": {"method": "given", "start": "random"},
                "backward": {"operand": "weight", "permuted": True},
            },
            "backward.permuted: got true with masks that are scored",
        ),
        ({"pruned_weights": {"state": "soft"}}, "temperature: got None with state soft, need a number"),
        ({"pruned_weights": {"state": "frozen", "shrunk_by": 0.1}}, "shrunk_by: got 0.1 with state frozen, need none"),
        (
            {"mask_search": {"method": "given", "moves": {"every_steps": 2, "exchanged_at_last": 0.5}}},
            "exchanged_at_last: got 0.5, need at most exchanged",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    plain = {"name": "x", "title": "", "source": "", "forward": {"operand": "weight"}}
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate(plain | changes)


def test_a_score_of_gradients_needs_one_of_every_layer():
    model = network()
    _, optimizer = started(model, given("taylor"), "75%")
    model[0](batch(0)).sum().backward()
    with pytest.raises(ConfigError, match=r"1.weight: got no gradient, need one before the first update"):
        optimizer.step()


def test_masks_that_move_need_the_steps_of_the_run_and_no_closure():
    with pytest.raises(ConfigError, match="need the steps of the whole run: rigl changes over time"):
        apply(network(), load_recipe("rigl").model, parse_format("75%"))
    _, optimizer = started(network(), moving("rigl"), "75%")
    with pytest.raises(ConfigError, match=r"got a closure, need gradients .*: masks are found by them"):
        optimizer.step(lambda: 0.0)
