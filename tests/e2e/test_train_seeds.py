"""``bisparse train --seeds`` through the real command line: several seeds side by side, each as if alone."""

import json

import pytest

SHORT = ("train", "--model", "mlp", "--data", "digits", "--epochs", 1, "--recipe", "bdwp", "--sparsity", "2:4")


def test_each_seed_is_the_run_that_it_would_be_alone_and_their_mean_is_told(run, tmp_path):
    several = run(*SHORT, "--seed", 3, "--seeds", 2, "--jobs", 1, "--out", "both", "--json")
    assert several.code == 0, several.err
    alone = run(*SHORT, "--seed", 4, "--out", "alone", "--json").document
    runs = several.document["runs"]
    assert [each["settings"]["seed"] for each in runs] == [3, 4]
    assert {name for name in alone if alone[name] != runs[1][name]} <= {"train_seconds"}
    reached = [each["test_accuracy"] for each in runs]
    assert several.document["test_accuracy"]["mean"] == pytest.approx(sum(reached) / 2)
    half = 12.7062 * abs(reached[0] - reached[1]) / 2
    assert several.document["test_accuracy"]["half_width"] == pytest.approx(half, rel=1e-4)
    # What is finished is not trained again, and the words say the same.
    before = (tmp_path / "both" / "seed4" / "summary.json").stat().st_mtime_ns
    told = run(*SHORT, "--seed", 3, "--seeds", 2, "--jobs", 1, "--out", "both").out.splitlines()
    assert (tmp_path / "both" / "seed4" / "summary.json").stat().st_mtime_ns == before
    assert [line.partition(":")[0] for line in told] == ["seed 3", "seed 4", "2 seeds"]
    assert json.loads((tmp_path / "both" / "seed3" / "summary.json").read_text()) == runs[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seeds", 0), "--seeds: got 0, need at least 1; try 5"),
        (("--jobs", 2), "--jobs: got 2 for one run, need several; try --seeds 5"),
        (("--seeds", 2, "--threads", 2), "--threads: got 2 with --seeds, need none: each run has a thread; try --jobs"),
    ],
)
def test_what_does_not_go_together_is_said(run, words, told):
    done = run(*SHORT, *words)
    assert (done.code, done.err.splitlines()[-1]) == (2, told)
