"""What an ablation of any recipe on any design must satisfy."""

from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.objective import slowest_alike
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.ablation.ablation import SWITCHES, Ablation
from bisparse.sim.studies.ablation.run_ablation import ablate
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

from .pairs import pairs, recipes_of_a_step

CASES = [(design, recipe) for recipe, design in pairs(recipes_of_a_step(), names("hardware"))]


@cache
def simulator(design) -> Simulator:
    """Shared by every recipe, so that equal products are mapped once."""
    return Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware(design),
        options=Options(batch=8),
        version="test",
    )


@cache
def ablated(design, recipe) -> Ablation:
    return ablate(simulator(design), load_recipe(recipe), Pattern(2, 8))


@pytest.fixture(params=CASES, ids="-".join)
def ablation(request) -> Ablation:
    return ablated(*request.param)


def test_every_switch_has_a_row_on_alone_and_a_row_off_alone_with_figures_or_a_reason(ablation):
    for switch in SWITCHES:
        assert ablation.of("alone", switch)
        assert ablation.of("all but", switch)
    for row in ablation.rows:
        assert (row.figures is None) == bool(row.reason)
    assert ablation.all_on.figures is not None


def test_every_cycle_of_every_row_has_a_cause(ablation):
    for row in ablation.rows:
        if row.figures is not None:
            assert sum(row.figures.stalls.values()) == row.figures.total_cycles
            assert row.figures.gemm_cycles <= row.figures.total_cycles
            assert 0 < row.figures.array_utilisation <= 1


def test_no_switch_slows_the_products_by_itself_or_beside_the_others(ablation):
    """A law of products alone: a step may be slower, since a faster product leaves DRAM less time for updates.

    A wider choice of mappings may hold one of less energy among those that count as fast.
    """
    on = ablation.all_on.figures.gemm_cycles
    for row in ablation.rows:
        if row.figures is not None:
            assert on <= slowest_alike(row.figures.gemm_cycles)
            if row.group == "alone":
                assert row.figures.gemm_cycles <= slowest_alike(ablation.base.figures.gemm_cycles)
