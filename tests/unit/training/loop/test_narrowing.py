"""Runs whose network becomes narrower where a phase begins: what they train, keep and leave, and what is refused."""

import json

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.graph_file import load_graph
from bisparse.training.loop import run as training_run
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.rewrites.apply import rewritten, weights_of
from pydantic import ValidationError

from .short_runs import KilledError, digits, killed_at, log_rows, run

pytestmark = pytest.mark.usefixtures("one_thread", "captured_once")

MINE = """
name: mine
title: "Dense, then narrower step by step, then fine-tuned"
source: "a test"
rewrites:
  - {kind: keep, neurons: 0.5, chosen_by: CHOICE, batches: 2}
schedule:
  phases:
    - {name: dense, steps: 6, rewrites: none}
    - {name: narrowing, steps: 6, rewrites: {shape: linear, updates: 2}}
    - {name: fine-tuning}
"""


def settings_of(tmp_path, text=MINE, choice="taylor", **given):
    (tmp_path / "mine.yaml").write_text(text.replace("CHOICE", choice))
    return digits(recipe=str(tmp_path / "mine.yaml"), batch=64, **given)


def test_it_leaves_the_network_that_its_last_phase_has(tmp_path):
    settings = settings_of(tmp_path)
    summary = run(settings, tmp_path / "run")
    graph = load_graph(tmp_path / "run" / "graph.json")
    planned = rewritten(graph, load_recipe(settings.recipe).model.rewrites, deployed=False).graph
    weights = torch.load(tmp_path / "run" / "weights.pt", weights_only=True)
    parameters = {each.name: each.elements(1) for each in planned.tensors.values() if each.role == "parameter"}
    assert {name: value.numel() for name, value in weights.items()} == parameters
    assert summary.parameters == weights_of(planned) < weights_of(graph)
    assert [row["phase"] for row in log_rows(tmp_path / "run")] == ["dense"] * 6 + ["narrowing"] * 6 + [
        "fine-tuning"
    ] * 6
    assert summary.validation_accuracy > 0.5


@pytest.mark.parametrize("optimizer", ["sgd-momentum", "adam"])
def test_killed_in_any_phase_it_ends_in_the_same_weights_bit_for_bit(tmp_path, monkeypatch, optimizer):
    settings = settings_of(tmp_path, choice="random", optimizer=optimizer, learning_rate=0.01)
    whole = run(settings, tmp_path / "whole")
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for step in (3, 6, 8, 9, 12, 15):
        with pytest.raises(KilledError):
            run(settings, tmp_path / "cut", progress=killed_at(step))
    cut = run(settings, tmp_path / "cut")
    assert cut.weights_sha256 == whole.weights_sha256
    assert cut.epochs == whole.epochs
    assert log_rows(tmp_path / "cut") == log_rows(tmp_path / "whole")


SEARCHED = """
name: mine
title: "A mixture of candidates with weights left out, then the one of the largest share"
source: "a test"
forward: {operand: weight}
backward: {operand: weight}
mask_search: {method: given}
rewrites:
  - {kind: parallel, branches: 3, searched: true, between: nothing}
schedule:
  phases:
    - {name: search, steps: 9}
    - {name: found, rewrites: none}
"""
ADAPTED = """
name: mine
title: "Neurons go by the gradients of adapters, which learn on"
source: "a test"
rewrites:
  - {kind: keep, neurons: 0.5, chosen_by: adapters, batches: 2}
  - {kind: adapters, rank: 4}
schedule:
  phases:
    - {name: narrowing, steps: 9, set: {rewrites.0.neurons: {shape: linear, start: 1.0, end: 0.5, updates: 2}}}
    - {name: tuning}
"""


@pytest.mark.parametrize("text", [SEARCHED, ADAPTED], ids=["searched", "adapted"])
def test_a_search_or_adapters_end_in_the_declared_network_and_a_killed_run_goes_on(tmp_path, monkeypatch, text):
    settings = settings_of(tmp_path, text, sparsity="75%")
    whole = run(settings, tmp_path / "whole")
    declared = load_recipe(settings.recipe).model
    kept = [] if declared.prunes else declared.rewrites[:1]
    planned = rewritten(load_graph(tmp_path / "whole" / "graph.json"), kept, deployed=False).graph
    weights = torch.load(tmp_path / "whole" / "weights.pt", weights_only=True)
    assert sum(each.numel() for each in weights.values()) == weights_of(planned)
    for path in whole.patterns:
        assert weights[f"{path}.weight"].count_nonzero() == round(weights[f"{path}.weight"].numel() / 4)
    assert bool(whole.patterns) == declared.prunes
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for step in (3, 14):
        with pytest.raises(KilledError):
            run(settings, tmp_path / "cut", progress=killed_at(step))
    assert run(settings, tmp_path / "cut").weights_sha256 == whole.weights_sha256


PRUNED = MINE.replace(
    "rewrites:\n",
    "forward: {operand: weight}\nbackward: {operand: weight}\ndecay: {strength: 0.0002}\nrewrites:\n",
    1,
).replace("neurons: 0.5", "neurons: 0.5, multiple_of: 8")


def test_n_of_m_weights_are_pruned_of_the_network_as_it_is_and_a_killed_run_goes_on(tmp_path, monkeypatch):
    settings = settings_of(tmp_path, PRUNED, choice="magnitude")
    whole = run(settings, tmp_path / "whole")
    assert {own for stages in whole.patterns.values() for own in stages.values()} == {"2:8"}
    weights = torch.load(tmp_path / "whole" / "weights.pt", weights_only=True)
    pruned = [f"{path}.weight" for path, stages in whole.patterns.items() if "FF" in stages]
    assert pruned
    for name in pruned:
        assert weights[name].count_nonzero() == weights[name].numel() / 4
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for step in (3, 7, 10, 15):
        with pytest.raises(KilledError):
            run(settings, tmp_path / "cut", progress=killed_at(step))
    assert run(settings, tmp_path / "cut").weights_sha256 == whole.weights_sha256


def test_a_recipe_that_lets_go_leaves_the_master_weights_and_one_that_is_removed_leaves_pruned_ones():
    model = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8))
    before = model[2].weight.detach().clone()
    apply(model, load_recipe("sr-ste").model, Pattern(2, 8)).let_go()
    assert torch.equal(model[2].weight, before)
    assert type(model[2]) is torch.nn.Linear
    apply(model, load_recipe("sr-ste").model, Pattern(2, 8)).remove()
    assert model[2].weight.count_nonzero() == before.numel() / 4


def test_what_a_network_does_not_have_is_told_before_it_trains(tmp_path):
    settings = settings_of(tmp_path, MINE.replace("neurons", "heads"))
    with pytest.raises(ConfigError, match=r"mine.yaml.*rewrites.0.heads: got 0.75, need a network with heads"):
        run(settings, tmp_path / "run", progress=killed_at(1))


def recipe(**changed):
    phases = [{"name": "dense", "share": 0.5, "rewrites": "none"}, {"name": "narrow"}]
    plain = {
        "name": "mine",
        "title": "a test",
        "source": "a test",
        "rewrites": [{"kind": "keep", "channels": 0.5, "chosen_by": "magnitude"}],
        "schedule": {"phases": phases},
    }
    return Recipe.model_validate_json(json.dumps(plain | changed), strict=True)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"rewrites": [{"kind": "keep", "channels": 0.5}]}, "other than one keep with chosen_by"),
        ({"forward": {"operand": "weight"}}, ""),
        (
            {"forward": {"operand": "weight"}, "mask_search": {"method": "given"}},
            "masks that stay, of a network that becomes narrower",
        ),
        (
            {"schedule": {"phases": [{"name": "narrow", "share": 0.5}, {"name": "wide", "rewrites": "none"}]}},
            "a network that becomes wider again",
        ),
        (
            {"rewrites": [{"kind": "parallel", "branches": 2, "searched": True}]},
            "a search that no phase ends",
        ),
        (
            {"rewrites": [{"kind": "keep", "neurons": 0.5, "chosen_by": "adapters"}, {"kind": "adapters", "rank": 2}]},
            "adapters that come later than the first step",
        ),
    ],
)
def test_what_training_does_not_know_is_simulated_alone(changed, why):
    made = recipe(**changed)
    assert made.changes_widths
    assert not made.trains_once
    assert why in made.simulated_only
    assert bool(why) == bool(made.simulated_only)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rewrites": []}, "need rewrites of the recipe"),
        (
            {
                "rewrites": [{"kind": "low-rank", "rank": 4}],
                "schedule": {"phases": [{"name": "a", "rewrites": {"updates": 2}}]},
            },
            "need keep alone",
        ),
        ({"schedule": {"phases": [{"name": "a", "rewrites": {"end": 2}}]}}, "need them between 0 and 1"),
        ({"schedule": {"dense_share": 0.5}}, "need a stage that is pruned, or phases of rewrites"),
        ({"rewrites": [{"kind": "keep", "channels": 2.0, "chosen_by": "random"}]}, "with a ratio above 1"),
    ],
)
def test_phases_that_say_nothing_are_refused(changed, message):
    with pytest.raises(ValidationError, match=message):
        recipe(**changed)
