"""Studies run in this process: what is asked, evaluated, stored and judged."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.sim.studies.explore import STORE_FILE, estimating, running, workers
from bisparse.sim.studies.explore.estimating import estimate, ruled_out
from bisparse.sim.studies.explore.loading import space_of_data
from bisparse.sim.studies.explore.one_by_one import simulate_point
from bisparse.sim.studies.explore.point import Outcome
from bisparse.sim.studies.explore.running import check_size, load, run, stored_sweep
from bisparse.sim.studies.explore.space import Space
from bisparse.sim.studies.explore.store import Store

pytest.importorskip("simpleeval")

SWEEP = {
    "name": "tiny",
    "base": {
        "hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 8,
    },
    "axes": {
        "hardware.tensor_engine.rows": [16, 32],
        "hardware.tensor_engine.cols": [16, 32],
        "hardware.buffers.output.capacity_bytes": ["4 B", "4 MiB"],
        "sparsity": ["2:8", "2:4"],
    },
    "constraints": ["hardware.tensor_engine.rows >= hardware.tensor_engine.cols"],
    "objectives": [{"minimise": "step_seconds"}, {"minimise": "energy_joules"}],
}  # fmt: skip
SCENARIOS = {"scenarios": {"workload": ["resnet9-cifar10", "vit-cifar10"]}}


def tiny(**changes):
    return space_of_data(SWEEP | changes, version="1")


def ran(space, out=None, **options):
    return run(space, out, version="1", jobs=1, **options)


def test_extra_work_of_every_step_counts_side_by_side_as_one_by_one(tmp_path):
    file = tmp_path / "worked.yaml"
    file.write_text(
        "extends: bdwp\nname: worked\nextra_work:\n  - {work: sort}\n  - {work: score-product, rank: 8}\n"
        "  - {work: threshold, of: activations}\n  - {work: sort, name: rare, every_steps: 10}\n"
    )
    space = tiny(
        base=SWEEP["base"] | {"recipe": str(file)},
        axes={
            "hardware.reduction_engine.largest_group": [8, 16],
            "hardware.vector_engine.lanes": [16, 64],
            "hardware.policy.overlap_vector": [False, True],
        },
        constraints=[],
    )
    table = ran(space).table
    assert len(table) == 8
    for _, row in table.iterrows():
        figures = simulate_point(space.point({axis.name: row[axis.name] for axis in space.axes}), "1").figures
        assert (row["total_cycles"], row["energy_joules"]) == (figures["total_cycles"], figures["energy_joules"])
    assert table["total_cycles"].nunique() > 2


@pytest.fixture(scope="module")
def study():
    return ran(tiny())


def test_every_design_is_a_row_and_those_that_cannot_run_say_why(study):
    table = study.table
    assert len(table) == 16
    by_reason = table["reason"].str.extract(r"(constraints\.0|buffers\.output\.capacity_bytes|^$)")[0].value_counts()
    # Four of 16x32, half of the others with an output buffer of one sum.
    assert by_reason.to_dict() == {"": 6, "buffers.output.capacity_bytes": 6, "constraints.0": 4}
    assert table["feasible"].tolist() == (table["reason"] == "").tolist()
    assert table.loc[~table["feasible"], "step_seconds"].isna().all()


def test_a_row_has_the_figures_of_simulate(study):
    space = tiny()
    for _, row in study.table[study.table["feasible"]].iloc[::3].iterrows():
        settings = {axis.name: row[axis.name] for axis in space.axes}
        figures = simulate_point(space.point(settings), "1").figures
        assert {name: row[name] for name in figures} == figures


def test_a_constraint_on_a_figure_leaves_the_figures_to_be_looked_at():
    study = ran(tiny(constraints=["watts < 3"]))
    failed = study.table[study.table["reason"].str.contains("watts < 3")]
    assert len(failed)
    assert (failed["watts"] >= 3).all()
    assert not failed["feasible"].any()


def test_scenarios_are_combined_and_a_run_that_fails_fails_the_design(study):
    both = ran(tiny(**SCENARIOS))
    assert len(both.table) == 16
    runs = both.runs[both.runs["feasible"]]
    row = both.table[both.table["feasible"]].iloc[0]
    own = runs[(runs.drop(columns="workload")[list(SWEEP["axes"])] == row[list(SWEEP["axes"])]).all(axis=1)]
    assert own["workload"].tolist() == ["resnet9-cifar10", "vit-cifar10"]
    assert row["step_seconds"] == pytest.approx((own["step_seconds"].prod()) ** 0.5)
    assert row["memory.peak_bytes"] == own["memory.peak_bytes"].max()
    assert row["pe_count"] == own["pe_count"].iloc[0]
    failed = both.table[both.table["reason"].str.contains("buffers.output")]
    assert failed["reason"].str.startswith("workload resnet9-cifar10: ").all()


def test_a_second_run_needs_to_be_asked_for_and_computes_nothing(tmp_path, study):
    first = ran(tiny(), tmp_path)
    with pytest.raises(ConfigError, match="got a store with 12 runs, need an empty directory; try --resume"):
        ran(tiny(), tmp_path)
    again = ran(tiny(), tmp_path, resume=True)
    assert (again.meta["runs_computed"], again.meta["runs_reused"]) == (0, 12)
    assert again.table.equals(first.table)
    assert first.table.equals(study.table)


def test_another_sweep_uses_the_runs_that_it_shares(tmp_path):
    ran(tiny(), tmp_path)
    more = ran(tiny(axes=SWEEP["axes"] | {"sparsity": ["2:8", "1:8"]}), tmp_path, resume=True)
    assert (more.meta["runs_computed"], more.meta["runs_reused"]) == (6, 6)


def test_runs_of_another_version_are_not_used(tmp_path):
    ran(tiny(), tmp_path)
    newer = run(space_of_data(SWEEP, version="2"), tmp_path, version="2", jobs=1, resume=True)
    assert newer.meta["runs_computed"] == 12
    assert newer.meta["runs_of_other_versions"] == {"1": 12}


def test_a_study_is_read_back_as_it_was(tmp_path):
    written = ran(tiny(), tmp_path)
    space = Space(stored_sweep(tmp_path, version="1"), version="1")
    read = load(tmp_path, space, version="1")
    assert read.table.equals(written.table)
    assert read.meta == written.meta


def test_a_study_that_was_cut_short_has_what_was_written_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "SMALLEST_CHUNK", 2)
    monkeypatch.setattr(running, "LARGEST_CHUNK", 2)
    evaluate, calls = workers.evaluate_settings, []

    def dies(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(workers, "evaluate_settings", dies)
    with pytest.raises(KeyboardInterrupt):
        ran(tiny(), tmp_path)
    with Store(tmp_path / STORE_FILE, version="1") as store:
        assert len(store) == 4
    assert stored_sweep(tmp_path, version="1") is None
    with pytest.raises(ConfigError, match="got a study that was interrupted"):
        load(tmp_path, tiny(), version="1")
    monkeypatch.setattr(workers, "evaluate_settings", evaluate)
    whole = ran(tiny(), tmp_path, resume=True)
    assert (whole.meta["runs_computed"], whole.meta["runs_reused"]) == (8, 4)
    assert whole.table.equals(ran(tiny()).table)


class Recorded:
    """Workers that do nothing, and take so long over each run by the clock."""

    count = 2
    remark = ""

    def __init__(self, monkeypatch, seconds_a_run):
        self.sizes, self.now = [], 0.0
        self._seconds = seconds_a_run
        monkeypatch.setattr(running.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(running, "_workers", lambda *_: self)

    def outcomes(self, chunks):
        for chunk in chunks:
            self.sizes.append(len(chunk.keys))
            self.now += self._seconds * len(chunk.keys) / self.count
            yield chunk, [Outcome(figures=None, reason="none")] * len(chunk.keys)

    def close(self):
        pass


WIDE = {"axes": {"hardware.dram.channels": {"from": 1, "to": 5000, "step": 1}}, "constraints": []}


@pytest.mark.parametrize(
    ("seconds_a_run", "sizes"),
    [(0.01, [16, 16, 256, 256, 1024, 1024, 1024, 1024, 360]), (0.125, [16, 16, 256, 256, *[240] * 18, 136])],
    ids=["fast", "slow"],
)
def test_what_is_finished_is_kept_soon_and_then_every_half_minute(monkeypatch, seconds_a_run, sizes):
    recorded = Recorded(monkeypatch, seconds_a_run)
    monkeypatch.setattr(running._Progress, "_key", lambda self, settings: str(settings))
    ran(tiny(**WIDE))
    assert recorded.sizes == sizes


def test_a_small_study_is_shared_evenly_behind_its_first_chunks(monkeypatch):
    recorded = Recorded(monkeypatch, 0.01)
    monkeypatch.setattr(running._Progress, "_key", lambda self, settings: str(settings))
    ran(tiny(**WIDE | {"axes": {"hardware.dram.channels": {"from": 1, "to": 192, "step": 1}}}))
    assert recorded.sizes == [16, 16, 80, 80]


def test_a_study_too_large_to_be_held_is_refused_with_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(estimating, "_DRAWN", 500)
    monkeypatch.setattr(estimating, "evaluate_settings", lambda *_: [])
    count = {"from": 1, "to": 100, "step": 1}
    axes = {f"hardware.{name}": count for name in ("dram.channels", "reduction_engine.lanes", "tensor_engine.rows",
                                                   "tensor_engine.cols")}  # fmt: skip
    space = tiny(axes=axes)
    found = estimate(space, version="1")
    assert (found.designs, found.seconds > 0) == (10**8, True)
    constrained = ruled_out(space)
    assert (constrained.of, constrained.sampled) == (500, True)
    assert 0.4 < constrained.designs / constrained.of < 0.6, "rows >= cols"
    with pytest.raises(ConfigError, match="axes: got 100,000,000 designs, need at most 1,000,000"):
        ran(space, tmp_path / "made")
    assert not (tmp_path / "made").exists()
    check_size(tiny(axes=axes, strategy={"name": "sobol", "points": 2}))


def test_the_estimate_counts_what_is_asked_for():
    exhaustive = estimate(tiny(**SCENARIOS), version="1", jobs=2)
    assert (exhaustive.designs, exhaustive.runs) == (16, 32)
    assert exhaustive.sampled == 1 + 12, "one to load what all share, and all that keep the constraint"
    assert exhaustive.seconds > 0
    few = estimate(tiny(strategy={"name": "sobol", "points": 5}), version="1")
    assert (few.designs, few.runs) == (5, 5)


@pytest.mark.parametrize("strategy", [
    {"name": "sobol", "points": 8},
    {"name": "nsga2", "evaluations": 8, "population": 4},
    {"name": "tpe", "evaluations": 8, "batch": 4},
])  # fmt: skip
def test_a_search_that_is_resumed_asks_the_same(tmp_path, strategy):
    pytest.importorskip("optuna")
    pytest.importorskip("scipy")
    first = ran(tiny(strategy=strategy), tmp_path)
    again = ran(tiny(strategy=strategy), tmp_path, resume=True)
    assert again.table.equals(first.table)
    assert again.meta["runs_computed"] == 0


def test_exports_hold_the_table(tmp_path, study):
    import pandas

    assert study.write(tmp_path) == []
    assert pandas.read_parquet(tmp_path / "designs.parquet").equals(study.table)
    read = pandas.read_csv(tmp_path / "designs.csv", keep_default_na=False, na_values=[""])
    assert read["step_seconds"].equals(study.table["step_seconds"])
    assert read["total_cycles"].equals(study.table["total_cycles"])


def test_a_reason_that_is_not_true_any_more_is_not_kept(tmp_path, monkeypatch):
    def missing(reason):
        def design(self, settings):
            raise ConfigError(reason)

        return design

    space = tiny(constraints=[])
    for reason in ("accuracy: got 2:8, need 2:4", "accuracy: got 2:8, need one of 2:4, 1:8"):
        monkeypatch.setattr(Space, "point", missing(reason))
        study = ran(space, tmp_path, resume=True)
        assert set(study.table["reason"]) == {reason}
