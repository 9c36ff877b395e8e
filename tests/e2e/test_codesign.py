"""``bisparse codesign`` as a user meets it: runs really trained, the smallest that can be."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bisparse.sim.studies.codesign.codesign import Codesign

import bisparse

pytest.importorskip("torch")

SMALL = ("codesign", "--data", "digits", "--model", "mlp", "--epochs", 1, "--recipes", "bdwp", "--sparsity", "2:8")


def test_codesign_trains_simulates_reports_and_goes_on_where_it_was(run, tmp_path):
    done = run(*SMALL, "--seeds", 2, "--out", "study", "--jobs", 2)
    assert done.code == 0, done.err
    assert "bdwp 2:8 trains mlp on digits in" in " ".join(done.out.split())
    assert done.out.rstrip().endswith("report: study/codesign.html")
    assert max(map(len, done.out.splitlines())) <= 80
    told = done.err.splitlines()
    assert len(told) == 4, "a line a run and nothing else"
    assert told[-1].startswith("4 of 4: ")
    study = tmp_path / "study"
    for name in ("codesign.json", "codesign.csv", "codesign.html", "codesign.md"):
        assert (study / name).stat().st_size > 0, name
    runs = sorted(each.name for each in (study / "runs").iterdir())
    assert runs == ["bdwp-2-8-seed0", "bdwp-2-8-seed1", "dense-seed0", "dense-seed1"]
    command = (study / "codesign-command.txt").read_text()
    assert command.startswith("bisparse codesign --model mlp --data digits")

    # The page again from what is there, and the same.
    page = (study / "codesign.html").read_bytes()
    (study / "codesign.html").unlink()
    assert run("report", "study").out == "report: study/codesign.html\n"
    assert (study / "codesign.html").read_bytes() == page

    # What is finished is not trained again; what is missing, or was interrupted, is, and comes out the same.
    known = json.loads((study / "codesign.json").read_text())
    kept = study / "runs" / "dense-seed0" / "summary.json"
    written = kept.stat().st_mtime_ns
    lost = study / "runs" / "bdwp-2-8-seed1" / "summary.json"
    lost.unlink()
    again = run(*SMALL, "--seeds", 2, "--out", "study", "--jobs", 1, "--json").document
    assert kept.stat().st_mtime_ns == written
    assert lost.exists()
    points = [[point["test_accuracy"] for point in each["points"]] for each in (known, again)]
    assert points[0] == points[1]
    assert Codesign.from_document(again).sparse[0].patterns

    # Other settings are another study.
    refused = run(*SMALL, "--seeds", 2, "--out", "study", "--learning-rate", 0.01)
    assert (refused.code, refused.out) == (2, "")
    assert "got a run with learning_rate" in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the processes of Linux")
def test_a_study_that_is_killed_leaves_no_process_behind(tmp_path):
    words = ["codesign", "--data", "digits", "--model", "mlp", "--epochs", "200", "--recipes", "bdwp", "--jobs", "1"]
    study = subprocess.Popen([sys.executable, "-m", "bisparse", *words, "--out", "study"], cwd=tmp_path)
    try:
        under_way = tmp_path / "study" / "runs" / "dense-seed0" / "log.csv"
        _wait_until(under_way.exists)
        children = Path(f"/proc/{study.pid}/task/{study.pid}/children").read_text().split()
        assert children
    finally:
        study.kill()
        study.wait()
    _wait_until(lambda: not any(_runs(child) for child in children))


def _runs(process):
    try:
        # A process that has ended and that nobody asked about yet is a zombie.
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def _wait_until(holds):
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("waited a minute in vain")


def test_the_same_study_in_python(tmp_path):
    study = bisparse.codesign(
        "mlp", "digits", ["bdwp"], ["2:8"], out=tmp_path / "study", seeds=1, epochs=1, jobs=1, hardware="sat-vcu1525"
    )
    assert list(study.table["recipe"]) == ["dense", "bdwp"]
    assert study.sparse[0].speedup_vs_dense > 1
    assert study.sparse[0].accuracy_difference.half_width is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sparsity", "3:7"), "sparsity: got 3:7, need one that sat-vcu1525 has"),
        (("--recipes", "bdpw"), "bdpw"),
        (("--model", "mpl"), "model: got 'mpl', need one of mlp"),
        (("--data", "digit"), "digit"),
        (("--seeds", 0), "--seeds: got 0, need at least 1; try 3"),
        (("--optimizer", "lion"), "optimizer: got 'lion'"),
        (("--hardware", "none.yaml"), "none.yaml: got no such file"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_trained(run, tmp_path, words, message):
    done = run(*SMALL, *words, "--out", "study")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "study").exists()
