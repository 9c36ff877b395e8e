"""A checkpoint and densities of a network that a recipe rewrote: its own zeros count, another's are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import BisparseError, CaptureError, ConfigError
from bisparse.configs.pattern import DENSE
from bisparse.configs.schema import Loaded
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.own_weights import OwnWeights
from bisparse.training.own_weights.held import Held
from bisparse.training.passes.choice import PLAIN
from bisparse.training.recipes.declaration import Recipe, load_recipe

from bisparse.api import load_workload
from bisparse.runs import Column

WORKLOAD = load_workload("resnet9-cifar10")
MASKED = """
name: own
title: own
source: a test
forward: {operand: weight}
backward: {operand: weight}
mask_search: {method: given}
rewrites:
"""
LOW_RANK = '{kind: low-rank, rank: 8, layers: ["3.*", "4"]}'


@pytest.fixture
def recipe(tmp_path):
    def made(entry: str = LOW_RANK) -> Loaded[Recipe]:
        file = tmp_path / "own.yaml"
        file.write_text(f"{MASKED}  - {entry}\n")
        return load_recipe(str(file))

    return made


def two_of_four(shape: tuple[int, ...]) -> np.ndarray:
    kept = np.ones(shape, dtype=bool)
    if len(shape) > 1:
        kept[:, np.arange(shape[1]) % 4 > 1] = False
    return kept


def weights_of(graph, only=lambda name: True) -> OwnWeights:
    shapes = {
        name: tuple(size.fixed for size in tensor.shape)
        for name, tensor in graph.tensors.items()
        if tensor.role == "parameter" and only(name)
    }
    held = {
        name: Held(name=name, shape=shape, nonzero=lambda shape=shape: two_of_four(shape))
        for name, shape in shapes.items()
    }
    return OwnWeights(file=Path("net.pt"), sha256="", tensors=held)


def simulator(weights=None, densities=None, **options) -> Simulator:
    return Simulator(
        workload=WORKLOAD,
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=16, weights=weights, densities=densities, **options),
        version="test",
    )


def rewritten_by(loaded: Loaded[Recipe]):
    return WORKLOAD.rewritten(loaded.model.rewrites, PLAIN).graph


def test_zeros_of_the_layers_that_a_recipe_made_are_found_and_counted(recipe):
    own = recipe()
    column = Column.of(simulator(weights_of(rewritten_by(own))), own, None)
    result = column.simulator.run(own, column.pattern)
    found = {each.parameter: each for each in result.own_zeros.weights}
    assert found["4.0.reduce.weight"].simulated["FF"] == "2:4"
    assert result.own_zeros.missing == ()
    assert result.useful_macs < simulator().run(own, DENSE).useful_macs


def test_weights_that_a_file_lacks_are_named_and_dense(recipe):
    own = recipe()
    under = simulator(weights_of(rewritten_by(own), lambda name: "expand" not in name))
    found = under.own_weights(own.model)
    assert found.missing
    assert all("expand" in name for name in found.missing)


@pytest.mark.parametrize(
    ("rewrite", "says"),
    [
        (LOW_RANK, r"net.pt: got 3.body.0.0.weight, which resnet9-cifar10 under own has not \(low rank 8\)"),
        ("{kind: keep, channels: 0.5}", r"net.pt: .*: got .*, need .* of .* of resnet9-cifar10 under own"),
    ],
)
def test_a_checkpoint_of_the_network_before_is_refused(recipe, rewrite, says):
    own = recipe(rewrite)
    with pytest.raises(CaptureError, match=says):
        Column.of(simulator(weights_of(WORKLOAD.graph)), own, None)


def test_adapters_that_nobody_merged_are_refused_where_they_are_merged(recipe):
    own = recipe('{kind: adapters, rank: 8, layers: ["4"]}')
    apart = weights_of(rewritten_by(own))
    assert simulator(apart).own_weights(own.model).missing == ()
    with pytest.raises(CaptureError, match=r"got 4.0.adapter_a.weight, which resnet9-cifar10 under own has not"):
        simulator(apart, pass_="inference").own_weights(own.model)
    assert simulator(weights_of(WORKLOAD.graph), pass_="inference").own_weights(own.model).missing == ()


@pytest.mark.parametrize("name", ["dense", "lora", "bdwp"])
def test_a_checkpoint_is_not_lost_where_a_recipe_has_no_use_for_it(name):
    with pytest.raises(ConfigError, match=f"weights: got net.pt with {name}, which"):
        Column.of(simulator(weights_of(WORKLOAD.graph)), load_recipe(name), None)


def test_densities_without_a_summary_are_believed_where_their_names_fit(recipe):
    own = recipe()
    rows = tuple(LayerDensity(epoch=0, module=f"4.0.{part}", input_density=0.5) for part in ("reduce", "expand"))
    fitting = LayerDensities(name="loop", sha256="", rows=rows)
    result = simulator(densities=fitting).run(own, DENSE)
    assert result.densities.matched_modules == 2
    others = LayerDensities(name="loop", sha256="", rows=(LayerDensity(epoch=0, module="9", input_density=0.5),))
    with pytest.raises(BisparseError, match="densities: got modules of loop such as '9', need those of"):
        simulator(densities=others).run(own, DENSE)


def test_densities_of_a_run_under_another_recipe_are_refused(recipe):
    rows = (LayerDensity(epoch=0, module="4.0", input_density=0.5),)
    dense = LayerDensities(name="run", sha256="", rows=rows, trained_as=("dense", "dense"))
    with pytest.raises(ConfigError, match="densities: got run, trained under dense, with own, which rewrites layers"):
        simulator(densities=dense).run(recipe(), DENSE)
