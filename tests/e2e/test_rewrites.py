"""A recipe that rewrites layers on the command line: answer and page say so, what cannot be done is refused."""

from __future__ import annotations

import re

import pytest
import torch
from bisparse.training.models.resnet import resnet9

RESNET = ("resnet9-cifar10", "--batch", 16)
RECIPE = """
name: low
title: Low rank
source: a test
rewrites:
  - {kind: low-rank, rank: 8, layers: ["3.*", "4"]}
"""
SAID = "low rewrites 3 layers: low rank 8. The forward pass has"


@pytest.fixture
def recipe(tmp_path):
    file = tmp_path / "low.yaml"
    file.write_text(RECIPE)
    return file


def test_the_answer_and_the_page_say_what_was_rewritten(run, recipe, tmp_path):
    done = run("simulate", *RESNET, "--recipe", recipe, "--out", "low")
    assert done.code == 0, done.err
    assert SAID in " ".join(done.out.split())
    for name in ("report.html", "report.md"):
        assert SAID in " ".join((tmp_path / "low" / name).read_text(encoding="utf-8").split())
    document = run("simulate", *RESNET, "--recipe", recipe, "--json").document
    assert [entry["layers"] for entry in document["rewrites"]] == [["3.body.0.0", "3.body.1.0", "4.0"]]
    assert document["flop_bound_speedup"] > 1


def test_a_comparison_sets_it_beside_dense(run, recipe):
    results = run("compare", *RESNET, "--recipes", f"dense,{recipe}", "--json").document["results"]
    assert results[0]["total_cycles"] == results[1]["dense"]["total_cycles"] > results[1]["total_cycles"]
    assert "rewrites" not in results[0]


def test_one_of_attention_does_not_train_and_says_so(run, recipe):
    recipe.write_text(re.sub(r"{kind: low-rank.*}", "{kind: hashed-attention, buckets: 4}", RECIPE))
    done = run("train", "--model", "resnet9", "--data", "digits", "--recipe", recipe, "--out", "run")
    assert (done.code, done.out) == (2, "")
    refused = "low: got a recipe that is simulated alone, for training does not know rewrites of layers ("
    assert refused in done.err


def test_a_checkpoint_of_the_network_before_it_was_rewritten_is_refused(run, recipe, tmp_path):
    torch.save(resnet9(classes=10).state_dict(), tmp_path / "net.pt")
    recipe.write_text("extends: static-masks\n" + RECIPE)
    done = run("simulate", *RESNET, "--recipe", recipe, "--weights", "net.pt")
    assert done.code == 2
    assert "which resnet9-cifar10 under low has not (low rank 8), need the checkpoint of the network" in done.err
