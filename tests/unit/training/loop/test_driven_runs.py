"""Runs that drive groups to zero before they remove them, that train networks within one another, or search for one."""

import dataclasses
import json

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.loop import run as training_run
from bisparse.training.recipes.declaration import Recipe
from bisparse.training.rewrites.in_torch import narrowed_module
from bisparse.training.run_summary import read_summary
from pydantic import ValidationError

from .short_runs import KilledError, digits, killed_at, run

pytestmark = pytest.mark.usefixtures("one_thread", "captured_once")

DRIVEN = """
name: mine
title: "Half of the neurons driven to zero"
source: "a test"
rewrites: [{kind: keep, neurons: 0.5, chosen_by: made}]
schedule:
  phases:
    - {name: dense, steps: 3, rewrites: none}
    - {name: driven, steps: 8, rewrites: none, groups_to_zero: RULE}
    - {name: without them}
"""
RULES = {
    "gradual": "{rule: gradual, periods: 2}",
    "half-space": "{rule: half-space, strength: 0.01, projects_from: 0.5}",
    "masked": "{rule: masked, strength: 0.01}",
    "envelope": "{rule: envelope, strength: 0.5}",
}
NESTED = """
name: mine
title: "Networks within one another"
source: "a test"
rewrites: [{kind: keep, neurons: 0.25, chosen_by: first}]
schedule:
  phases:
    - {name: sorted, drawn: true, rewrites: {shape: steps, values: [1.0, 0.5, 0.0]}}
"""
SEARCHED = """
name: mine
title: "The best of several"
source: "a test"
rewrites: [{kind: keep, neurons: 0.5, chosen_by: random, candidates: COUNT, batches: 2}]
"""


def settings_of(tmp_path, text, **given):
    (tmp_path / "mine.yaml").write_text(text)
    return digits(recipe=str(tmp_path / "mine.yaml"), batch=64, sparsity="0%", **given)


@pytest.mark.parametrize("rule", RULES)
def test_the_network_that_loses_its_zero_groups_computes_what_it_did(tmp_path, monkeypatch, rule):
    said = {}
    narrow = training_run.Narrowing.before_step

    def compared(self, hung, optimizer):
        inputs = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
        before = self._model.eval()(inputs).detach()
        found = narrow(self, hung, optimizer)
        after = self._model.eval()(inputs).detach()
        self._model.train()
        said[hung.applied.step] = float((after - before).abs().max()), sum(p.numel() for p in self._model.parameters())
        return found

    monkeypatch.setattr(training_run.Narrowing, "before_step", compared)
    summary = run(settings_of(tmp_path, DRIVEN.replace("RULE", RULES[rule])), tmp_path / "run")
    (whole, narrower) = said[10][1], said[11][1]
    assert narrower == summary.parameters < 0.6 * whole
    assert said[11][0] < 1e-5
    assert set(summary.left_over) == {"1", "3", "5"}
    assert read_summary(tmp_path / "run") == summary
    if rule == "gradual":
        assert set(summary.left_over.values()) == {0.0}


def test_killed_while_groups_are_driven_a_run_ends_in_the_same_weights(tmp_path, monkeypatch):
    settings = settings_of(tmp_path, DRIVEN.replace("RULE", RULES["gradual"]))
    whole = run(settings, tmp_path / "whole")
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for step in (5, 9, 12):
        with pytest.raises(KilledError):
            run(settings, tmp_path / "cut", progress=killed_at(step))
    cut = run(settings, tmp_path / "cut")
    assert (cut.weights_sha256, cut.left_over) == (whole.weights_sha256, whole.left_over)


def test_networks_within_one_another_are_each_measured_at_the_end(tmp_path):
    summary = run(settings_of(tmp_path, NESTED, epochs=2), tmp_path / "run")
    sizes = [each.parameters for each in summary.sub_networks]
    assert sizes == sorted(set(sizes))
    assert len(sizes) == 3
    assert sizes[-1] == summary.parameters
    assert summary.sub_networks[-1].test_accuracy == summary.test_accuracy
    assert min(each.test_accuracy for each in summary.sub_networks) > 0.5
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["sub_networks"][0]["parameters"] == sizes[0]
    assert read_summary(tmp_path / "run") == summary


def test_killed_a_run_of_networks_within_one_another_draws_what_it_would_have_drawn(tmp_path, monkeypatch):
    settings = settings_of(tmp_path, NESTED)
    whole = run(settings, tmp_path / "whole")
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KilledError):
        run(settings, tmp_path / "cut", progress=killed_at(7))
    cut = run(settings, tmp_path / "cut")
    assert (cut.weights_sha256, cut.sub_networks) == (whole.weights_sha256, whole.sub_networks)


def test_networks_within_another_are_not_rounded(tmp_path):
    with pytest.raises(ConfigError, match=r"precision: got bf16, need fp32"):
        run(settings_of(tmp_path, NESTED, precision="bf16"), tmp_path / "run")


def test_networks_within_another_have_no_masks(tmp_path):
    masked = NESTED.replace("schedule:", "forward: {operand: weight}\nschedule:")
    settings = settings_of(tmp_path, masked)
    with pytest.raises(ConfigError, match=r"sorted: drawn: got true with masks, need a recipe that prunes no weight"):
        run(dataclasses.replace(settings, sparsity="2:4"), tmp_path / "run")


def test_of_several_drawn_networks_the_one_of_the_least_loss_is_trained(tmp_path, monkeypatch):
    compared, found = [], narrowed_module.least_loss

    def noted(model, narrowed, seeds, calibration):
        def counted(twin, seed):
            narrowed(twin, seed)
            loss = sum(float(calibration.loss(twin.train(), *batch)) for batch in calibration.batches)
            compared.append((loss, seed))

        chosen = found(model, counted, seeds, calibration)
        assert chosen == min(compared)[1]
        return chosen

    monkeypatch.setattr(narrowed_module, "least_loss", noted)
    run(settings_of(tmp_path, SEARCHED.replace("COUNT", "5")), tmp_path / "run")
    assert len({seed for _, seed in compared}) == 5


GRADUAL = {"rule": "gradual"}


def recipe(**changed):
    plain = {
        "name": "mine",
        "title": "a test",
        "source": "a test",
        "rewrites": [{"kind": "keep", "channels": 0.5, "chosen_by": "made"}],
        "schedule": {
            "phases": [
                {"name": "driven", "share": 0.5, "rewrites": "none", "groups_to_zero": {"rule": "gradual"}},
                {"name": "narrow"},
            ]
        },
    }
    return Recipe.model_validate(plain | changed)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rewrites": [{"kind": "keep", "channels": 0.5, "chosen_by": "magnitude"}]}, "chosen_by: made"),
        (
            {
                "schedule": {
                    "phases": [{"name": "a", "groups_to_zero": {"rule": "gradual"}}, {"name": "b", "share": 0.5}]
                }
            },
            "need rewrites: none",
        ),
        (
            {"schedule": {"phases": [{"name": "a", "rewrites": "none", "groups_to_zero": GRADUAL}]}},
            "need a next phase with rewrites: full",
        ),
        ({"schedule": {"phases": [{"name": "a", "drawn": True}]}}, "drawn: got true, need rewrites that change"),
    ],
)
def test_a_phase_whose_zero_groups_nothing_removes_is_refused(changed, told):
    with pytest.raises(ValidationError, match=told):
        recipe(**changed)


@pytest.mark.parametrize(
    ("penalty", "told"),
    [
        ({"rule": "gradual", "strength": 1.0}, "strength: got 1.0 of gradual, need none"),
        ({"rule": "masked"}, "strength: got None of masked, need a number"),
        ({"rule": "half-space", "strength": 1.0}, "projects_from: got None of half-space, need a share"),
        ({"rule": "envelope", "strength": 1.0, "periods": 2}, "periods: got 2 of envelope, need 1"),
    ],
)
def test_a_rule_is_told_what_it_needs_and_nothing_else(penalty, told):
    phases = [
        {"name": "driven", "share": 0.5, "rewrites": "none", "groups_to_zero": penalty},
        {"name": "narrow"},
    ]
    with pytest.raises(ValidationError, match=told):
        recipe(schedule={"phases": phases})


def test_candidates_are_of_a_random_choice():
    with pytest.raises(ValidationError, match="candidates: got 3 with chosen_by made, need chosen_by: random"):
        recipe(rewrites=[{"kind": "keep", "channels": 0.5, "chosen_by": "made", "candidates": 3}])
