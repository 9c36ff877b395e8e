"""Recipes that rewrite layers in a sweep: figures of the step as it is simulated alone, recipes that say so."""

from __future__ import annotations

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import DENSE
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.explore.loading import load_sweep
from bisparse.sim.studies.explore.space import Space
from bisparse.training.recipes.declaration import load_recipe

import bisparse
from bisparse.api import load_workload

SWEEP = """
name: rewritten
title: rewritten
base: {hardware: sat-vcu1525, workload: resnet9-cifar10, sparsity: "2:8", batch: 8}
axes:
  recipe: [dense, ./low.yaml]
  hardware.dram.channels: [2]
objectives:
  - {minimise: step_seconds}
  - {minimise: energy_joules}
"""
RECIPE = """
name: low
title: "Low rank"
source: "a test"
rewrites:
  - {kind: low-rank, rank: 16, layers: ["3.*", "4", "8.*"]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("sweep")
    (found / "low.yaml").write_text(RECIPE)
    (found / "sweep.yaml").write_text(SWEEP)
    return found


def test_its_figures_are_those_of_the_step_alone(folder):
    table = bisparse.explore(folder / "sweep.yaml", jobs=1)
    low = table[table["recipe"] == "./low.yaml"].iloc[0]
    simulator = Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware({"extends": "sat-vcu1525", "dram": {"channels": 2}}),
        options=Options(batch=8),
        version="test",
    )
    result = simulator.run(load_recipe(str(folder / "low.yaml")), DENSE)
    assert low["total_cycles"] == result.total_cycles
    assert low["energy_joules"] == result.energy_joules
    assert low["speedup_vs_dense"] == result.speedup_vs_dense > 1


def test_a_space_knows_its_recipes(folder):
    space = Space(load_sweep(str(folder / "sweep.yaml")))
    assert [[entry.title for entry in each.model.rewrites] for each in space.recipes()] == [[], ["low rank 16"]]
