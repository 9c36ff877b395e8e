"""Which designs stand out: the front, the best, the knee, the base design's place, and hardware for dense or sparse."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from bisparse.sim.studies.explore.base import base_setting, combined
from bisparse.sim.studies.explore.choices import Goals, along, choose, settings_at, standing
from bisparse.sim.studies.explore.dense_or_sparse import compared_figures, fronts_shared, groups, is_hardware, pair
from bisparse.sim.studies.explore.loading import space_of_data

SIMPLE = space_of_data(
    {
        "name": "simple",
        "base": {
            "hardware": "sat-vcu1525-timed",
            "workload": "resnet9-cifar10",
            "recipe": "bdwp",
            "sparsity": "2:8",
        },
        "axes": {"megabytes": [1, 2]},
        "derived": {"hardware.buffers.west.capacity_bytes": "megabytes * MiB"},
        "objectives": [{"minimise": "step_seconds"}],
    }
)

BOTH = Goals(figures=("step_seconds", "energy_joules"), maximise=(False, False))


def table(rows):
    made = pd.DataFrame(rows, columns=["rows", "sparsity", "step_seconds", "energy_joules", "dense.step_seconds"])
    made["energy_delay_joule_seconds"] = made["step_seconds"] * made["energy_joules"]
    made["dense.energy_joules"] = 2 * made["energy_joules"]
    made["dense.energy_delay_joule_seconds"] = made["dense.step_seconds"] * made["dense.energy_joules"]
    made["feasible"] = made["step_seconds"].notna()
    return made


STUDY = table(
    [
        (8, "2:4", 10.0, 1.0, 20.0),
        (16, "2:4", 2.0, 2.0, 9.0),
        (32, "2:4", 1.0, 10.0, 8.0),
        (32, "2:4", 3.0, 3.0, 8.0),
        (64, "2:4", None, None, None),
        (16, "2:8", 2.0, 2.0, 9.0),
    ]
)


# The front and the best ----------------------------------------------------------------------------------------------


def test_the_front_goes_from_the_best_in_the_first_objective_to_that_in_the_last():
    chosen = choose(STUDY, BOTH)
    assert chosen.feasible.tolist() == [0, 1, 2, 3, 5]
    assert chosen.front.tolist() == [2, 1, 5, 0]
    assert chosen.knee == 1


def test_time_and_energy_rank_by_their_product_and_designs_alike_count_once():
    assert BOTH.ranking == ("energy_delay_joule_seconds", False)
    assert choose(STUDY, BOTH).best.tolist() == [1, 2, 0]
    assert choose(STUDY, BOTH, count=2).best.tolist() == [1, 2]


def test_other_objectives_rank_by_the_first():
    goals = Goals(figures=("energy_joules", "rows"), maximise=(False, True))
    assert goals.ranking == ("energy_joules", False)
    assert choose(STUDY, goals).best.tolist() == [0, 1, 3]
    most = Goals(figures=("rows", "energy_joules"), maximise=(True, False))
    assert choose(STUDY, most).best.tolist() == [3, 1, 0]


def test_a_study_without_a_feasible_design_has_no_choice():
    chosen = choose(STUDY.iloc[[4]], BOTH)
    assert (len(chosen.front), len(chosen.best), chosen.knee) == (0, 0, None)


def test_both_ends_of_a_front_are_among_the_few_along_it():
    assert along(np.arange(100), 5).tolist() == [0, 25, 50, 74, 99]
    assert along(np.arange(3), 5).tolist() == [0, 1, 2]


def test_settings_are_the_axis_s_own_values_and_leave_out_what_does_not_apply():
    axes = [SimpleNamespace(name="rows", values=(16, 32)), SimpleNamespace(name="mode", values=("a", "b"))]
    gaps = pd.DataFrame({"rows": [16.0, None], "mode": ["a", None]})
    first = settings_at(gaps, axes, 0)
    assert first == {"rows": 16, "mode": "a"}
    assert isinstance(first["rows"], int)
    assert settings_at(gaps, axes, 1) == {}


# The base design -----------------------------------------------------------------------------------------------------


def test_a_design_on_the_front_is_beaten_by_none():
    found = standing([2.0, 2.0], [[1, 4], [2, 2], [4, 1]], BOTH)
    assert found.beaten_by == 0
    assert found.factors == (1.0, 1.0)
    assert found.all_at_once == 1.0


def test_a_design_beyond_the_front_has_factors_below_one():
    found = standing([1.0, 1.0], [[2, 2]], BOTH)
    assert found.factors == (None, None)
    assert found.all_at_once == 0.5


def test_of_an_objective_to_maximise_the_factor_is_what_is_gained():
    goals = Goals(figures=("a", "b"), maximise=(True, False))
    found = standing([10.0, 4.0], [[40, 4], [10, 1], [20, 2]], goals)
    assert found.beaten_by == 3
    assert found.factors == (4.0, 4.0)
    assert found.all_at_once == 2.0


def test_figures_combine_over_scenarios_as_each_says():
    first = {"step_seconds": 1.0, "dram_bytes": 10, "memory.peak_bytes": 1, "memory.free_bytes": 5, "pe_count": 4}
    second = {"step_seconds": 9.0, "dram_bytes": 30, "memory.peak_bytes": 2, "memory.free_bytes": 3, "pe_count": 4}
    assert combined([first, second]) == {
        "step_seconds": pytest.approx(3.0),
        "dram_bytes": 20,
        "memory.peak_bytes": 2,
        "memory.free_bytes": 3,
        "pe_count": 4,
    }


def test_the_base_design_has_a_setting_of_every_axis_but_a_free_variable():
    design = SIMPLE.base_point({})
    wanted = {
        "hardware.clock_hz": 200e6,
        "hardware.tensor_engine.dataflows": "os, ws",
        "hardware.dram.timing": "ddr4-2400",
        "options.optimizer": "sgd-momentum",
        "batch": 512,
        "sparsity": "2:8",
        "megabytes": None,
    }
    assert {axis: base_setting(axis, design) for axis in wanted} == wanted


# Dense or sparse -----------------------------------------------------------------------------------------------------


def test_hardware_is_what_is_neither_training_nor_option():
    axes = ("hardware.clock_hz", "megabytes", "sparsity", "batch", "recipe", "workload", "options.optimizer")
    assert [axis for axis in axes if is_hardware(axis)] == ["hardware.clock_hz", "megabytes"]


def test_designs_are_grouped_by_all_that_is_no_hardware():
    found = groups(STUDY, ["rows", "sparsity"], np.array([0, 1, 2, 3, 5]))
    assert [(group.settings, group.rows.tolist()) for group in found] == [
        ({"sparsity": "2:4"}, [0, 1, 2, 3]),
        ({"sparsity": "2:8"}, [5]),
    ]


def test_the_loss_is_what_a_step_takes_more_on_the_other_s_hardware():
    found = pair(STUDY, np.array([0, 1]), "step_seconds", False)
    assert (found.dense, found.sparse, found.sparse_loss, found.dense_loss) == (1, 1, 0.0, 0.0)
    changed = STUDY.assign(**{"dense.step_seconds": [5.0, 9.0, 8.0, 8.0, None, 9.0]})
    found = pair(changed, np.array([0, 1]), "step_seconds", False)
    assert (found.dense, found.sparse) == (0, 1)
    assert found.sparse_loss == pytest.approx(4.0)
    assert found.dense_loss == pytest.approx(0.8)


def test_of_hardware_alike_for_dense_the_one_best_for_sparse_is_taken():
    # Rows 2 and 3 are alike for the dense step: blaming dense for the worse one would invent a loss.
    found = pair(STUDY, np.array([0, 1, 2, 3]), "step_seconds", False)
    assert found.dense == found.sparse == 2
    assert found.dense_alike.tolist() == [2, 3]
    assert found.sparse_loss == 0


def test_objectives_that_the_dense_step_lacks_are_not_compared():
    goals = Goals(figures=("step_seconds", "speedup_vs_dense"), maximise=(False, True))
    assert list(compared_figures(goals)) == [("energy_delay_joule_seconds", False), ("step_seconds", False)]
    assert fronts_shared(STUDY, np.array([0, 1]), goals) is None


def test_two_fronts_are_compared_design_by_design():
    # Sparse: rows 0, 1 and 2. Dense: row 3 beats row 2, as fast at less energy.
    assert fronts_shared(STUDY, np.array([0, 1, 2, 3]), BOTH) == (3, 3, 2)
