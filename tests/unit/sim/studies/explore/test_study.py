"""A study made of what a store holds: designs judged by their runs, and the tables."""

import json

import numpy as np
import pytest
from bisparse.configs.needs import install_line
from bisparse.sim.studies.explore import study as study_module
from bisparse.sim.studies.explore.figures import FIGURES
from bisparse.sim.studies.explore.loading import space_of_data
from bisparse.sim.studies.explore.point import Outcome
from bisparse.sim.studies.explore.store import DesignRow, RunRow, Store
from bisparse.sim.studies.explore.study import Study, Verdict

pytest.importorskip("simpleeval")

SWEEP = {
    "name": "invented",
    "base": {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8"},
    "axes": {"hardware.tensor_engine.rows": [8, 16, 32, 64], "sparsity": ["2:8", "2:4"]},
    "constraints": ["watts < 100"],
    "objectives": [{"minimise": "step_seconds"}, {"maximise": "pe_count"}],
}
SCENARIOS = {"scenarios": {"workload": ["resnet9-cifar10", "vit-cifar10"]}}
META = {
    "objectives": [{"figure": "step_seconds", "maximise": False}, {"figure": "pe_count", "maximise": True}],
    "scenarios": 1,
}
EXACT = 2**62 + 1
"""No float is this number."""


def figures(**changed):
    return {name: 1 if of.whole else 0.5 for name, of in FIGURES.items()} | changed


def space_of(**changes):
    return space_of_data(SWEEP | changes, version="1")


def study_of(space, outcomes):
    """The study of the space's first designs, of which each has one outcome a scenario."""
    with Store(None, version="1") as store:
        designs = []
        for number, (settings, runs) in enumerate(zip(space.choices(), outcomes, strict=False)):
            keys = tuple(f"{number}.{scenario}" for scenario in range(len(runs)))
            store.write([RunRow(key=k, settings=settings, outcome=each) for k, each in zip(keys, runs, strict=True)])
            designs.append(DesignRow(settings=settings, runs=keys, reason="" if runs else "ruled out"))
        store.finish(designs, "{}")
        return Study.of_store(store, space, META)


def ran(**changed):
    return Outcome(figures=figures(**changed))


def test_a_run_that_fails_fails_the_design_and_says_under_which_scenario():
    space = space_of(**SCENARIOS)
    design = DesignRow(settings=next(space.choices()), runs=("a", "b"))
    verdict = Verdict.of(space, design, [ran(), Outcome(figures=None, reason="too small")])
    assert verdict.reason == "workload vit-cifar10: too small"
    assert (verdict.figures, verdict.objectives(space)) == (None, None)


def test_a_constraint_fails_on_figures_combined_over_scenarios_which_stay_to_be_looked_at():
    space = space_of(**SCENARIOS)
    design = DesignRow(settings=next(space.choices()), runs=("a", "b"))
    fine = Verdict.of(space, design, [ran(watts=400.0), ran(watts=16.0)])
    assert (fine.reason, fine.figures["watts"]) == ("", pytest.approx(80))
    failed = Verdict.of(space, design, [ran(watts=400.0), ran(watts=64.0)])
    assert "constraints.0: got watts 160" in failed.reason
    assert (failed.figures["watts"], failed.objectives(space)) == (pytest.approx(160), None)


def test_an_objective_that_is_no_number_makes_no_answer():
    space = space_of()
    design = DesignRow(settings=next(space.choices()), runs=("a",))
    assert Verdict.of(space, design, [ran(step_seconds=2.0, pe_count=8)]).objectives(space) == (2.0, 8.0)
    assert Verdict.of(space, design, [ran(step_seconds=float("inf"))]).objectives(space) is None


def test_figures_come_back_exactly_and_integers_as_integers():
    study = study_of(space_of(), [[ran(total_cycles=EXACT, step_seconds=0.1 + 0.2)]] * 8)
    assert study.table["total_cycles"].tolist() == [EXACT] * 8
    assert study.table["total_cycles"].dtype == np.int64
    assert study.table["step_seconds"].tolist() == [0.1 + 0.2] * 8


def test_the_table_does_not_depend_on_how_many_rows_are_read_at_once(monkeypatch):
    outcomes = [[ran(step_seconds=1.5)], [], [Outcome(figures=None, reason="no")], [ran()], [], [], [], [ran()]]
    whole = study_of(space_of(), outcomes)
    assert whole.table["reason"].tolist() == ["", "ruled out", "no", "", *["ruled out"] * 3, ""]
    assert whole.table["feasible"].tolist() == [True, False, False, True, False, False, False, True]
    assert whole.table["key"].tolist() == ["0.0", "", "2.0", "3.0", "", "", "", "7.0"]
    assert whole.runs["key"].tolist() == ["0.0", "2.0", "3.0", "7.0"]
    for size in (1, 2, 3):
        monkeypatch.setattr(study_module, "_AT_ONCE", size)
        parts = study_of(space_of(), outcomes)
        assert parts.table.equals(whole.table)
        assert parts.runs.equals(whole.runs)


def test_a_study_without_a_feasible_design_is_a_study(tmp_path):
    study = study_of(space_of(), [[Outcome(figures=None, reason="no")]] * 8)
    assert study.table[list(FIGURES)].isna().all(axis=None)
    assert study.write(tmp_path) == []
    document = json.loads((tmp_path / "study.json").read_text())
    assert (document["feasible_designs"], document["front"]) == (0, [])


def test_the_document_has_the_front_and_no_nan(tmp_path):
    outcomes = [[ran(step_seconds=seconds, pe_count=count)] for seconds, count in ((1.0, 8), (2.0, 8), (2.0, 16))]
    study = study_of(space_of(), outcomes)
    assert [(row["step_seconds"], row["pe_count"]) for row in study.document()["front"]] == [(1.0, 8), (2.0, 16)]
    json.dumps(study.document(), allow_nan=False)


def test_without_pyarrow_the_rest_is_written_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(study_module, "find_spec", lambda name: None)
    remarks = study_of(space_of(), [[ran()]] * 8).write(tmp_path)
    assert remarks == [f"designs.parquet is not written: it needs pyarrow; try {install_line('explore')}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["designs.csv", "study.json"]
