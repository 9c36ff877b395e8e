"""Designs evaluated side by side have, to the last bit, the figures that each has when it is simulated alone."""

import pytest
from bisparse.configs.pattern import Pattern
from bisparse.sim.explore import evaluation
from bisparse.sim.explore.design import Design
from bisparse.sim.explore.one_by_one import simulate_design
from bisparse.sim.simulation import Options
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

from .wild_designs import Draw, wild_kind, wild_numbers

RECIPES = ("bdwp", "bdwp", "sdgp", "sr-ste", "bi-mask", "transposable", "dense", "step")
PATTERNS = (Pattern(2, 8), Pattern(2, 8), Pattern(2, 4), Pattern(1, 8), Pattern(1, 16), Pattern(3, 7))


def wild_points(seed, workload, designs):
    draw = Draw(seed)
    kind = wild_kind(draw)
    hardware = [wild_numbers(draw, kind) for _ in range(max(designs * 2 // 3, 1))]
    return [
        Design(
            hardware=draw.one(*hardware),
            workload=load_workload(workload),
            recipe=load_recipe(draw.one(*RECIPES)),
            pattern=draw.one(*PATTERNS),
            options=Options(
                batch=draw.one(2, 8, 8),
                optimizer=draw.one("sgd-momentum", "adam"),
                interleave=seed % 4 != 3,
                pre_generation=draw.one(None, None, True),
            ),
        )
        for _ in range(designs)
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("workload", ["resnet9-cifar10", "vit-cifar10"])
def test_side_by_side_is_one_by_one(seed, workload, monkeypatch):
    points = wild_points(seed, workload, 6)
    alone = [simulate_design(point, "test") for point in points]
    # None is to be let through to the slow way but those that cannot run.
    monkeypatch.setattr(evaluation, "_FEWEST", 1)
    together = evaluation.evaluate(points, "test")
    for one, other in zip(alone, together, strict=True):
        assert other.reason == one.reason
        assert other.figures == one.figures


def test_most_wild_points_run():
    reasons = [simulate_design(point, "test").reason for point in wild_points(1, "resnet9-cifar10", 4)]
    assert not all(reasons)


def test_what_is_not_done_side_by_side_is_simulated_alone():
    point = wild_points(0, "resnet9-cifar10", 1)[0]
    for options in (Options(batch=2, objective="energy"), Options(batch=2, overlap_vector=True, keep_on_chip=False)):
        design = Design(
            hardware=point.hardware,
            workload=point.workload,
            recipe=load_recipe("bdwp"),
            pattern=Pattern(2, 8),
            options=options,
        )
        assert evaluation.evaluate([design] * 4, "test") == [simulate_design(design, "test")] * 4
