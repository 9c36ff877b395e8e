"""Activations replaced, cut and penalised on a graph: against captures, by hand, and in a decoding step."""

from __future__ import annotations

from collections import Counter

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.graph import MadeZeros, MatrixProduct, Stage
from bisparse.training.models.attention import SquaredReLU
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.passes.choice import Passes
from bisparse.training.rewrites.activation import SELECTION_PASSES, Activation
from bisparse.training.rewrites.activation_terms import ActivationPenalty, needed_share
from bisparse.training.rewrites.apply import rewritten
from pydantic import ValidationError
from torch import nn

from .conftest import NETWORKS, captured, counted, made, swapped


class FeedForward(nn.Module):
    """Two layers and an activation, a gate beside it or none."""

    def __init__(self, activation: nn.Module, *, gated: bool) -> None:
        super().__init__()
        self.gate, self.down, self.head = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 3)
        self.activation = activation
        if gated:
            self.up = nn.Linear(8, 16)

    def forward(self, x):
        hidden = self.activation(self.gate(x))
        return self.head(self.down(hidden * self.up(x) if hasattr(self, "up") else hidden))


class Convolutions(nn.Module):
    """A shortcut over a normalised convolution, an activation behind each of both."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.stem, self.inner = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm, self.first, self.second = nn.BatchNorm2d(8), activation(), activation()
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = self.first(self.stem(x))
        return self.head(self.second(x + self.norm(self.inner(x))).mean((2, 3)))


def network(activation=nn.SiLU, *, gated=False):
    return captured(lambda: FeedForward(activation(), gated=gated), (8,))


def entry(**asked):
    return Activation(kind="activation", **asked)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize(
    ("before", "function", "after"),
    [
        (nn.SiLU, "relu", nn.ReLU),
        (nn.GELU, "squared-relu", SquaredReLU),
        (SquaredReLU, "relu", nn.ReLU),
        (SquaredReLU, "squared-relu", SquaredReLU),
    ],
)
def test_another_function_is_what_a_capture_of_it_has(before, function, after, gated):
    found = made(network(before, gated=gated), entry(function=function))
    assert counted(found) == counted(network(after, gated=gated))


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize(("function", "after"), [("relu", nn.ReLU), ("squared-relu", SquaredReLU)])
def test_so_it_is_in_a_network_of_convolutions_and_in_a_transformer(function, after, inference):
    make, shape = NETWORKS["transformer"]
    names = [name for name, module in make().named_modules() if isinstance(module, nn.GELU)]
    by_hand = {
        shape: lambda: swapped(make(), names, lambda _: after()),
        (3, 8, 8): lambda: Convolutions(after),
    }
    for as_it_was, of in ((make, shape), (lambda: Convolutions(nn.SiLU), (3, 8, 8))):
        found = made(captured(as_it_was, of, inference=inference), entry(function=function), deployed=inference)
        assert counted(found) == counted(captured(by_hand[of], of, inference=inference))


def test_an_entry_on_what_another_one_made_finds_its_whole_unit():
    twice = made(
        network(gated=True),
        entry(function="squared-relu", penalty={"norm": "tanh", "stages": [{"share": 1, "strength": 1}]}),
        entry(function="relu"),
    )
    # The term of the loss stays: nothing takes back what an entry adds.
    left = Counter(each.kind for each in twice.operators)
    assert left["multiply"] == 3
    assert (left["relu"], left["relu_backward"], left["gradient_add"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("gated", "zeros"),
    [
        (False, {"down": MadeZeros(input=0.75), "gate": MadeZeros(gradient=0.75)}),
        (
            True,
            {"down": MadeZeros(input=0.75), "gate": MadeZeros(gradient=0.75), "up": MadeZeros(gradient=0.75)},
        ),
    ],
)
def test_zeros_go_forwards_to_who_reads_them_and_backwards_to_whose_gradient_passes_them(gated, zeros):
    graph = network(gated=gated)
    found = made(graph, entry(zeros_percent=75))
    assert found.made_zeros == zeros
    assert found.operators == graph.operators, "what is declared alone changes no work"
    assert made(graph, entry(zeros_percent=75, cut={"by": "threshold"})).made_zeros == zeros


def test_zeros_of_several_entries_stand_beside_each_other():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    first, second = entry(layers=("1",), zeros_percent=50), entry(layers=("3",), zeros_percent=75)
    found = made(captured(lambda: model, (8,)), first, second).made_zeros
    assert found == {
        "0": MadeZeros(gradient=0.5),
        "2": MadeZeros(input=0.5, gradient=0.75),
        "4": MadeZeros(input=0.75),
    }


def vector_work(graph, path="activation"):
    """Kind, stage and elements of a sample of what stands under an activation's path."""
    return {
        (each.module.removeprefix(f"{path}."), each.kind, each.stage.value): each.elements.per_sample
        for each in graph.operators
        if each.module.startswith(f"{path}.")
    }


def test_a_cut_costs_a_pass_over_the_values_and_one_over_their_gradient():
    found = vector_work(made(network(), entry(zeros_percent=50, cut={"by": "threshold"})))
    assert found == {("cut", "elementwise", "FF"): 16, ("cut", "elementwise", "BP"): 16}
    chosen = vector_work(made(network(), entry(zeros_percent=50, cut={"by": "top-k"})))
    assert chosen == found | {("selection", "reduce", "FF"): 16 * SELECTION_PASSES}
    by_value = made(network(), entry(function="relu", cut={"by": "value", "value": 0.01}))
    assert vector_work(by_value) == {}


def test_a_penalty_costs_a_sum_and_its_gradient_in_training_alone():
    stages = [{"share": 1, "strength": 0.1}]
    assert vector_work(made(network(), entry(penalty={"stages": stages}))) == {
        ("penalty", "reduce", "FF"): 16,
        ("penalty", "elementwise", "BP"): 16,
    }
    tanh = entry(penalty={"norm": "tanh", "stages": stages})
    assert vector_work(made(network(), tanh)) == {
        ("penalty", "tanh", "FF"): 16,
        ("penalty", "reduce", "FF"): 16,
        ("penalty", "tanh_backward", "BP"): 16,
        ("penalty", "add", "BP"): 16,
    }
    differences = entry(penalty={"norm": "differences", "stages": stages})
    assert vector_work(made(network(), differences)) == {
        ("penalty", "add", "FF"): 16,
        ("penalty", "reduce", "FF"): 16,
        ("penalty", "elementwise", "BP"): 16,
        ("penalty", "add", "BP"): 16,
    }


def test_strength_rises_along_half_cosines_and_stays():
    penalty = ActivationPenalty(stages=[{"share": 0.25, "strength": each} for each in (1.0, 3.0, 7.0)])
    assert [penalty.strength_at(each) for each in (0.0, 0.2, 0.375, 0.625, 0.75, 1.0)] == [1.0, 1.0, 2.0, 5.0, 7.0, 7.0]


# Decoding -------------------------------------------------------------------------------------------------------------


def gpt():
    return captured(
        lambda: Gpt2(vocabulary=50, longest=12, width=16, depth=1, heads=2, dropout=0.0),
        (12,),
        integer_inputs=True,
        loss="token-cross-entropy",
    )


def decoded(graph, rewrite, batch):
    step = Passes(name="decode", kv_length=5).of(rewritten(graph, (rewrite,), deployed=True).graph)
    return rewrite.decoded(step, batch=batch)


def extents(graph, module):
    (found,) = [each.geometry for each in graph.products if each.module == module]
    assert isinstance(found, MatrixProduct)
    return found.k.fixed, found.n.fixed


@pytest.mark.parametrize("batch", [1, 3])
def test_neurons_known_behind_leave_the_product_that_reads_them_smaller(batch):
    rewrite = entry(zeros_percent=75, cut={"by": "threshold"}, decoding={"known": "behind"})
    found = decoded(gpt(), rewrite, batch)
    needed = round(64 * needed_share(0.25, batch))
    assert needed == {1: 16, 3: 37}[batch]
    assert extents(found, "blocks.0.feed_forward.0") == (16, 64)
    assert extents(found, "blocks.0.feed_forward.2") == (needed, 16)
    assert found.tensors["blocks.0.feed_forward.2.weight"].elements(1) == 16 * needed
    assert vector_work(found, "blocks.0.feed_forward.1") == {
        ("cut", "elementwise", "FF"): 64,
        ("kept", "copy", "FF"): 64,
    }
    zeros = found.made_zeros["blocks.0.feed_forward.2"]
    assert zeros.present == needed / 64
    assert zeros.input == pytest.approx(1 - 16 / needed)
    assert f"It decodes with {needed} of 64 neurons of 1 layer" in found.notes[-1]


def test_neurons_of_a_sentence_leave_both_products_smaller_and_nothing_to_find():
    rewrite = entry(zeros_percent=75, cut={"by": "core", "token_percent": 80}, decoding={"known": "ahead"})
    found = decoded(gpt(), rewrite, 1)
    assert extents(found, "blocks.0.feed_forward.0") == (16, 16)
    assert extents(found, "blocks.0.feed_forward.2") == (16, 16)
    assert vector_work(found, "blocks.0.feed_forward.1") == {}
    assert found.tensors["blocks.0.feed_forward.0.bias"].elements(1) == 16
    (gelu,) = [each for each in found.operators if each.kind == "gelu"]
    assert gelu.elements.per_sample == 16


def test_neurons_that_are_foretold_cost_two_products_a_layer():
    rewrite = entry(function="relu", zeros_percent=75, decoding={"known": "ahead", "predictor_rank": 4})
    found = decoded(gpt(), rewrite, 1)
    assert extents(found, "blocks.0.feed_forward.1.predictor.reduce") == (16, 4)
    assert extents(found, "blocks.0.feed_forward.1.predictor.expand") == (4, 64)
    assert extents(found, "blocks.0.feed_forward.2") == (16, 16)


def test_of_a_gated_layer_the_gate_stays_whole_where_its_neurons_are_known_behind():
    from bisparse.training.passes.inference import forward_only
    from bisparse.training.rewrites.activation_terms import DecodedNeurons
    from bisparse.training.rewrites.activation_units import units_of
    from bisparse.training.rewrites.fewer_neurons import with_fewer_neurons

    graph = forward_only(network(gated=True))
    behind, ahead = (
        with_fewer_neurons(graph, dict.fromkeys(units_of(graph), 0.25), DecodedNeurons(known=known), batch=1)
        for known in ("behind", "ahead")
    )
    assert [extents(behind, each) for each in ("gate", "up", "down")] == [(8, 16), (8, 4), (4, 8)]
    assert [extents(ahead, each) for each in ("gate", "up", "down")] == [(8, 4), (8, 4), (4, 8)]


def test_what_was_measured_of_a_layer_says_how_many_of_its_neurons_stay():
    def measured(share):
        row = LayerDensity(epoch=1, module="blocks.0.feed_forward.2", input_density=share)
        return LayerDensities(name="run", sha256="", rows=(row,))

    graph = gpt()
    behind = entry(zeros_percent=75, cut={"by": "threshold"}, decoding={"known": "behind"})
    step = Passes(name="decode", kv_length=5).of(rewritten(graph, (behind,), deployed=True).graph)
    found = behind.decoded(step, batch=1, densities=measured(0.125))
    assert extents(found, "blocks.0.feed_forward.2") == (8, 16)
    assert "8 of 64 neurons of 1 layer: those that one token needs at 87.5% zeros each" in found.notes[-1]
    assert found.made_zeros["blocks.0.feed_forward.2"].measured(0.125) == 1.0
    core = entry(zeros_percent=75, cut={"by": "core", "token_percent": 80}, decoding={"known": "ahead"})
    step = Passes(name="decode", kv_length=5).of(rewritten(graph, (core,), deployed=True).graph)
    assert extents(core.decoded(step, batch=1, densities=measured(0.9)), "blocks.0.feed_forward.2") == (16, 16)


def test_all_neurons_stay_where_a_batch_needs_them_all():
    rewrite = entry(zeros_percent=10, cut={"by": "threshold"}, decoding={"known": "behind"})
    found = decoded(gpt(), rewrite, 8)
    assert extents(found, "blocks.0.feed_forward.2") == (64, 16)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "one of function, zeros_percent, cut and penalty"),
        ({"cut": {"by": "top-k"}}, "zeros_percent: got none with cut.by top-k, need the share that it is set to"),
        ({"cut": {"by": "value"}}, "value: got None of value, need a number"),
        ({"zeros_percent": 5, "cut": {"by": "top-k", "value": 1}}, "value: got 1.0 of top-k, need none"),
        ({"function": "relu", "decoding": {"known": "ahead"}}, "zeros_percent: got none with decoding"),
        (
            {"zeros_percent": 5, "decoding": {"known": "behind", "predictor_rank": 4}},
            "predictor_rank: got one of neurons that are known behind, need known: ahead",
        ),
        (
            {"penalty": {"stages": [{"share": 0.6, "strength": 1}, {"share": 0.6, "strength": 1}]}},
            "stages: got shares that add up to 1.2, need 1 at most",
        ),
    ],
)
def test_what_says_too_little_or_too_much_is_refused(asked, told):
    with pytest.raises(ValidationError, match=told):
        entry(**asked)


def test_a_path_that_names_no_activation_is_refused():
    with pytest.raises(ConfigError, match=r"layers.0: got 'gate', need the path of an activation function of net"):
        rewritten(network(), (entry(function="relu", layers=("gate",)),), deployed=False)
    with pytest.raises(ConfigError, match="need a network with relu, gelu or silu, not net"):
        rewritten(network(nn.Tanh), (entry(function="relu"),), deployed=False)


def test_stages_of_a_deployed_network_have_no_penalty():
    graph = captured(lambda: FeedForward(nn.SiLU(), gated=False), (8,))
    stages = [{"share": 1, "strength": 0.1}]
    found = rewritten(graph, (entry(function="relu", penalty={"stages": stages}),), deployed=True).graph
    assert not [each for each in found.operators if each.module.endswith("penalty") and each.stage is not Stage.FORWARD]
    assert vector_work(found) == {}
