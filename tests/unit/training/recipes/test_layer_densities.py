"""Densities by layer: ERK's formula against its own definition, and the same layers in a graph and in torch."""

import math

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.graph import Stage
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.layer_densities import erk_densities
from torch import nn

from bisparse.api import capture, simulate

SHAPES = {"stem": [(16, 3, 3, 3)], "body": [(64, 16, 3, 3)], "wide": [(256, 64, 1, 1)], "head": [(10, 256)]}


def elements(shapes):
    return {name: sum(map(math.prod, each)) for name, each in shapes.items()}


@pytest.mark.parametrize("density", [0.05, 0.1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("dense", [(), ("head",)])
def test_layers_together_keep_what_is_asked_for(density, dense):
    sizes = elements(SHAPES)
    if dense and density * sum(sizes.values()) <= sizes["head"]:
        return
    found = erk_densities(SHAPES, density, dense=dense)
    assert sum(found[name] * sizes[name] for name in sizes) == pytest.approx(density * sum(sizes.values()))
    assert all(0 < each <= 1 for each in found.values())
    assert all(found[name] == 1 for name in dense)


def test_a_density_goes_with_the_sum_of_dims_over_their_product_as_far_as_it_may():
    """At 5% no layer is full but the stem: 25/432 of it is 0.0579, body 86/9216, wide 322/16384, head 266/2560."""
    raw = {"stem": 25 / 432, "body": 86 / 9216, "wide": 322 / 16384, "head": 266 / 2560}
    found = erk_densities(SHAPES, 0.01)
    scale = found["body"] / raw["body"]
    assert found == pytest.approx({name: scale * each for name, each in raw.items()})


def test_layers_beyond_full_are_full_and_the_others_are_solved_anew():
    found = erk_densities({"small": [(2, 2)], "large": [(100, 100)]}, 0.1)
    # 1000.4 of 10004 weights are kept: all 4 of the small layer, 996.4 of the large one.
    assert found == pytest.approx({"small": 1.0, "large": 0.09964})


def test_what_stays_dense_may_not_be_more_than_is_kept():
    with pytest.raises(ConfigError, match="got 99% zeros, need fewer"):
        erk_densities(SHAPES, 0.01, dense=("head",))


def network():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1, groups=2), nn.ReLU(),
        nn.ConvTranspose2d(32, 8, 2, stride=2), nn.Flatten(), nn.Linear(8 * 256, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


@pytest.mark.parametrize("density", ["erk", "erk-plus"])
def test_what_is_trained_is_what_is_simulated(density):
    recipe = load_recipe("random-erk").model.model_copy(update={"layer_density": density})
    pattern = parse_format("80%")
    graph = capture(network(), "3x8x8")
    annotated = annotate(graph, recipe, pattern, pre_generation=True)
    simulated = {
        each.module: annotated.prunings.get(each.name) for each in graph.products if each.stage is Stage.FORWARD
    }
    model = network()
    applied = apply(model, recipe, pattern)
    kept = {}
    for path, layer in applied.layers.items():
        own = layer.patterns.get(Stage.FORWARD)
        assert (None if simulated[path] is None else simulated[path].pattern) == own
        weight = model.get_submodule(path).weight
        kept[path] = weight.numel() * (1.0 if own is None else own.density), weight.numel()
    assert sum(each for each, _ in kept.values()) == pytest.approx(
        0.2 * sum(each for _, each in kept.values()), rel=1e-5
    )
    if density == "erk-plus":
        assert applied.layers["8"].patterns == {}, "the classifier"


def test_the_masks_have_their_densities():
    torch.manual_seed(0)
    applied = apply(network(), load_recipe("random-erk").model, parse_format("80%"))
    for path, layer in applied.layers.items():
        if Stage.FORWARD in layer.patterns:
            mask = applied.mask(path, Stage.FORWARD)
            assert mask.float().mean().item() == pytest.approx(
                layer.patterns[Stage.FORWARD].density, abs=1 / mask.numel()
            )


def test_n_m_is_the_same_everywhere():
    applied = apply(network(), load_recipe("random-erk").model, parse_format("2:4"))
    assert {str(each) for layer in applied.layers.values() for each in layer.patterns.values()} == {"2:4"}


@pytest.mark.parametrize(("sparsity", "zeros"), [("75%", (0.5, 0.875)), ("60%", (0.4, 0.7))])
def test_a_simulation_has_the_zeros_that_a_run_with_one_threshold_left_each_layer(sparsity, zeros):
    """Of 128 and of 256 weights 64 and 224 were zero; where other shares are asked for, of each in proportion."""
    model = nn.Sequential(nn.Linear(8, 16, bias=False), nn.Linear(16, 16, bias=False))
    rows = tuple(
        LayerDensity(epoch=epoch, module=path, forward_weight_density=kept)
        for epoch, path, kept in ((1, "0", 1.0), (1, "1", 1.0), (2, "0", 0.5), (2, "1", 0.125))
    )
    measured = LayerDensities(name="run", sha256="", rows=rows, trained_as=("essential-sparsity", "75%"))
    result = simulate(
        capture(model, "8"), "sat-unstructured", "essential-sparsity", sparsity, densities=measured, batch=4
    )
    found = result.operators.set_index("name")["sparsity"]
    assert [found[f"{path}:FF"] for path in ("0", "1")] == [f"{100 * each:g}%" for each in zeros]
