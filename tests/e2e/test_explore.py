"""``bisparse explore`` as a user meets it."""

import json

import pandas
import pytest
import yaml

import bisparse

pytest.importorskip("simpleeval")

SWEEP = {
    "name": "tiny",
    "base": {
        "hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 16,
    },
    "axes": {
        "hardware.tensor_engine.rows": [16, 32, 64],
        "hardware.dram.channels": [1, 4],
        "megabytes": [1, 2],
    },
    "derived": {"hardware.buffers.west.capacity_bytes": "megabytes * MiB"},
    "objectives": [{"minimise": "step_seconds"}, {"minimise": "pe_count"}],
}  # fmt: skip

TWO_DESIGNS = SWEEP | {"axes": {"hardware.dram.channels": [1, 4]}, "derived": {}}


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(SWEEP, sort_keys=False))
    return "tiny.yaml"


def test_a_study_from_file_to_report_and_back(run, tmp_path, sweep):
    done = run("explore", sweep, "--out", "study", "--jobs", 1)
    assert done.code == 0, done.err
    assert done.err.splitlines()[0].startswith("tiny: 12 designs; about ")
    assert "12 designs, all feasible" in " ".join(done.out.split())
    assert done.out.rstrip().endswith("report: study/report.html")
    study = tmp_path / "study"
    for name in ("study.sqlite", "study.json", "designs.csv", "designs.parquet", "report.html", "report.md"):
        assert (study / name).stat().st_size > 0, name
    table = pandas.read_parquet(study / "designs.parquet")
    assert len(table) == 12

    # The best design's file gives the very figures of its row.
    best = sorted((study / "best").glob("*.yaml"))[0]
    result = run("simulate", "resnet9-cifar10", "--hardware", best, "--batch", 16, "--json").document
    assert result["step_seconds"] in table["step_seconds"].tolist()

    # Again: refused, then nothing is computed, and the table is the same.
    refused = run("explore", sweep, "--out", "study", "--jobs", 1)
    assert (refused.code, refused.out) == (2, "")
    assert "try --resume" in refused.err
    before = (study / "designs.csv").read_bytes()
    resumed = run("explore", sweep, "--out", "study", "--jobs", 1, "--resume", "--json")
    assert resumed.document["runs_computed"] == 0
    assert {row["pe_count"] for row in resumed.document["front"]} == {512, 1024, 2048}
    assert (study / "designs.csv").read_bytes() == before

    # The pages again from the store alone, and one design's report by its key.
    (study / "report.html").unlink()
    assert run("report", "study").out == "report: study/report.html\n"
    assert (study / "report.html").exists()
    key = table["key"].iloc[0][:12]
    page = run("report", "study", "--design", key).out.removeprefix("report: ").strip()
    assert (tmp_path / page).exists()


def test_a_dry_run_stores_nothing(run, tmp_path, sweep):
    done = run("explore", sweep, "--out", "study", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("tiny: 12 designs; about ")
    assert not (tmp_path / "study").exists()


def test_every_fault_of_a_sweep_is_told_at_once(run, tmp_path):
    wrong = SWEEP | {
        "axes": {"hardware.tensor_engine.row": [16], "hardware.dram.channels": [0, 1]},
        "objectives": [{"minimise": "step_second"}],
        "derived": {},
    }
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong, sort_keys=False))
    done = run("explore", "wrong.yaml")
    assert (done.code, done.out) == (2, "")
    for part in ("rows", "channels", "step_seconds"):
        assert part in done.err, part
    assert all(line.startswith("wrong.yaml:") for line in done.err.splitlines())


def test_pages_are_not_made_of_files_that_have_changed(run, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nextends: sat-vcu1525\nclock_hz: 300 MHz\n")
    text = yaml.safe_dump(TWO_DESIGNS, sort_keys=False).replace("sat-vcu1525", "./mine.yaml")
    (tmp_path / "tiny.yaml").write_text(text)
    assert run("explore", "tiny.yaml", "--out", "study", "--jobs", 1).code == 0
    (tmp_path / "mine.yaml").write_text("name: mine\nextends: sat-vcu1525\nclock_hz: 37 MHz\n")
    refused = run("report", "study")
    assert (refused.code, refused.out) == (2, "")
    assert "files have changed since; try explore --resume" in refused.err


def test_a_reference_of_another_space_is_refused(run, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TWO_DESIGNS, sort_keys=False))
    assert run("explore", "tiny.yaml", "--out", "study", "--jobs", 1).code == 0
    other = TWO_DESIGNS | {"name": "other", "axes": {"hardware.dram.channels": [2]}}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other, sort_keys=False))
    refused = run("explore", "other.yaml", "--reference", "study", "--jobs", 1)
    assert (refused.code, refused.out) == (2, "")
    assert "need one of the space of other" in refused.err


def test_two_ways_to_run_are_refused(run, sweep):
    done = run("explore", sweep, "--jobs", 2, "--dask", "tcp://127.0.0.1:1")
    assert (done.code, done.out) == (2, "")
    assert "got both --jobs and --dask" in done.err


def test_a_notebook_gets_a_data_frame(tmp_path):
    table = bisparse.explore(TWO_DESIGNS, jobs=1)
    assert len(table) == 2
    assert table["speedup_vs_dense"].min() > 1
    assert json.dumps(table.attrs["study"])
