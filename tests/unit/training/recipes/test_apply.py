"""What ``apply`` does to a model, what it leaves alone or refuses, and that ``remove`` leaves a plain, pruned one."""

from __future__ import annotations

import copy
import io
import warnings

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find, names
from bisparse.configs.pattern import Pattern
from bisparse.training.capture.factories import load_factory
from bisparse.training.graph import Stage
from bisparse.training.graph_file import load_graph
from bisparse.training.models.convnet import ConvNet
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.models.mlp import MLP
from bisparse.training.models.resnet import BasicBlock, Bottleneck, ResNet, resnet9
from bisparse.training.models.vit import VisionTransformer
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.declared_rules import DenseRule, LayerRule
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.hosting import release
from bisparse.training.workloads import WORKLOADS
from torch import nn

FF, BP = Stage.FORWARD, Stage.BACKWARD
EVERY = {name: load_recipe(name).model for name in names("recipes")}
RECIPES = [
    name
    for name, model in EVERY.items()
    if model.trains_once and not model.rewrites and model.mask_search.refined is None
]
"""Those that go through a network as it is, and take N:M."""


class TwoBranches(nn.Module):
    """A user's own: nested, with a layer that is used twice, names that contain each other, and a buffer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(3, 8, 3, padding=1)
        self.body = nn.ModuleDict({"left": nn.Sequential(nn.Conv1d(8, 8, 1), nn.ReLU()), "right": nn.Conv1d(8, 8, 1)})
        self.again = self.body["right"]
        self.head = nn.Linear(8, 4)
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, values):
        values = self.stem(values)
        values = self.body["left"](values) + self.again(self.body["right"](values))
        return self.head(values.mean(-1)) * self.scale


MODELS = {
    "own": (TwoBranches, (2, 3, 5)),
    "mlp": (lambda: MLP(inputs=16, classes=4, width=16), (2, 16)),
    "convnet": (lambda: ConvNet(in_channels=1, classes=4), (2, 1, 8, 8)),
    "resnet9": (lambda: resnet9(width=4, image=(8, 8)), (2, 3, 8, 8)),
    "basic": (lambda: ResNet(BasicBlock, (1, 0, 0, 0), classes=4), (2, 3, 8, 8)),
    "bottleneck": (lambda: ResNet(Bottleneck, (1, 0, 0, 0), classes=4), (2, 3, 8, 8)),
    "vit": (
        lambda: VisionTransformer(image=8, patch=4, width=16, depth=1, heads=2, classes=4),
        (2, 3, 8, 8),
    ),
    "gpt": (lambda: Gpt2(vocabulary=12, longest=4, width=16, depth=1, heads=2, dropout=0.0), None),
}


def built(name):
    torch.manual_seed(0)
    make, shape = MODELS[name]
    return make(), torch.randint(0, 12, (2, 4)) if shape is None else torch.randn(shape)


@pytest.mark.parametrize("name", MODELS)
def test_classes_keys_and_parameters_stay_and_removing_leaves_a_plain_pruned_model(name, witness):
    model, values = built(name)
    plain, keys = copy.deepcopy(model), list(model.state_dict())
    kinds, parameters = [type(each) for each in model.modules()], list(map(id, model.parameters()))
    applied = apply(model, load_recipe("bdwp").model, Pattern(2, 4))
    assert list(model.state_dict()) == keys
    assert list(map(id, model.parameters())) == parameters
    assert all(isinstance(each, kind) for each, kind in zip(model.modules(), kinds, strict=True))
    pruned = {path for path, layer in applied.layers.items() if FF in layer.patterns}
    assert pruned
    model.eval()
    output = model(values).detach()
    applied.remove()
    assert [type(each) for each in model.modules()] == kinds
    assert not [name for each in model.modules() for name in vars(each) if "bisparse" in name]
    for path, module in model.named_modules():
        if path not in pruned:
            continue
        weight = plain.get_submodule(path).weight.detach().numpy()
        mask = witness.forward_mask(witness.canonical(weight, getattr(module, "groups", 1), False), 2, 4)
        np.testing.assert_array_equal(module.weight.detach(), weight * witness.stored(mask, False))
    torch.testing.assert_close(model(values).detach(), output, rtol=1e-5, atol=1e-6)
    applied.remove()
    assert [type(each) for each in model.modules()] == kinds, "twice is as once"


@pytest.mark.parametrize("name", MODELS)
def test_dense_changes_no_bit(name):
    model, values = built(name)
    before = copy.deepcopy(model)
    apply(model, load_recipe("dense").model, Pattern(2, 4))
    assert torch.equal(model(values), before(values))


@pytest.mark.parametrize(("recipe", "dense"), [("sdwp", True), ("sdgp", True), ("step", True), ("transposable", False)])
def test_removing_keeps_what_the_forward_pass_multiplied_by(recipe, dense, witness):
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    weight = model[0].weight.detach().clone()
    applied = apply(model, load_recipe(recipe).model, Pattern(2, 4), steps=10)
    applied.remove()
    expected = weight if dense else weight * torch.from_numpy(witness.transposable_mask(weight.numpy()[None], 2, 4)[0])
    assert torch.equal(model[0].weight, expected)


def test_a_copy_trains_under_the_recipe_too_and_a_saved_state_loads_into_a_plain_model():
    model = nn.Sequential(nn.Linear(8, 8))
    apply(model, load_recipe("sr-ste").model, Pattern(2, 4))
    values = torch.randn(3, 8)
    copied = copy.deepcopy(model)
    assert torch.equal(copied(values), model(values))
    with torch.no_grad():
        copied[0].weight.neg_()
    assert not torch.equal(copied(values), model(values))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    plain = nn.Sequential(nn.Linear(8, 8))
    plain.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(plain[0].weight, model[0].weight), "the dense master weights"


@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv2d, nn.ConvTranspose2d])
def test_layers_are_called_by_torchs_own_argument_names(kind, shipped):
    module = kind(8, 8) if kind is nn.Linear else kind(8, 8, 1)
    values = torch.randn(2, 8) if kind is nn.Linear else torch.randn(2, 8, 2, 2)
    apply(module, shipped("sr-ste"), Pattern(2, 4))
    assert torch.equal(module(input=values), module(values))


@pytest.mark.parametrize("output_size", [[12], [8, 12]])
def test_a_told_output_size_may_tell_the_channels(output_size, shipped):
    module = nn.ConvTranspose1d(8, 8, 3, stride=2)
    values = torch.randn(8, 5)
    apply(module, shipped("sr-ste"), Pattern(2, 4))
    assert torch.equal(module(values, output_size), module(values[None], [12])[0])
    with pytest.raises(ValueError, match="output_size"):
        module(values, [1, 1, 8, 12])


# Which layers --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def captured():
    """Each shipped workload's graph, and its module without storage."""
    found = {}
    for workload in WORKLOADS.values():
        with torch.device("meta"):
            found[workload.name] = (
                load_graph(find("workloads", workload.name)), load_factory(workload.factory)()
            )  # fmt: skip
    return found


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("pattern", ["2:4", "2:8", "1:32"])
def test_what_is_trained_is_what_is_simulated(workload, pattern, captured):
    """Every recipe over every shipped workload: the same stages of the same modules, for the same reasons."""
    graph, module = captured[workload]
    for name in RECIPES:
        recipe, ratio = load_recipe(name).model, Pattern.parse(pattern)
        applied = apply(module, recipe, ratio, steps=100)
        annotated = annotate(graph, recipe, ratio, pre_generation=True)
        products = {
            (each.module, each.stage): each.name
            for each in graph.products
            if each.parameter is not None and each.stage in (FF, BP) and each.module in applied.layers
        }
        simulated = {
            place: str(annotated.prunings[operator].pattern) if operator in annotated.prunings
            else annotated.dense_reasons.get(operator)
            for place, operator in products.items()
        }  # fmt: skip
        trained = {
            (path, stage): str(applied.layers[path].patterns[stage]) if stage in applied.layers[path].patterns
            else applied.dense_reasons.get(f"{path}:{stage.value}")
            for path, stage in products
        }  # fmt: skip
        assert trained == simulated, name
        outside = {each.module for each in graph.products if each.name in annotated.prunings} - set(applied.layers)
        assert outside == set(), f"{name}: pruned in the graph, without a layer to be trained"
        reached = {module for module, _ in products}
        assert reached == set(applied.layers), "every layer is in the graph"
        for layer in module.modules():
            # A model without storage has no weights to be pruned; give its classes back.
            release(layer)


def test_rules_hold_in_a_module_as_in_a_graph():
    model = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 12, 1), nn.Flatten(), nn.Linear(12, 8), nn.Linear(8, 8))
    rules = {
        "dense": DenseRule(names=("3",)),
        "layers": (LayerRule(names=("4",), sparsity="1:4", stages=("FF",)), LayerRule(names=("?",), sparsity="2:8")),
    }
    applied = apply(model, load_recipe("bdwp").model.model_copy(update=rules), Pattern(2, 4))
    patterns = {path: {stage.value: str(own) for stage, own in each.patterns.items()} for path, each in
                applied.layers.items()}  # fmt: skip
    assert patterns == {"0": {}, "1": {"FF": "2:8"}, "3": {}, "4": {"FF": "1:4", "BP": "2:8"}}
    assert applied.dense_reasons == {
        "0:FF": "first convolution",
        "0:BP": "first convolution",
        "1:BP": "12 channels are not divisible by 8",
        "3:FF": "named dense by the recipe",
        "3:BP": "named dense by the recipe",
    }


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"dense": DenseRule(names=("0", "hed"))}, "dense.names.1: got 'hed', need the path of a matrix product of "),
        ({"layers": (LayerRule(names=("1",), sparsity="2:4"),)}, "layers.0.names.0: got '1', need the path of a "),
    ],
)
def test_a_rule_that_names_no_layer_is_refused(rules, message):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    with pytest.raises(ConfigError) as wrong:
        apply(model, load_recipe("bdwp").model.model_copy(update=rules), Pattern(2, 4))
    assert str(wrong.value).startswith(message)
    assert type(model[0]) is nn.Linear, "untouched"


def test_a_weight_tied_to_an_embedding_stays_dense():
    model = nn.ModuleDict({"tokens": nn.Embedding(16, 8), "logits": nn.Linear(8, 16, bias=False)})
    model["logits"].weight = model["tokens"].weight
    applied = apply(model, load_recipe("bdwp").model, Pattern(2, 4))
    assert set(applied.dense_reasons.values()) == {"weight tied to an embedding"}


def test_torchs_attention_is_left_alone_and_its_reason_told():
    model = nn.MultiheadAttention(8, 2, batch_first=True)
    values = torch.randn(2, 3, 8)
    before = model(values, values, values)[0].detach()
    applied = apply(model, load_recipe("bdwp").model, Pattern(2, 4))
    reason = "torch's MultiheadAttention multiplies by its weight without calling it"
    packed = "torch multiplies by its weights in a function"
    assert applied.dense_reasons == {"out_proj:FF": reason, "out_proj:BP": reason, ":FF": packed, ":BP": packed}
    assert torch.equal(model(values, values, values)[0], before)


@pytest.mark.parametrize("masked", [False, True])
def test_a_transformer_layer_multiplies_by_the_same_weights_in_evaluation(masked):
    """Torch's kernel for evaluation reads the layers' weights past their forward passes."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 2)
    applied = apply(model, load_recipe("sr-ste").model, Pattern(1, 4))
    values = torch.randn(2, 3, 16)
    padding = torch.tensor([[False] * 3, [False, False, True]]) if masked else None
    trained = model(values, src_key_padding_mask=padding).detach()
    model.eval()
    with torch.no_grad():
        evaluated = model(values, src_key_padding_mask=padding)
    kept = slice(None) if padding is None else ~padding
    torch.testing.assert_close(evaluated[kept], trained[kept])
    applied.remove()
    assert model.use_nested_tensor
    assert model.layers[0].activation_relu_or_gelu == 1
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.testing.assert_close(model(values, src_key_padding_mask=padding)[kept], trained[kept])


class Scaled(nn.Linear):
    """A forward pass of its own, with an argument more."""

    def forward(self, values, factor=1.0):
        return super().forward(values) * factor


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("patched", [False, True])
def test_a_layer_with_a_forward_pass_of_its_own_keeps_it(precision, patched):
    model = nn.Sequential(nn.Linear(8, 8) if patched else Scaled(8, 8))
    if patched:
        own = model[0].forward
        model[0].forward = lambda values, factor=1.0: own(values) * factor
    values = torch.randn(2, 8)
    before = model[0](values, factor=3.0).detach()
    applied = apply(model, load_recipe("bdwp").model, Pattern(2, 4), precision=precision)
    with applied.watched():
        assert torch.equal(model[0](values, factor=3.0), before)
    name = "Linear" if patched else "Scaled"
    assert set(applied.dense_reasons.values()) == {f"{name} has a forward pass of its own"}
    applied.remove()
    assert torch.equal(model[0](values, factor=3.0), before)


# Refused -------------------------------------------------------------------------------------------------------------


def computed() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Linear(8, 8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.LazyLinear(8), "0: got a lazy layer without a weight, need one; try running the model once first"),
        (lambda: nn.LazyConv2d(8, 3), "0: got a lazy layer without a weight"),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), "0: got a parametrised weight, need a plain"),
        (computed, "0: got a weight that a hook computes, need a parameter; try removing that hook"),
    ],
)
def test_a_layer_without_a_weight_of_its_own_is_refused(make, message):
    with pytest.raises(ConfigError) as wrong:
        apply(nn.Sequential(make()), load_recipe("bdwp").model, Pattern(2, 4))
    assert str(wrong.value).startswith(message)


def test_a_second_recipe_is_refused_and_a_removed_one_makes_room():
    model = nn.Sequential(nn.Linear(8, 8))
    first = apply(model, load_recipe("bdwp").model, Pattern(2, 4))
    with pytest.raises(ConfigError, match=r"0: got a layer under a recipe already, need a plain model; try remove\(\)"):
        apply(model, load_recipe("dense").model, Pattern(2, 4))
    first.remove()
    apply(model, load_recipe("sr-ste").model, Pattern(2, 4))


def test_a_recipe_over_time_needs_the_steps_of_its_run():
    for name in RECIPES:
        if load_recipe(name).model.schedule != load_recipe("dense").model.schedule:
            with pytest.raises(ConfigError, match="steps: got nothing, need the steps of the whole run"):
                apply(nn.Linear(8, 8), load_recipe(name).model, Pattern(2, 4))


def test_autocast_is_refused_where_it_would_change_the_recipes_arithmetic():
    model = nn.Sequential(nn.Linear(8, 8))
    apply(model, load_recipe("bdwp").model, Pattern(2, 4))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ConfigError, match=r"0: got torch\.autocast, need none"):
        model(torch.randn(2, 8))


# Watching ------------------------------------------------------------------------------------------------------------


def test_a_watched_step_counts_non_zero_inputs_and_gradients_and_changes_no_result():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    applied = apply(model, load_recipe("bdwp").model, Pattern(2, 4))
    values = torch.randn(3, 8)
    plain = model(values)
    hidden = model[:2](values)
    with applied.watched() as tallies:
        output = model(values)
        output.backward(torch.tensor([[1.0, 0, 0, 0]] * 3))
    assert torch.equal(output, plain)
    assert tallies["0"].density("input") == 1.0
    assert tallies["2"].density("input") == pytest.approx(float((hidden != 0).float().mean()))
    assert tallies["2"].density("gradient") == 0.25
    with applied.watched() as tallies:
        model.eval()(values)
    assert tallies["0"].density("input") is None, "evaluation is no training step"
