"""Every shipped recipe trains: on one batch the loss falls, masks are N:M at every step, and it removes cleanly."""

from __future__ import annotations

import re

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.training.capture import capture
from bisparse.training.graph import Stage, TrainingGraph
from bisparse.training.loop.agreement import check_agreement
from bisparse.training.models.attention import PreNormBlock
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import FrozenVarianceAdam, apply
from bisparse.training.recipes.phases import frame_patterns
from bisparse.training.rewrites.in_torch import check_rewritten, rewrite_captured, rewrite_module
from torch import nn

FF, BP, WU = Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT
STEPS = 20


pytestmark = pytest.mark.usefixtures("one_thread")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.BatchNorm2d(32),
        nn.ConvTranspose2d(32, 16, 2, groups=2), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(144, 32), nn.ReLU(),
        nn.Linear(32, 8),
    )  # fmt: skip


PRUNED: dict[str, tuple[Stage, ...]] = {
    **dict.fromkeys(("dense", "random-graph-rnn", "sparse-rnn"), ()),
    **dict.fromkeys(("sdwp", "sdgp", "sdgp-maxnorm"), (BP,)),
    **dict.fromkeys(("bdwp", "bi-mask", "gradual-magnitude", "spdf", "static-masks", "transposable"), (FF, BP)),
    **dict.fromkeys(("granet", "random-erk", "random-uniform", "rigl", "snip", "essential-sparsity"), (FF, BP)),
    **dict.fromkeys(("journey-matters", "iss-p", "pdp", "slope", "tasd"), (FF, BP)),
    "fully-sparse": (FF, BP, WU),
    **dict.fromkeys(("s-ste", "sparse-activations"), (FF, WU)),
}
"""Stages; FF alone unless said."""


def largest(mask, module, stage, group, order=None):
    """Most elements that a group of M channels keeps, along the stage's channels at one kernel position."""
    groups = getattr(module, "groups", 1)
    folded = mask.reshape(groups, mask.shape[0] // groups, mask.shape[1], -1)
    if isinstance(module, nn.ConvTranspose2d):
        folded = folded.transpose(1, 2)
    lines = folded.movedim(2 if stage is FF else 1, -1)
    lines = lines if order is None else lines[..., order]
    assert lines.shape[-1] % group == 0
    return int(lines.unflatten(-1, (-1, group)).sum(-1).max())


SIMULATED = {
    "cpu-spmm": "pass: inference",
    "fast-sparse-convnets": "pass: inference",
    "slicegpt": "pass: inference",
    "sparsebytenn": "pass: inference",
}
"""Recipes that are simulated alone, and what training does not know of them."""


@pytest.mark.parametrize("name", SIMULATED)
def test_one_that_is_simulated_alone_says_what_training_does_not_know(name):
    told = f"{name}: got a recipe that is simulated alone, for training does not know {SIMULATED[name]}; try bisparse"
    with pytest.raises(ConfigError, match=re.escape(told)):
        apply(network(), load_recipe(name).model, Pattern(2, 4), steps=STEPS)


@pytest.mark.parametrize("name", ["cl-dst", "lottery-ticket", "sparse-model-soups"])
def test_one_that_repeats_its_training_needs_a_loop_that_rewinds(name):
    with pytest.raises(ConfigError, match=f"{name}: got a recipe that repeats a whole training, .* try bisparse train"):
        apply(network(), load_recipe(name).model, Pattern(2, 4), steps=STEPS)


def test_one_that_adds_to_the_loss_needs_a_loop_that_does():
    recipe, model = load_recipe("prosparse").model, network()
    rewrite_module(model, recipe.rewrites, capture(model, (3, 6, 6), name="net", default_batch=16, source="test"))
    with pytest.raises(ConfigError, match=r"prosparse: got a recipe that .* loss of its own, .* try bisparse train"):
        apply(model, recipe, Pattern(1, 1), steps=STEPS)


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Of eight classes, each a picture with noise."""
    labels = torch.arange(16) % 8
    return torch.randn(8, 3, 6, 6)[labels] + 0.1 * torch.randn(16, 3, 6, 6), labels


def optimizer_of(recipe, model):
    if recipe.schedule.switch is not None:
        return FrozenVarianceAdam(model.parameters(), lr=5e-3)
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def step_of(model, optimizer, values, labels, before_update=lambda: None) -> float:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(values), labels)
    loss.backward()
    before_update()
    optimizer.step()
    return loss.item()


TRAINED_ONCE = {name: model for name in names("recipes") if (model := load_recipe(name).model).trains_once}


OF_ATTENTION = ("scatterbrain", "seer-attention", "sparsifiner")


@pytest.mark.parametrize("name", OF_ATTENTION)
def test_one_that_rewrites_attention_trains_what_its_rewritten_graph_has(name):
    """Of tokens each class is another picture, with noise; what chooses scores learns along."""
    recipe = TRAINED_ONCE[name]
    torch.manual_seed(0)
    model = nn.Sequential(PreNormBlock(16, 2), nn.Flatten(), nn.Linear(128 * 16, 8))

    def graph() -> TrainingGraph:
        return capture(model, (128, 16), name="net", default_batch=16, source="test")

    found = rewrite_captured(model, recipe.rewrites, graph)
    applied = apply(model, recipe, Pattern(2, 8), steps=STEPS)
    check_agreement(applied, found)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    applied.attach(optimizer)
    labels = torch.arange(16) % 8
    values = torch.randn(8, 128, 16)[labels] + 0.1 * torch.randn(16, 128, 16)
    chooses = [each.clone() for path, each in model.named_parameters() if "gate" in path or "predictor" in path]
    losses = [step_of(model, optimizer, values, labels) for _ in range(STEPS)]
    assert losses[-1] < 0.5 * losses[0]
    learnt = [each for path, each in model.named_parameters() if "gate" in path or "predictor" in path]
    assert len(learnt) == (0 if name == "scatterbrain" else 2)
    assert not any(torch.equal(*both) for both in zip(chooses, learnt, strict=True))


OF_TOKENS = ("coreinfer",)
"""Recipes that are of sentences of tokens, and of no picture's positions."""


OF_BLOCKS = {name: model for name, model in TRAINED_ONCE.items() if "feed_forward" in str(model.rewrites)}
OF_BLOCKS |= {name: TRAINED_ONCE[name] for name in ("dsee", "lora", "pst", "sltrain", "sora")}
"""Recipes of language models: they name layers of a transformer's blocks."""


@pytest.mark.parametrize("name", OF_BLOCKS)
def test_one_of_language_models_trains_what_its_rewritten_graph_has(name):
    recipe = OF_BLOCKS[name]
    torch.manual_seed(0)
    model = Gpt2(vocabulary=24, longest=8, width=64, depth=1, heads=4, dropout=0.0)

    def graph() -> TrainingGraph:
        return capture(model, "8:int", name="net", default_batch=8, source="test", loss="token-cross-entropy")

    found = rewrite_captured(model, recipe.rewrites, graph)
    applied = apply(model, recipe, parse_format("50%"), steps=STEPS)
    check_agreement(applied, found)
    frozen = {path: each.clone() for path, each in model.named_parameters() if not each.requires_grad}
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=1e-2)
    applied.attach(optimizer)
    tokens = torch.randint(0, 24, (8, 9))
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(tokens[:, :-1]).transpose(1, 2), tokens[:, 1:])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    learned = {path.rpartition(".")[0] for path, each in model.named_parameters() if "selected" in path}
    same = (path for path in frozen if path.rpartition(".")[0] not in learned)
    assert all(torch.equal(model.get_parameter(path), frozen[path]) for path in same)
    names = [path for path, _ in model.named_parameters()]
    output = model(tokens[:, :-1]).detach()
    applied.remove()
    torch.testing.assert_close(model(tokens[:, :-1]).detach(), output)
    undone = ("partial", "learned-scores")
    merged = any(getattr(each, "deployed", "beside") == "merged" or each.kind in undone for each in recipe.rewrites)
    assert ([path for path, _ in model.named_parameters()] != names) is merged


def layers_of_pictures() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8),
    )  # fmt: skip


def layers_of_tokens() -> nn.Sequential:
    """Of a picture each channel is one."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(2), nn.Linear(36, 32), nn.ReLU(), nn.Linear(32, 16), nn.Flatten(), nn.Linear(48, 8))


@pytest.mark.parametrize(
    "name", [name for name, model in TRAINED_ONCE.items() if model.rewrites and name not in {*OF_BLOCKS, *OF_ATTENTION}]
)
def test_one_that_rewrites_layers_trains_what_its_rewritten_graph_has(name):
    recipe = TRAINED_ONCE[name]
    model = layers_of_tokens() if name in OF_TOKENS else layers_of_pictures()

    def graph() -> TrainingGraph:
        return capture(model, (3, 6, 6), name="net", default_batch=16, source="test")

    planned = rewrite_module(model, recipe.rewrites, graph())
    found = graph()
    check_rewritten(found, planned)
    applied = apply(model, recipe, parse_format("75%"), steps=STEPS)
    check_agreement(applied, found)
    optimizer = optimizer_of(recipe, model)
    applied.attach(optimizer)
    values, labels = pictures()
    losses = [step_of(model, optimizer, values, labels) for _ in range(STEPS)]
    assert losses[-1] < 0.7 * losses[0]
    if not recipe.prunes:
        assert all(layer.is_pruned is False for layer in applied.layers.values())
        return
    kept = [applied.mask(path, FF).float().mean() for path, layer in applied.layers.items() if FF in layer.patterns]
    assert len(kept) >= 3
    assert all(abs(share - 0.25) < 0.02 for share in kept)


OF_MATRICES = ("dsnot",)
"""Those of linear layers and zeros without a rule: tests/unit/training/recipes/test_refined_masks.py."""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "name", [name for name, model in TRAINED_ONCE.items() if not model.rewrites and name not in OF_MATRICES]
)
def test_it_trains(name, precision):
    recipe, pattern = load_recipe(name).model, Pattern(2, 4)
    model = network()
    kinds = [type(module) for module in model]
    applied = apply(model, recipe, pattern, steps=STEPS, precision=precision)
    optimizer = optimizer_of(recipe, model)
    applied.attach(optimizer)
    values, labels = pictures()
    kinds_of_phases = set()

    def look() -> None:
        check_masks(applied, model, name, pattern)
        kinds_of_phases.add(applied.phase.kind)

    losses = [step_of(model, optimizer, values, labels, look) for _ in range(STEPS)]
    assert losses[-1] < 0.5 * losses[0]
    assert kinds_of_phases == expected_phases(name)

    forward = {path: applied.weight(path, FF).clone() for path in applied.layers}
    output = model(values).detach()
    applied.remove()
    assert [type(module) for module in model] == kinds
    for path, weight in forward.items():
        assert torch.equal(model.get_submodule(path).weight, weight)
    pruned = recipe.forward
    if precision == "fp32" and (pruned is None or pruned.operand == "weight"):
        torch.testing.assert_close(model(values).detach(), output)
    if (
        FF in PRUNED.get(name, (FF,))
        and pruned is not None
        and pruned.operand == "weight"
        and applied.phase.kind != "dense"
    ):
        assert largest(model[7].weight != 0, model[7], FF, 4) == 2, "what is left is N:M"


def check_masks(applied, model, name, pattern):
    stages = PRUNED.get(name, (FF,))
    for path in ("2", "4", "7", "9"):
        module = model.get_submodule(path)
        # WU reads one of its operands in patches: the input, of a transposed convolution the gradient.
        update = applied.recipe.weight_update
        patches = nn.Conv2d if update is not None and update.operand == "input" else nn.ConvTranspose2d
        patched = {WU} if isinstance(module, patches) else set()
        assert set(applied.layers[path].patterns) == set(stages) - patched
        for stage in (FF, BP):
            mask = applied.mask(path, stage)
            rule = applied.recipe.pruned_in(stage)
            waits = name == "snip" and applied.step == 0
            if (
                stage not in stages
                or rule is None
                or rule.operand != "weight"
                or applied.phase.kind == "dense"
                or waits
            ):
                assert mask is None
                continue
            if applied.phase.kind == "frame":
                now = frame_patterns(applied.recipe, pattern)[-1 - applied.phase.frames_left]
                if applied.layers[path].axes.channels(stage) % now.group:
                    assert mask is None, "a frame's group that does not divide the channels"
                    continue
            else:
                now = pattern
            order = None
            if name == "bi-mask" and stage is BP:
                order = applied.state_dict()["layers"][path]["order"]
                assert not (mask & ~applied.mask(path, FF)).any()
            assert largest(mask, module, stage, now.group, order) <= now.kept
            exact = applied.recipe.mask_search.method != "transposable" and order is None
            exact &= stage is FF or not applied.recipe.backward.within_forward
            assert not exact or mask.float().mean().item() == now.density
    assert bool(applied.layers["0"].patterns) is not applied.recipe.dense.first_convolution


def expected_phases(name):
    match "dense-first" if name == "sparse-rnn" else name.partition("-")[0]:
        case "dense":
            return {"dense"}
        case "mdgf" | "pdp":
            return {"dense", "leak", "sparse"}
        case "iss":
            return {"leak", "sparse"}
        case "sdgf":
            return {"dense", "frame", "sparse"}
        case "step" | "gradual" | "journey" | "spdf" | "tasd" | "dense-first":
            return {"dense", "sparse"}
    return {"sparse"}
