"""Two runs in one directory: the second is told, and what the first writes stays whole."""

import fcntl
import os
import subprocess
import sys

import pytest
from bisparse.configs import run_directory
from bisparse.configs.run_directory import sole_owner
from bisparse.training.graph_file import save_graph

from ..unit.dataflow.hand_made import MLP

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")

SWEEP = """\
name: tiny
base: {hardware: sat-vcu1525, workload: mlp.json, recipe: bdwp, sparsity: "2:8", batch: 8}
axes: {hardware.tensor_engine.rows: [8, 16]}
objectives: [{minimise: step_seconds}]
"""

CLAIMS = """\
name: tiny
base: {hardware: sat-vcu1525, recipe: bdwp, sparsity: "2:8", batch: 8}
runs: {workload: [mlp.json]}
claims: []
answers: [{name: speed, value: speedup_vs_dense}]
"""

COMMANDS = {
    "simulate": "simulate mlp.json --batch 8 --out held",
    "compare": "compare mlp.json --batch 8 --out held",
    "ablate": "ablate mlp.json --batch 8 --out held",
    "report": "report held",
    "sensitivity": "sensitivity mlp.json --batch 8 --out held",
    "consistent": "consistent claims.yaml --jobs 1 --out held",
    "explore": "explore sweep.yaml --jobs 1 --out held",
    "train": "train --model mlp --data digits --out held",
    "codesign": "codesign --model mlp --data digits --recipes bdwp --seeds 1 --out held",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_that_another_process_writes_is_refused(command, run, tmp_path, monkeypatch):
    if command in ("train", "codesign"):
        pytest.importorskip("torch")
        pytest.importorskip("sklearn")
    if command in ("explore", "consistent"):
        pytest.importorskip("simpleeval")
    monkeypatch.setattr(run_directory, "_PATIENCE_SECONDS", 0.0)
    save_graph(MLP, tmp_path / "mlp.json")
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    with sole_owner(tmp_path / "held"):
        (tmp_path / "held" / "kept.txt").write_text("of the first")
        refused = run(*COMMANDS[command].split())
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines()[-1] == (
        "held: got a run under way in another process, need it ended; try another directory"
    )
    assert [path.name for path in (tmp_path / "held").iterdir()] == ["kept.txt"]


def test_costs_of_layers_are_measured_by_one_process(run, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(run_directory, "_PATIENCE_SECONDS", 0.0)
    with sole_owner(tmp_path / "dense"):
        save_graph(MLP, tmp_path / "dense" / "graph.json")
        refused = run("assign", "dense", "--ratios", "2:8")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("dense: got a run under way in another process")
    # What it lacks is told once nobody holds it.
    assert run("assign", "dense", "--ratios", "2:8").err.startswith("dense: got no readable summary.json")


def test_a_killed_process_holds_nothing(run, tmp_path, monkeypatch):
    """The first stands still as it tells its result, which nobody takes, with its files written."""
    monkeypatch.setattr(run_directory, "_PATIENCE_SECONDS", 0.0)
    save_graph(MLP, tmp_path / "mlp.json")
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
    words = "simulate mlp.json --batch 8 --recipe dense --json --out run"
    first = subprocess.Popen([sys.executable, "-m", "bisparse", *words.split()], stdout=writer, cwd=tmp_path)
    try:
        os.close(writer)
        os.read(reader, 1)
        written = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
        refused = run("simulate", "mlp.json", "--batch", 8, "--out", "run")
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith("run: got a run under way in another process")
        assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == written
    finally:
        first.kill()
        first.wait()
        os.close(reader)
    assert run("simulate", "mlp.json", "--batch", 8, "--out", "run").code == 0
    assert (tmp_path / "run" / "result.json").read_bytes() != written["result.json"]
    assert {path.name for path in (tmp_path / "run").iterdir()} == set(written)


def test_a_run_that_comes_to_nothing_leaves_no_directory(run, tmp_path):
    (tmp_path / "earlier").mkdir()
    for out in ("new/inner", "earlier"):
        assert run("simulate", "none.json", "--out", out).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["earlier"]


def test_a_file_system_without_locks_is_told(run, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(run_directory.fcntl, "flock", refused)
    save_graph(MLP, tmp_path / "mlp.json")
    done = run("simulate", "mlp.json", "--batch", 8, "--out", "run")
    assert done.code == 0
    assert done.err == "run: its file system has no locks: nothing keeps a second run from writing there\n"
