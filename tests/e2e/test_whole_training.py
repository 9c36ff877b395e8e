"""``--training-steps``: from the command line and from Python to the reports."""

import pytest

import bisparse

SMALL = "resnet9-cifar10"


def test_a_whole_run_reaches_terminal_document_and_reports(run, tmp_path):
    asked = ("simulate", SMALL, "--batch", 16, "--recipe", "sdgf-stepwise", "--training-steps", 1000)
    done = run(*asked, "--out", "out")
    assert (done.code, done.err) == (0, "")
    assert "The whole training run: 1,000 steps take" in " ".join(done.out.split())
    assert max(map(len, done.out.splitlines())) <= 80
    for report in ("report.html", "report.md"):
        assert "The whole training run" in (tmp_path / "out" / report).read_text()
    assert "--training-steps 1000" in (tmp_path / "out" / "command.txt").read_text()

    document = run(*asked, "--json").document
    training = document["training"]
    assert sum(phase["steps"] for phase in training["phases"]) == training["steps"] == 1000
    assert training["phases"][-1]["step_cycles"] == document["total_cycles"]
    assert training["phases"][0]["step_cycles"] == document["dense"]["total_cycles"]
    assert 1 < training["speedup_vs_dense"] < document["speedup_vs_dense"]
    again = bisparse.simulate(SMALL, recipe="sdgf-stepwise", batch=16, training_steps=1000)
    assert again.training.total_cycles == training["total_cycles"]


def test_compare_sets_whole_runs_side_by_side(run):
    asked = ("compare", SMALL, "--batch", 16, "--recipes", "dense,bdwp,step", "--training-steps", 100)
    done = run(*asked)
    assert "whole run" in done.out
    results = run(*asked, "--optimizer", "adam", "--json").document["results"]
    assert [result["training"]["switch_step"] for result in results] == [None, None, 50]
    assert [phase["optimizer"] for phase in results[2]["training"]["phases"]] == ["adam-watched", "adam-frozen"]


def test_without_it_a_recipe_that_changes_says_that_a_step_is_of_its_last_phase(run):
    done = run("simulate", SMALL, "--batch", 16, "--recipe", "mdgf-linear")
    words = " ".join(done.out.split())
    assert words.startswith("In its last phase mdgf-linear 2:8 trains")
    assert "this is a step of its last phase. The whole run: --training-steps N." in words


def test_steps_that_are_none_are_refused_in_one_line(run):
    done = run("simulate", SMALL, "--training-steps", 0)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "--training-steps" in done.err
    run("simulate", SMALL, "--batch", 16, "--save-schedule", "saved.json")
    done = run("simulate", SMALL, "--schedule", "saved.json", "--training-steps", 5)
    assert done.err.startswith("--training-steps: got it with --schedule")
    with pytest.raises(bisparse.ConfigError, match=r"training_steps: got 2.5, need an integer of at least 1"):
        bisparse.simulate(SMALL, batch=16, training_steps=2.5)
