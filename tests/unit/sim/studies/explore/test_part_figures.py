"""Figures of FPGA parts in a sweep: they rule designs out before anything is simulated, and cost only who asks."""

import pytest
from bisparse.accel.area import area, load_area_table, total
from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.sim.studies.explore.figures import FIGURES
from bisparse.sim.studies.explore.loading import space_of_data
from bisparse.sim.studies.explore.part_figures import PART_FIGURES, about

import bisparse

ROWS = "hardware.tensor_engine.rows"
SHARE = "fit.vcu1525.share"


def sweep(**given):
    base = {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 1}
    return {"base": base, "axes": {ROWS: [4, 512]}, "objectives": [{"minimise": "step_seconds"}], **given}


def test_a_design_that_does_not_fit_is_ruled_out_before_it_is_simulated():
    space = space_of_data(sweep(constraints=[f"{SHARE} <= 1"]))
    assert space.violated({ROWS: 4}, None) == ""
    assert f"got {SHARE}" in space.violated({ROWS: 512}, None)


def test_a_table_has_the_figures_that_are_asked_for_and_no_others():
    asked = space_of_data(sweep(constraints=[f"{SHARE} <= 1"], objectives=[{"minimise": "fit.vcu1525.luts"}]))
    assert asked.supplied_figures == (SHARE, "fit.vcu1525.luts")
    assert space_of_data(sweep()).supplied_figures == ()


def test_a_study_under_a_constraint_says_which_designs_fit():
    table = bisparse.explore(sweep(constraints=[f"{SHARE} <= 1"]))
    fits = table.set_index(ROWS)
    assert bool(fits.loc[4, "feasible"])
    assert not bool(fits.loc[512, "feasible"])
    assert 0 < fits.loc[4, SHARE] <= 1


def test_area_rules_designs_out_and_is_aimed_at():
    told = sweep(constraints=["area.mm2_22nm_high <= 60"], objectives=[{"minimise": "area.mm2_22nm"}])
    table = bisparse.explore(told | {"axes": {ROWS: [8, 16, 128]}}).set_index(ROWS)
    assert table["feasible"].tolist() == [True, True, False]
    found = table.loc[8, "area.mm2_22nm"]
    hardware = set_fields(load_hardware("sat-vcu1525"), [f"{ROWS.removeprefix('hardware.')}=8"]).model
    assert found == pytest.approx(total(area(hardware, load_area_table("22nm"))).value)
    assert found < table.loc[16, "area.mm2_22nm"]


def test_a_design_whose_memories_an_area_table_does_not_have_is_a_row_with_a_reason():
    told = sweep(objectives=[{"minimise": "area.mm2_22nm"}])
    table = bisparse.explore(told | {"axes": {"hardware.buffers.west.banks": [32, 8192]}})
    assert table["feasible"].tolist() == [True, False]


def test_no_name_stands_for_two_figures():
    assert not FIGURES.keys() & PART_FIGURES.keys()
    assert all(figure.known_before and about(name) is figure for name, figure in PART_FIGURES.items())


def test_a_part_that_is_not_shipped_is_refused():
    with pytest.raises(bisparse.ConfigError, match=r"fit\.vcu1526\.share"):
        space_of_data(sweep(constraints=["fit.vcu1526.share <= 1"]))
