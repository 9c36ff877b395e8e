"""Masks that move, that a threshold of the network decides, or that batches decide: against plain loops in numpy."""

from __future__ import annotations

import copy
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.graph import Stage
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.scores import SCORES
from bisparse.training.recipes.mask_search import MaskSearch, Moves, ScoreName
from bisparse.training.recipes.run_plan import stretches
from bisparse.training.recipes.schedule import RecipeSchedule
from torch import nn

from bisparse.api import capture

FF, BP = Stage.FORWARD, Stage.BACKWARD
RATE, MOMENTUM, STEPS = 0.05, 0.9, 12
SHAPES = ((12, 8), (10, 12), (6, 10))


# The definitions -----------------------------------------------------------------------------------------------------


def largest(values, count, among=None):
    """So many of the largest of a list, of equal ones the first."""
    indices = range(len(values)) if among is None else [index for index in range(len(values)) if among[index]]
    mask = np.zeros(len(values), dtype=bool)
    mask[sorted(indices, key=lambda index: (-values[index], index))[:count]] = True
    return mask


def kept_of_layers(values, counts):
    return [largest(each.ravel(), count).reshape(each.shape) for each, count in zip(values, counts, strict=True)]


def kept_of_network(values, counts):
    together = largest(np.concatenate([each.ravel() for each in values]), sum(counts))
    ends = np.cumsum([each.size for each in values])[:-1]
    return [part.reshape(each.shape) for part, each in zip(np.split(together, ends), values, strict=True)]


def exchanged(mask, weight, gradient, share):
    """RigL's move."""
    kept = mask.ravel()
    count = int(share * kept.sum())
    stays = largest(abs(weight).ravel(), kept.sum() - count, kept)
    grows = largest(abs(gradient).ravel(), count, ~stays)
    return (stays | grows).reshape(mask.shape)


class ByDefinition:
    """Layers z = x (m w)^T one after another, half the squared norm of the last as the loss, SGD with momentum."""

    def __init__(self, weights, masks):
        self.weights, self.masks = weights, masks
        self.speeds = [np.zeros_like(each) for each in weights]

    def passes(self, values):
        inputs = [values]
        for weight, mask in zip(self.weights, self.masks, strict=True):
            inputs.append(inputs[-1] @ (weight * mask).T)
        gradient, gradients = inputs[-1], []
        for weight, mask, each in reversed(list(zip(self.weights, self.masks, inputs[:-1], strict=True))):
            gradients.insert(0, gradient.T @ each)
            gradient = gradient @ (weight * mask)
        return inputs[-1], gradient, gradients

    def update(self, gradients):
        for number, gradient in enumerate(gradients):
            self.speeds[number] = MOMENTUM * self.speeds[number] + gradient * self.masks[number]
            self.weights[number] = self.weights[number] - RATE * self.speeds[number]
        self.hold()

    def hold(self):
        """Pruned weights, and their momentum, are zero."""
        self.weights = [each * mask for each, mask in zip(self.weights, self.masks, strict=True)]
        self.speeds = [each * mask for each, mask in zip(self.speeds, self.masks, strict=True)]


# Against them --------------------------------------------------------------------------------------------------------


def network():
    torch.manual_seed(1)
    model = nn.Sequential(*(nn.Linear(inputs, outputs, bias=False) for outputs, inputs in SHAPES)).double()
    with torch.no_grad():
        # Layers that one threshold cannot take for alike.
        model[0].weight.mul_(2.0)
    return model


def weights_of(model):
    return [layer.weight.detach().numpy().copy() for layer in model]


def batch(step):
    return torch.randn(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(100 + step))


def started(model, recipe, sparsity, *, steps=STEPS, seed=0):
    applied = apply(model, recipe, parse_format(sparsity), steps=steps, seed=seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    applied.attach(optimizer)
    return applied, optimizer


def trained(model, optimizer, step):
    """Output, input gradient and weight gradients of a step, before its update."""
    values = batch(step).requires_grad_()
    optimizer.zero_grad()
    output = model(values)
    (output.square().sum() / 2).backward()
    found = output.detach().numpy(), values.grad.numpy(), [layer.weight.grad.numpy().copy() for layer in model]
    optimizer.step()
    return found


def drawn(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator).double().numpy() for shape in SHAPES]


def moving(name, **changes):
    recipe = load_recipe(name).model
    moves = recipe.mask_search.moves.model_copy(update={"every_steps": 2, **changes})
    search = recipe.mask_search.model_copy(update={"moves": moves})
    return recipe.model_copy(update={"mask_search": search, "layer_density": "uniform"})


def check(applied, model, optimizer, witness, passes, step):
    output, dx, gradients = witness.passes(batch(step).numpy())
    np.testing.assert_allclose(passes[0], output, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(passes[1], dx, rtol=1e-10, atol=1e-12)
    for mine, own in zip(passes[2], gradients, strict=True):
        np.testing.assert_allclose(mine, own, rtol=1e-10, atol=1e-12)
    return gradients


def check_held(applied, model, optimizer, witness):
    for number, layer in enumerate(model):
        assert np.array_equal(applied.mask(str(number), FF).numpy(), witness.masks[number])
        np.testing.assert_allclose(layer.weight.detach(), witness.weights[number], rtol=1e-10, atol=1e-13)
        assert not layer.weight[~torch.from_numpy(witness.masks[number])].any()
        speed = optimizer.state[layer.weight]["momentum_buffer"]
        np.testing.assert_allclose(speed, witness.speeds[number], rtol=1e-10, atol=1e-13)


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


def given(score="magnitude", *, scope="layer", state="learning", schedule=None, moves=None):
    recipe = load_recipe("random-uniform").model
    return recipe.model_copy(
        update={
            "mask_search": MaskSearch(method="given", score=score, scope=scope, moves=moves),
            "pruned_weights": recipe.pruned_weights.model_copy(update={"state": state}),
            "schedule": schedule or RecipeSchedule(),
        }
    )


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
