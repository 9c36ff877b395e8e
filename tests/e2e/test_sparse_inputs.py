"""Zeros of inputs through the command line: of one product, and as a recipe's file declares them."""

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
