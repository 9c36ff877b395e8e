"""Designs evaluated side by side have, to the last bit, the figures that each has when it is simulated alone."""

import dataclasses

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.studies.explore import evaluation
from bisparse.sim.studies.explore.one_by_one import simulate_point
from bisparse.sim.studies.explore.point import Point
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
        Point(
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


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("workload", ["resnet9-cifar10", "vit-cifar10"])
def test_side_by_side_is_one_by_one(seed, workload, monkeypatch):
    points = wild_points(seed, workload, 6)
    alone = [simulate_point(point, "test") for point in points]
    # None is to be let through to the slow way but those that cannot run.
    monkeypatch.setattr(evaluation, "_FEWEST", 1)
    together = evaluation.evaluate(points, "test")
    for one, other in zip(alone, together, strict=True):
        assert other.reason == one.reason
        assert other.figures == one.figures


def test_most_wild_points_run():
    reasons = [simulate_point(point, "test").reason for point in wild_points(1, "resnet9-cifar10", 4)]
    assert not all(reasons)


def test_what_is_not_done_side_by_side_is_simulated_alone():
    point = wild_points(0, "resnet9-cifar10", 1)[0]
    for options in (Options(batch=2, objective="energy"), Options(batch=2, overlap_vector=True, keep_on_chip=False)):
        design = Point(
            hardware=point.hardware,
            workload=point.workload,
            recipe=load_recipe("bdwp"),
            pattern=Pattern(2, 8),
            options=options,
        )
        assert evaluation.evaluate([design] * 4, "test") == [simulate_point(design, "test")] * 4


def designs_beside_tables(tmp_path, rows):
    """The same words in two folders, beside tables of other prices."""
    found = []
    for folder, price in (("cheap", "0.001"), ("dear", "1000")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "table.yaml").write_text(
            f"name: table\nextends: 16nm-fpga\nstatic_watts: {price}\n", encoding="utf-8"
        )
        for number in rows:
            file = tmp_path / folder / f"{number}.yaml"
            file.write_text(
                f"name: beside\nextends: sat-vcu1525\nenergy_table: ./table.yaml\ntensor_engine: {{rows: {number}}}\n",
                encoding="utf-8",
            )
            found.append(load_hardware(str(file)))
    return found


def test_tables_beside_files_of_the_same_words_are_told_apart(tmp_path):
    hardware = designs_beside_tables(tmp_path, (16, 32))
    assert hardware[0].sha256 == hardware[2].sha256
    points = [
        Point(
            hardware=each,
            workload=load_workload("resnet9-cifar10"),
            recipe=load_recipe("bdwp"),
            pattern=Pattern(2, 8),
            options=Options(batch=2),
        )
        for each in hardware
    ]
    together = evaluation.evaluate(points, "test")
    assert together == [simulate_point(point, "test") for point in points]
    assert together[2].figures["energy_joules"] > 10 * together[0].figures["energy_joules"]


def test_a_design_that_its_table_does_not_price_is_a_row_like_any_other():
    draw = Draw(5)
    kind = wild_kind(draw)
    hardware = [wild_numbers(draw, kind) for _ in range(4)]
    unpriced = dataclasses.replace(
        hardware[0],
        model=hardware[0].model.model_copy(
            update={"dram": hardware[0].model.dram.model_copy(update={"technology": "core memory"})}
        ),
        sha256="another",
    )
    points = [
        Point(
            hardware=each,
            workload=load_workload("resnet9-cifar10"),
            recipe=load_recipe("dense"),
            pattern=Pattern(2, 8),
            options=Options(batch=2),
        )
        for each in (*hardware, unpriced)
    ]
    outcomes = evaluation.evaluate(points, "test")
    assert "core memory" in outcomes[-1].reason
    assert outcomes[:-1] == [simulate_point(point, "test") for point in points[:-1]]
