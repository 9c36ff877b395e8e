"""Measured densities, from the directory of a training run to a report."""

import csv

import pytest
from bisparse.training.densities import LayerDensity, write_densities

import bisparse

SMALL = "resnet9-cifar10"


def measured(folder, module="1.0"):
    folder.mkdir()
    row = LayerDensity(epoch=1, module=module, input_density=0.5, forward_weight_density=0.25)
    write_densities(folder / "densities.csv", [row])


def test_a_run_s_densities_reach_the_result_and_the_report(run, tmp_path):
    measured(tmp_path / "trained")
    (tmp_path / "gated.yaml").write_text("name: gated\nextends: sat-vcu1525\ntensor_engine: {zero_gating: true}\n")
    asked = ("simulate", SMALL, "--batch", 16)
    plain = run(*asked, "--json").document
    done = run(*asked, "--densities", "trained", "--out", "out")
    assert done.code == 0
    said = " ".join(done.out.split())
    assert "8 of 9 modules not measured, taken as dense; the array multiplies the others too" in said
    out = tmp_path / "out"
    assert "--densities trained" in (out / "command.txt").read_text()
    for report in ("report.html", "report.md"):
        assert "products with two non-zero operands" in (out / report).read_text()
    rows = {row["name"]: row for row in csv.DictReader((out / "operators.csv").open())}
    forward = rows["1.0:FF"]
    assert int(forward["effectual_macs"]) * 2 == int(forward["issued_macs"])
    assert rows["4.0:FF"]["effectual_macs"] == rows["4.0:FF"]["issued_macs"]

    document = run(*asked, "--densities", "trained", "--json").document
    assert document["inputs"]["densities"]["name"] == "trained"
    assert document["effectual_macs"] < document["issued_macs"]
    assert document["energy_joules"] == plain["energy_joules"]
    gated = run(*asked, "--densities", "trained/densities.csv", "--hardware", "gated.yaml", "--json").document
    assert gated["energy_joules"] < plain["energy_joules"]
    assert gated["total_cycles"] == plain["total_cycles"]
    again = bisparse.simulate(SMALL, batch=16, densities=tmp_path / "trained")
    assert (again.effectual_macs, again.inputs["densities"].sha256) == (
        document["effectual_macs"],
        document["inputs"]["densities"]["sha256"],
    )
    for result in run("compare", SMALL, "--batch", 16, "--densities", "trained", "--json").document["results"]:
        assert result["densities"]["matched_modules"] == 1


def test_wrong_densities_are_refused_in_one_line(run, tmp_path):
    measured(tmp_path / "other", module="elsewhere")
    for folder, message in (
        ("nowhere", "nowhere: got no such file, need densities of a training run; try bisparse train"),
        (
            "other",
            "densities: got modules of other such as 'elsewhere', need those of resnet9-cifar10 such as '0.0'; "
            "try the graph.json of that run",
        ),
    ):
        done = run("simulate", SMALL, "--batch", 16, "--densities", folder)
        assert (done.code, done.out) == (2, "")
        assert " ".join(done.err.split()).endswith(message)


def test_weights_are_as_measured_only_for_the_recipe_and_ratio_that_was_trained(run):
    pytest.importorskip("torch")
    words = ("--model", "mlp", "--data", "digits", "--epochs", 1, "--recipe", "bdwp", "--sparsity", "2:8")
    assert run("train", *words, "--out", "trained").code == 0

    def effectual(recipe, sparsity):
        asked = ("--recipe", recipe, "--sparsity", sparsity, "--densities", "trained", "--json")
        document = run("simulate", "trained/graph.json", *asked).document
        return document["effectual_macs"] / document["issued_macs"], document["densities"]["weights_measured"]

    _, measured = effectual("bdwp", "2:8")
    assert measured
    share, measured = effectual("bdwp", "4:8")
    assert not measured
    # All slots of 4:8 hold weights, whatever 2:8 kept: only activations and gradients have zeros.
    assert share > 0.4
    told = run("simulate", "trained/graph.json", "--recipe", "bdwp", "--sparsity", "4:8", "--densities", "trained").out
    assert "another recipe or ratio" in " ".join(told.split())
