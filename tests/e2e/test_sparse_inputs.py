"""Zeros of inputs through the command line: of one product, and as a recipe's file declares them."""

import csv

import pytest
from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware

import bisparse

RECIPE = """\
name: after-relu
title: inputs of the last layers, half of them zero
source: made for this test
activations:
  - {names: ["*"], input: "50%"}
"""


def test_both_operands_of_a_product(run):
    asked = ("gemm", "512x512x1024", "--sparsity", "75%", "--hardware", "sat-intersection", "--json")
    both = run(*asked, "--input-sparsity", "50%").document
    one = run(*asked).document
    assert both["sparsity"] == "50% of A, 75% of B"
    assert both["useful_macs"] * 2 == one["useful_macs"] == 512 * 512 * 1024 // 4
    assert both["mapped"]["cycles"] < one["mapped"]["cycles"]
    assert both["mapped"]["dram_read_bytes"] < one["mapped"]["dram_read_bytes"]


def test_a_recipe_declares_zeros_that_one_design_skips_and_another_does_not(run, tmp_path):
    (tmp_path / "after-relu.yaml").write_text(RECIPE)
    asked = ("simulate", "resnet9-cifar10", "--batch", 16, "--recipe", "after-relu.yaml", "--json")
    skipped = run(*asked, "--hardware", "sat-intersection").document
    assert skipped["speedup_vs_dense"] > 1.05
    assert skipped["effectual_macs"] == skipped["issued_macs"] < skipped["useful_macs"]
    plain = run(*asked).document
    assert plain["speedup_vs_dense"] == 1
    reasons = {row["dense_reason"] for row in plain["operators"] if row["sparsity"] == "50%"}
    assert reasons == {"sat-vcu1525 skips no zeros that lie without a rule"}


def test_a_sweep_finds_what_simulate_does(run, tmp_path):
    pruned = RECIPE + "forward: {operand: weight}\nbackward: {operand: weight}\nmask_search: {method: given}\n"
    (tmp_path / "after-relu.yaml").write_text(pruned)
    (tmp_path / "sweep.yaml").write_text(
        """name: rooms
base: {workload: resnet9-cifar10, hardware: sat-intersection, recipe: after-relu.yaml, sparsity: "80%", batch: 16}
axes:
  hardware.buffers.north.capacity_bytes: [128 KiB, 256 KiB, 512 KiB, 1 MiB]
  hardware.tensor_engine.exploits.intersection.queue: [1, 8]
objectives:
  - {maximise: speedup_vs_dense}
"""
    )
    done = run("explore", "sweep.yaml", "--out", "out", "--jobs", 1)
    assert done.code == 0, done.err
    rows = list(csv.DictReader((tmp_path / "out" / "designs.csv").open()))
    assert len(rows) == 8
    for row in rows[::3]:
        changes = [f"{name.removeprefix('hardware.')}={row[name]}" for name in row if name.startswith("hardware.")]
        design = set_fields(load_hardware("sat-intersection"), changes)
        result = bisparse.simulate("resnet9-cifar10", design, "after-relu.yaml", "80%", batch=16)
        assert float(row["speedup_vs_dense"]) == pytest.approx(result.speedup_vs_dense, rel=1e-12)
    by_queue = {
        queue: [float(row["speedup_vs_dense"]) for row in rows if queue in row.values()] for queue in ("1", "8")
    }
    assert max(by_queue["1"]) < min(by_queue["8"])
