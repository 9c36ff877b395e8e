"""Masks that move, that a threshold of the network decides, or that batches decide: against plain loops in numpy."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch.scores import SCORES
from bisparse.training.recipes.mask_search import Moves, ScoreName
from bisparse.training.recipes.schedule import RecipeSchedule
from torch import nn

from .masks_by_definition import (
    BP,
    FF,
    MOMENTUM,
    RATE,
    SHAPES,
    STEPS,
    ByDefinition,
    batch,
    check,
    check_held,
    drawn,
    exchanged,
    given,
    kept_of_layers,
    kept_of_network,
    moving,
    network,
    started,
    trained,
    weights_of,
)


def test_rigl_is_what_its_definition_says():
    model = network()
    applied, optimizer = started(model, moving("rigl"), "75%")
    counts = [round(0.25 * np.prod(shape)) for shape in SHAPES]
    witness, changed = ByDefinition(weights_of(model), kept_of_layers(drawn(), counts)), 0
    for step in range(STEPS):
        passes = trained(model, optimizer, step)
        gradients = check(applied, model, optimizer, witness, passes, step)
        witness.update(gradients)
        if (step + 1) % 2 == 0 and step + 1 <= 0.75 * STEPS:
            share = 0.3 * (1 + np.cos(np.pi * (step + 1) / (0.75 * STEPS))) / 2
            before = witness.masks
            witness.masks = [exchanged(*each, share) for each in zip(before, witness.weights, gradients, strict=True)]
            changed += sum((one != other).sum() for one, other in zip(before, witness.masks, strict=True))
            witness.hold()
        check_held(applied, model, optimizer, witness)
    assert changed, "or nothing was shown"


def test_granet_is_what_its_definition_says():
    model = network()
    recipe = moving("granet", exchanged=0.1)
    schedule = RecipeSchedule(final_share=0.25, ramp=recipe.schedule.ramp.model_copy(update={"updates": 3}))
    applied, optimizer = started(model, recipe.model_copy(update={"schedule": schedule}), "80%")
    zeros = [0.8 + (0.5 - 0.8) * (1 - update / 3) ** 3 for update in (1, 2, 3)]
    counts = [[round((1 - round(each, 6)) * np.prod(shape)) for shape in SHAPES] for each in zeros]
    witness = ByDefinition(weights_of(model), kept_of_layers(drawn(), counts[0]))
    for step in range(STEPS):
        passes = trained(model, optimizer, step)
        gradients = check(applied, model, optimizer, witness, passes, step)
        witness.update(gradients)
        if step + 1 in (3, 6):
            values = [abs(each) * mask for each, mask in zip(witness.weights, witness.masks, strict=True)]
            witness.masks = kept_of_network(values, counts[(step + 1) // 3])
        if (step + 1) % 2 == 0 and step + 1 <= round(0.6875 * STEPS):
            share = 0.005 + 0.095 * (1 + np.cos(np.pi * (step + 1) / round(0.6875 * STEPS))) / 2
            witness.masks = [
                exchanged(*each, share) for each in zip(witness.masks, witness.weights, gradients, strict=True)
            ]
        witness.hold()
        check_held(applied, model, optimizer, witness)
    kept = [mask.mean() for mask in witness.masks]
    assert max(kept) > min(kept) + 0.02, "a threshold of the network finds shares of its own"
    assert sum(mask.sum() for mask in witness.masks) == sum(counts[-1])


def values_of(score, weights, gradients, values, moved):
    match score:
        case "magnitude":
            return [abs(each) for each in weights]
        case "gradient":
            return [abs(each) for each in gradients]
        case "taylor":
            return [abs(each * own) for each, own in zip(weights, gradients, strict=True)]
        case "movement":
            return moved
        case "wanda":
            inputs = [values]
            for each in weights[:-1]:
                inputs.append(inputs[-1] @ each.T)
            return [abs(each) * np.sqrt((seen**2).sum(0)) for each, seen in zip(weights, inputs, strict=True)]
    return drawn()


@pytest.mark.parametrize("scope", ["layer", "network"])
@pytest.mark.parametrize("score", SCORES)
def test_each_score_finds_its_masks_from_the_first_batch(score, scope):
    model = network()
    applied, optimizer = started(model, given(score, scope=scope), "75%")
    weights, dense = weights_of(model), ByDefinition(weights_of(model), [np.ones(shape) for shape in SHAPES])
    _, _, gradients = dense.passes(batch(0).numpy())
    moved = [-each * own for each, own in zip(weights, gradients, strict=True)]
    values = values_of(score, weights, gradients, batch(0).numpy(), moved)
    if SCORES[score].needs is not None:
        assert applied.mask("0", FF) is None, "dense, until a batch has told"
    trained(model, optimizer, 0)
    keep = kept_of_layers if scope == "layer" else kept_of_network
    for number, mask in enumerate(keep(values, [round(0.25 * np.prod(shape)) for shape in SHAPES])):
        assert np.array_equal(applied.mask(str(number), FF).numpy(), mask)
        assert np.array_equal(applied.mask(str(number), BP).numpy(), mask)


def test_movement_sums_over_the_steps_before_a_phase():
    model = network()
    applied, optimizer = started(model, given("movement", schedule=RecipeSchedule(dense_share=0.25)), "75%")
    moved = [np.zeros(shape) for shape in SHAPES]
    for step in range(3):
        assert applied.mask("0", FF) is None
        weights = weights_of(model)
        _, _, gradients = trained(model, optimizer, step)
        moved = [each - w * g for each, w, g in zip(moved, weights, gradients, strict=True)]
    for number, mask in enumerate(kept_of_layers(moved, [round(0.25 * np.prod(shape)) for shape in SHAPES])):
        assert np.array_equal(applied.mask(str(number), FF).numpy(), mask)


def test_every_score_that_a_recipe_may_name_has_its_function():
    assert set(SCORES) == set(ScoreName.__args__)


# Copies, and going on ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["magnitude", "movement", "wanda", "taylor"])
def test_a_run_that_was_saved_ends_in_the_same_bits(score):
    ramp = load_recipe("granet").model.schedule.ramp.model_copy(update={"updates": 4})
    recipe = given(
        score, scope="network", state="frozen", schedule=RecipeSchedule(ramp=ramp), moves=Moves(every_steps=2)
    )
    straight = network()
    applied, optimizer = started(straight, recipe, "80%", steps=8)
    for step in range(8):
        trained(straight, optimizer, step)
        if step == 2:
            file = io.BytesIO()
            parts = [straight.state_dict(), optimizer.state_dict(), applied.state_dict()]
            torch.save(parts, file)
    resumed = network()
    again, other = started(resumed, recipe, "80%", steps=8, seed=7)
    file.seek(0)
    for part, state in zip((resumed, other, again), torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    for step in range(3, 8):
        trained(resumed, other, step)
    for number, (one, two) in enumerate(zip(straight, resumed, strict=True)):
        assert torch.equal(one.weight, two.weight)
        assert torch.equal(applied.mask(str(number), FF), again.mask(str(number), FF))


def test_an_average_has_the_masks_of_what_is_trained_and_a_whole_copy_its_own():
    model = network()
    applied, optimizer = started(model, moving("rigl", exchanged=0.9, exchanged_at_last=None), "75%")
    average, (other, own) = copy.deepcopy(model), copy.deepcopy((model, applied))
    second = torch.optim.SGD(other.parameters(), lr=RATE, momentum=MOMENTUM)
    own.attach(second)
    before = applied.mask("0", FF).clone()
    for step in range(2):
        trained(model, optimizer, step)
    now = applied.mask("0", FF)
    assert not torch.equal(before, now)
    eye = torch.eye(8, dtype=torch.float64)
    assert torch.equal(average[0](eye).T != 0, now & (average[0].weight != 0))
    assert torch.equal(own.mask("0", FF), before)
    for step in range(2):
        trained(other, second, step)
    assert torch.equal(own.mask("0", FF), now)
    assert torch.equal(other[0].weight, model[0].weight)


def test_of_a_weight_that_two_layers_share_what_either_keeps_learns():
    first, second = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second).double()
    applied, optimizer = started(model, given("random", state="frozen"), "75%")
    kept = applied.mask("0", FF) | applied.mask("1", FF)
    assert not torch.equal(applied.mask("0", FF), applied.mask("1", FF))
    optimizer.zero_grad()
    model(batch(0)).square().sum().backward()
    optimizer.step()
    assert torch.equal(first.weight != 0, kept)
