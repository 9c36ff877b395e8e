"""Shipped recipes that are no plain training step of the network as it is: kernels of inference, and Sparse-IFT."""

from __future__ import annotations

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

KERNELS = ("cpu-spmm", "fast-sparse-convnets", "sparsebytenn")
SPARSE_IFT = ("wide", "parallel", "factorised", "doped")


def simulator(workload, **options):
    return Simulator(
        workload=load_workload(workload),
        hardware=load_hardware("sat-unstructured"),
        options=Options(**options),
        version="test",
    )


@pytest.fixture(scope="module")
def mobile():
    return simulator("mobilenet-v2-imagenet", batch=2, pass_="inference")


@pytest.fixture(scope="module")
def network():
    return simulator("resnet9-cifar10", batch=4)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_of_inference_keeps_what_it_is_usually_run_with(mobile, name):
    recipe = load_recipe(name)
    pattern = parse_format(recipe.model.usual.sparsity)
    result = mobile.run(recipe, pattern)
    assert result.inference
    assert 1 < result.flop_bound_speedup <= 1 / pattern.density


@pytest.mark.parametrize("name", ["fast-sparse-convnets", "sparsebytenn"])
def test_depthwise_and_first_convolutions_of_a_mobile_network_stay_dense(mobile, name):
    recipe = load_recipe(name)
    pruned = mobile.schedule(recipe, parse_format(recipe.model.usual.sparsity)).pruned
    kernels = {each.name: each.geometry.kernel for each in pruned.graph.products if hasattr(each.geometry, "kernel")}
    assert {kernels[name] for name in pruned.prunings if name in kernels} == {(1, 1)}
    wide = {name for name, kernel in kernels.items() if kernel != (1, 1)}
    assert wide
    assert wide <= pruned.dense_reasons.keys()


@pytest.mark.parametrize("form", SPARSE_IFT)
def test_sparse_ift_multiplies_as_often_as_the_dense_network(network, form):
    """In all three products, for the weight gradients are those of kept weights alone; ranks are rounded."""
    recipe = load_recipe(f"sparse-ift-{form}")
    result = network.run(recipe, parse_format(recipe.model.usual.sparsity))
    assert result.flop_bound_speedup == pytest.approx(1, abs=0.01)
