"""``bisparse sensitivity`` and ``bisparse consistent`` as a user meets them."""

import json

import pytest
from bisparse.training.graph_file import save_graph

from ..unit.dataflow.hand_made import MLP

DESIGN = """\
name: unsure
extends: edge-16x16
tensor_engine: {rows: {value: 16, status: assumed, source: a test, range: [4, 32]}}
energy_table: own.yaml
"""

OWN = """\
name: own
extends: 7nm
dram_pj_per_bit: {lpddr4: {value: 8, status: assumed, source: a test, range: [4, 16]}}
"""

CLAIMS = """\
name: mine
base: {hardware: edge-16x16, recipe: bdwp, sparsity: "2:8", batch: 8}
axes: {hardware.tensor_engine.rows: [8, 16, 32]}
ranges: false
runs: {workload: [mlp.json]}
claims: [{name: fast, source: a test, value: speedup_vs_dense, least: 1}]
answers: [{name: energy, value: energy_ratio_vs_dense}]
draws: 3
"""

SMALL = ("mlp.json", "--batch", 8)


def test_sensitivity_draws_a_tornado_and_writes_a_run(run, tmp_path):
    save_graph(MLP, tmp_path / "mlp.json")
    (tmp_path / "unsure.yaml").write_text(DESIGN)
    (tmp_path / "own.yaml").write_text(OWN)
    words = ("sensitivity", *SMALL, "--hardware", "unsure.yaml", "--draws", 4, "--seed", 3)
    done = run(*words, "--out", "out")
    assert (done.code, done.err) == (0, "")
    assert "tensor_engine.rows" in done.out
    assert "4 to 32" in done.out
    assert "Nine in ten of 4 designs drawn" in " ".join(done.out.split())
    assert done.out.rstrip().endswith("report: out/report.html")
    kept = json.loads((tmp_path / "out" / "result.json").read_text())
    document = run(*words, "--json").document
    assert document["range"] == kept["range"]
    assert document["range"]["seed"] == 3
    assert "hardware.tensor_engine.rows" in document["matter"]["speedup"]
    assert "energy.dram_pj_per_bit.lpddr4" not in document["matter"]["speedup"]
    refused = run("sensitivity", *SMALL, "--recipe", "dense")
    assert (refused.code, refused.err.startswith("--recipe: got dense, which prunes nothing")) == (2, True)


def test_consistent_tells_what_agrees_and_goes_on(run, tmp_path):
    pytest.importorskip("simpleeval")
    save_graph(MLP, tmp_path / "mlp.json")
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    done = run("consistent", "claims.yaml", "--jobs", 1, "--out", "out")
    assert done.code == 0
    assert "3 of 3 drawn designs agree with all 1 claims" in " ".join(done.out.split())
    for name in ("consistent.json", "consistent.html", "consistent.md", "designs.csv", "consistent.sqlite"):
        assert (tmp_path / "out" / name).stat().st_size > 0, name
    again = run("consistent", "claims.yaml", "--jobs", 1, "--out", "out", "--resume", "--json")
    assert again.document == json.loads((tmp_path / "out" / "consistent.json").read_text())
    refused = run("consistent", "claims.yaml", "--jobs", 1, "--out", "out")
    assert (refused.code, "try --resume" in refused.err) == (2, True)
    assert run("report", "out").out == "report: out/consistent.html\n"
