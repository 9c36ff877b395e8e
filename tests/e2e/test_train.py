"""``bisparse train`` through the real command line: what it prints and leaves, a kill at any moment, mistakes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SHORT = ("train", "--model", "mlp", "--data", "digits", "--epochs", 1)


def test_a_run_prints_its_accuracy_and_where_it_is(run):
    done = run(*SHORT, "--recipe", "bdwp", "--sparsity", "2:4")
    assert done.code == 0
    assert "mlp on digits under bdwp 2:4: 37 steps, 4 layers pruned" in done.out
    assert "test accuracy " in done.out
    assert done.out.splitlines()[-1] == "run: runs/mlp-digits-bdwp-2-4-seed0"
    # Piped, a line an epoch.
    assert [line for line in done.err.splitlines() if line.startswith("epoch 1: loss ")]


def test_json_is_the_summary_and_nothing_else(run, tmp_path):
    done = run(*SHORT, "--json", "--out", "here")
    assert done.document["settings"]["recipe"] == "bdwp"
    assert done.document == json.loads((tmp_path / "here" / "summary.json").read_text())


def test_with_hardware_the_whole_run_is_simulated(run):
    done = run(*SHORT, "--recipe", "mdgf-linear", "--hardware", "sat-vcu1525", "--json")
    phases = done.document["simulated"]["phases"]
    assert [phase["kind"] for phase in phases] == ["dense", "leak", "sparse"]
    assert sum(phase["steps"] for phase in phases) == 37
    assert done.document["simulated"]["seconds"] == pytest.approx(
        sum(phase["steps"] * phase["step_seconds"] for phase in phases)
    )


def test_what_was_measured_can_be_simulated(run):
    assert run(*SHORT, "--out", "trained").code == 0
    done = run("simulate", "trained/graph.json", "--recipe", "bdwp", "--densities", "trained", "--json")
    assert done.code == 0, done.err
    assert 0 < done.document["effectual_macs"] < done.document["issued_macs"]


def test_a_factory_that_prints_does_not_spoil_the_document(run, tmp_path):
    (tmp_path / "talking.py").write_text(
        "from torch import nn\n"
        "def made():\n"
        "    print('hello')\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    done = run("train", "--model", "talking:made", "--data", "digits", "--epochs", 1, "--recipe", "dense", "--json")
    assert done.document["steps"] == 11
    assert "hello" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "digit"), "data: got 'digit', need one of digits"),
        (("--model", "mpl"), "model: got 'mpl', need one of mlp"),
        (("--model", "gpt"), "model: got gpt for digits (images), need a model of images; try mlp"),
        (("--recipe", "bwdp"), "recipes: got 'bwdp'"),
        (("--sparsity", "8:2"), "8:2"),
        (("--batch", "5000"), "batch: got 5000, need 1 to 1197"),
        (("--learning-rate", "-1"), "learning_rate: got -1.0, need a number above 0"),
        (("--recipe", "step"), "optimizer: got sgd-momentum, need adam"),
        (("--precision", "fp8"), "precision: got 'fp8', need one of fp32, fp16, bf16"),
    ],
)
def test_a_mistake_is_one_line_and_claims_no_directory(words, told, run, tmp_path):
    done = run(*SHORT, *words)
    assert done.code == 2
    assert told in done.err
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.glob("runs/*/settings.json"))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_killed_at_any_moment_it_ends_in_the_same_weights(run, tmp_path):
    words = ["train", "--model", "mlp", "--data", "digits", "--epochs", "5", "--threads", "1", "--out"]

    def started():
        return subprocess.Popen(
            [sys.executable, "-m", "bisparse", *words, "cut"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    assert run(*words, "whole").code == 0
    for moment in ("epoch 1", "epoch 3"):
        process = started()
        for line in process.stderr:
            if line.decode().startswith(moment):
                break
        # Somewhere within the next epoch.
        time.sleep(0.03)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert started().wait(timeout=120) == 0
    summaries = [json.loads((tmp_path / each / "summary.json").read_text()) for each in ("whole", "cut")]
    assert summaries[0]["weights_sha256"] == summaries[1]["weights_sha256"]
    assert summaries[0]["epochs"] == summaries[1]["epochs"]
    assert (tmp_path / "whole" / "log.csv").read_text() == (tmp_path / "cut" / "log.csv").read_text()
