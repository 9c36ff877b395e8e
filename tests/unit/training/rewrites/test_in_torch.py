"""Rewrites made on modules: their captures have the rewritten graph's products, and they compute what is defined."""

import copy
import pickle

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import Recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.rewrites.apply import learning_weights_of
from bisparse.training.rewrites.in_torch import check_rewritten, rewrite_module
from bisparse.training.rewrites.kinds import (
    Adapters,
    Doped,
    Factorised,
    Keep,
    LowRank,
    Monarch,
    Parallel,
    Partial,
    SparsePlusLowRank,
)
from torch import nn

from .conftest import LAYERS, NETWORKS, captured

STANDING = {"cnn": ("first", "second", "down"), "transformer": LAYERS["transformer"]}
NORM = {"cnn": "batch-norm", "transformer": "nothing"}
RELU = {"cnn": "batch-norm-relu", "transformer": "relu"}
LAYERED = {
    "low rank": lambda name: LowRank(kind="low-rank", rank=4, layers=STANDING[name]),
    "parallel": lambda name: Parallel(kind="parallel", branches=3, between=NORM[name], layers=STANDING[name]),
    "factorised": lambda name: Factorised(
        kind="factorised", zeros_percent=75, between=RELU[name], layers=STANDING[name]
    ),
    "doped": lambda name: Doped(kind="doped", zeros_percent=75, layers=STANDING[name]),
    "factored": lambda name: SparsePlusLowRank(
        kind="sparse-plus-low-rank", rank=4, form="factored", scale=0.5, layers=STANDING[name]
    ),
    "rebuilt": lambda name: SparsePlusLowRank(
        kind="sparse-plus-low-rank", rank=4, kept_percent=10, scale=0.5, layers=STANDING[name]
    ),
    "rebuilt once": lambda name: SparsePlusLowRank(
        kind="sparse-plus-low-rank", rank=4, kept_percent=10, keep_weight=True, layers=STANDING[name]
    ),
    "adapters": lambda name: Adapters(kind="adapters", rank=4, scale=0.5, layers=STANDING[name]),
}
CASES = [
    *[(network, title, make(network)) for network in NETWORKS for title, make in LAYERED.items()],
    (
        "transformer",
        "adapters with a gate and a residual",
        Adapters(kind="adapters", rank=4, gate={"penalty": 0.1}, residual=5, layers=LAYERS["transformer"]),
    ),
    ("transformer", "inputs that learn", Partial(kind="partial", inputs=0.3, layers=LAYERS["transformer"])),
    ("transformer", "outputs that learn", Partial(kind="partial", outputs=0.3, layers=("*.projection",))),
    ("transformer", "monarch", Monarch(kind="monarch", blocks=4, layers=LAYERS["transformer"])),
    ("cnn", "wider", Keep(kind="keep", channels=2.0)),
    ("cnn", "narrower", Keep(kind="keep", channels={"stem": 0.5})),
    ("transformer", "half the neurons", Keep(kind="keep", neurons=0.5)),
    ("transformer", "shallower", Keep(kind="keep", layers=0.5)),
]


def rewritten_by(name, *entries):
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    model = make()
    planned = rewrite_module(model, entries, captured(lambda: model, shape))
    return model, planned, captured(lambda: model, shape)


def inputs_of(name):
    return torch.randn(2, 3, 8, 8) if name == "cnn" else torch.randint(0, 64, (2, 16))


@pytest.mark.parametrize(("name", "title", "entry"), CASES, ids=lambda each: each if isinstance(each, str) else "")
def test_its_capture_has_the_products_of_the_rewritten_graph(name, title, entry):
    model, planned, found = rewritten_by(name, entry)
    check_rewritten(found, planned)
    for stage in (Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT):
        assert found.macs(4, stage) == planned.graph.macs(4, stage)
    model(inputs_of(name)).sum().backward()
    learning = [each for each in model.parameters() if each.requires_grad]
    assert sum(each.numel() for each in learning) == learning_weights_of(planned.graph)
    assert {id(each) for each in model.parameters() if each.grad is not None} == {id(each) for each in learning}
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert list(again.state_dict()) == list(model.state_dict())


def test_entries_follow_one_another():
    model, planned, found = rewritten_by(
        "cnn",
        Keep(kind="keep", channels=2.0),
        LowRank(kind="low-rank", rank=4, layers=("down",)),
        Doped(kind="doped", zeros_percent=50, layers=("down.expand",)),
    )
    check_rewritten(found, planned)
    assert isinstance(model.down.expand.doped_a, nn.Conv2d)


def test_each_computes_what_it_is_defined_as():
    """In double precision, of a linear layer: the sum and the products that the definitions write."""
    names = ("blocks.0.feed_forward.0",)
    x = torch.randn(3, 5, 32, dtype=torch.float64)

    def layer_under(entry):
        make, shape = NETWORKS["transformer"]
        model = make()
        rewrite_module(model, [entry], captured(lambda: model, shape))
        return model.double().get_submodule(names[0])

    low = layer_under(LowRank(kind="low-rank", rank=4, layers=names))
    u, v = low.expand.weight, low.reduce.weight
    torch.testing.assert_close(low(x), x @ (u @ v).T + low.expand.bias)
    doped = layer_under(Doped(kind="doped", zeros_percent=75, layers=names))
    whole = doped.weight + doped.doped_b.weight @ doped.doped_a.weight
    torch.testing.assert_close(doped(x), x @ whole.T + doped.bias)
    half = layer_under(LAYERED["factored"]("transformer"))
    assert not half.low_rank_b.weight.any(), "it begins as the layer that it was"
    nn.init.normal_(half.low_rank_b.weight)
    whole = half.weight + 0.5 * half.low_rank_b.weight @ half.low_rank_a.weight
    torch.testing.assert_close(half(x), x @ whole.T + half.bias)
    sum_of = layer_under(LAYERED["parallel"]("transformer"))
    whole = sum(getattr(sum_of, f"branch_{each}").weight for each in (1, 2, 3))
    torch.testing.assert_close(sum_of(x), x @ whole.T + sum_of.bias)
    blocks = layer_under(Monarch(kind="monarch", blocks=4, layers=names))
    first, second = (torch.block_diag(*each.weight) for each in (blocks.blocks_1, blocks.blocks_2))
    inner, outer = first.shape[0], second.shape[0]
    dealt = torch.arange(inner).view(-1, 4).T.flatten()
    behind = torch.arange(outer).view(4, -1).T.flatten()
    torch.testing.assert_close(blocks(x), ((x @ first.T)[..., dealt] @ second.T)[..., behind] + blocks.bias)


def test_what_stands_beside_a_layer_is_added_to_its_pruned_product():
    """The layer under a recipe multiplies by its mask's weights; its factors stay dense."""
    model, _, _ = rewritten_by("transformer", Doped(kind="doped", zeros_percent=75, layers=LAYERS["transformer"]))
    plain = copy.deepcopy(model)
    recipe = Recipe.model_validate(
        {
            "name": "mine", "title": "Mine", "source": "a test", "forward": {"operand": "weight"},
            "mask_search": {"method": "given"}, "dense": {"names": ["*.doped_a", "*.doped_b", "*attention*"]},
            "rewrites": [{"kind": "doped", "zeros_percent": 75, "layers": list(LAYERS["transformer"])}],
        }
    )  # fmt: skip
    applied = apply(model, recipe, parse_format("75%"))
    pruned = [path for path, layer in applied.layers.items() if layer.patterns]
    assert pruned == list(LAYERS["transformer"])
    with torch.no_grad():
        for path in pruned:
            mask = applied.mask(path, Stage.FORWARD)
            assert mask.float().mean() == 0.25
            plain.get_submodule(path).weight.mul_(mask)
    tokens = inputs_of("transformer")
    torch.testing.assert_close(model.eval()(tokens), plain.eval()(tokens))


def test_a_recipe_that_rewrites_needs_a_model_that_was():
    recipe = Recipe.model_validate(
        {
            "name": "mine", "title": "Mine", "source": "a test",
            "rewrites": [{"kind": "low-rank", "rank": 4}],
        }
    )  # fmt: skip
    with pytest.raises(ConfigError, match="mine: got a model that its rewrites were not made on, need one that they"):
        apply(NETWORKS["cnn"][0](), recipe, Pattern(2, 4))


class Own(nn.Linear):
    """A layer of a class of the user's own."""


def test_what_cannot_be_rewritten_is_refused_with_its_entry():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), Own(16, 4))
    graph = captured(lambda: model, (8,))
    entries = [LowRank(kind="low-rank", rank=2, layers=("0",)), LowRank(kind="low-rank", rank=2, layers=("2",))]
    with pytest.raises(ConfigError, match=r"rewrites.1.layers: got 2, a Own, need nn.Linear or nn.Conv1d to 3d"):
        rewrite_module(model, entries, graph)


def test_a_model_that_multiplies_otherwise_is_refused():
    _, planned, _ = rewritten_by("cnn", Keep(kind="keep", channels=2.0))
    make, shape = NETWORKS["cnn"]
    with pytest.raises(ConfigError, match="rewrites: got a model that multiplies otherwise at "):
        check_rewritten(captured(make, shape), planned)


def test_a_layer_of_ones_own_class_keeps_its_class():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), Own(16, 12), nn.ReLU(), nn.Linear(12, 4))
    planned = rewrite_module(model, [Keep(kind="keep", neurons=0.5)], captured(lambda: model, (8,)))
    assert type(model[2]) is Own
    assert model[2].weight.shape == (6, 8)
    check_rewritten(captured(lambda: model, (8,)), planned)
