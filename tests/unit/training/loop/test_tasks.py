"""Tasks one after another: masks of their own, weights of earlier ones untouched, accuracy of all after each."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.data import load_data
from bisparse.training.data.classes import classes_of_task, with_classes
from bisparse.training.loop import run as training_run
from bisparse.training.loop.evaluation import evaluate
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.run_summary import read_summary
from bisparse.training.trainable import build
from pydantic import ValidationError

from .short_runs import KilledError, digits, killed_at, log_rows, run

pytestmark = pytest.mark.usefixtures("one_thread", "captured_once")

TWO = [{"name": "low digits", "share": 0.5, "task": 1}, {"name": "high digits", "task": 2}]


def told(tmp_path, phases=TWO, base="static-masks", mask_search=None, **given):
    file = tmp_path / "tasks.yaml"
    whole = json.loads(load_recipe(base).model.model_dump_json(by_alias=True, exclude_defaults=True))
    own = {"name": "tasks", "title": "tasks", "source": "a test", "schedule": {"phases": phases}}
    own |= {} if mask_search is None else {"mask_search": mask_search}
    file.write_text(json.dumps(whole | own))
    return digits(str(file), sparsity="80%", epochs=4, batch=64, **given)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tasks")
    run(told(directory), directory / "run")
    return directory / "run"


def networks(directory):
    return torch.load(directory / "tasks.pt", weights_only=True)


def test_classes_are_shared_out_among_tasks_and_samples_go_with_them():
    data = load_data("digits")
    first, second = (with_classes(data, classes_of_task(data, task, 2)) for task in (1, 2))
    assert set(first.train.targets) == {0, 1, 2, 3, 4}
    assert len(first.train) + len(second.train) == len(data.train)
    assert np.array_equal(first.mean, data.mean)


def test_each_task_is_learned_and_none_is_forgotten(trained):
    summary = read_summary(trained)
    assert [(each.task, each.step, each.classes) for each in summary.tasks] == [(1, 36, 5), (2, 72, 5)]
    one, both = (each.validation_accuracies for each in summary.tasks)
    assert (len(one), len(both)) == (1, 2)
    assert both[0] == one[0], "nothing of the first task's changed"
    assert min(both) > 0.6, "chance is a fifth"
    assert {row["phase"] for row in log_rows(trained)} == {"low digits", "high digits"}


def test_a_tasks_network_is_a_plain_model_of_its_density(trained):
    data, summary = load_data("digits"), read_summary(trained)
    for task, state in enumerate(networks(trained).values(), 1):
        model = build("mlp", data)
        model.load_state_dict(state)
        classes = classes_of_task(data, task, 2)
        measured = evaluate(model, with_classes(data, classes), "validation", torch.device("cpu"), classes)
        assert measured.accuracy == pytest.approx(summary.tasks[-1].validation_accuracies[task - 1], abs=1e-9)
        for path in summary.patterns:
            weight = state[f"{path}.weight"]
            assert int(weight.count_nonzero()) == pytest.approx(0.2 * weight.numel(), abs=1)


def test_what_two_tasks_multiply_by_is_the_first_ones(trained):
    first, second = networks(trained).values()
    shared = 0
    for path in read_summary(trained).patterns:
        one, other = (each[f"{path}.weight"] for each in (first, second))
        both = (one != 0) & (other != 0)
        assert torch.equal(one[both], other[both])
        shared += int(both.sum())
    assert shared > 0
    # Of masks drawn by themselves, 1 - 0.8 * 0.8.
    assert read_summary(trained).tasks[-1].taken == pytest.approx(0.36, abs=0.01)
    assert not torch.equal(first["1.bias"], second["1.bias"]), "a bias is each task's own"


def test_a_run_of_tasks_goes_on_bit_for_bit(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    settings = told(trained.parent)
    for step in (30, 36, 37, 50):
        with pytest.raises(KilledError):
            run(settings, tmp_path / "cut", progress=killed_at(step))
    cut, whole = run(settings, tmp_path / "cut"), read_summary(trained)
    assert (cut.tasks, cut.epochs, cut.test_accuracy) == (whole.tasks, whole.epochs, whole.test_accuracy)
    for one, other in zip(networks(tmp_path / "cut").values(), networks(trained).values(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_masks_of_a_task_that_move_go_on_bit_for_bit_and_leave_earlier_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    search = {"method": "given", "start": "random", "moves": {"every_steps": 7, "exchanged": 0.3, "grow": "random"}}
    settings = told(tmp_path, base="cl-dst", mask_search=search)
    whole = run(settings, tmp_path / "whole")
    for step in (30, 45):
        with pytest.raises(KilledError):
            run(settings, tmp_path / "cut", progress=killed_at(step))
    assert run(settings, tmp_path / "cut").tasks == whole.tasks
    one, both = (each.validation_accuracies for each in whole.tasks)
    assert both[0] == one[0], "nothing of the first task's changed"
    first, second = networks(tmp_path / "whole").values()
    for path in whole.patterns:
        weights = [each[f"{path}.weight"] for each in (first, second)]
        shared = (weights[0] != 0) & (weights[1] != 0)
        assert torch.equal(weights[0][shared], weights[1][shared])
    for name, kept in networks(tmp_path / "cut").items():
        assert all(torch.equal(kept[each], networks(tmp_path / "whole")[name][each]) for each in kept)


def test_data_that_cannot_be_cut_into_tasks_are_refused(tmp_path):
    phases = [{"name": str(task), "task": task, **({} if task == 6 else {"share": 0.1})} for task in range(1, 7)]
    with pytest.raises(ConfigError, match="got digits, 10 classes, need images of at least 12 classes, two for each"):
        run(told(tmp_path, phases), tmp_path / "run")


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ([{"name": "a", "share": 0.5, "task": 1}, {"name": "b"}], "got tasks 1, 0, need one a phase, from 1 on"),
        ([{"name": "a", "task": 2}], "got tasks 2, need one a phase, from 1 on"),
        ([{"name": "a", "task": 1, "sparsity": "50%"}], "got a task with sparsity or zeros_percent"),
    ],
)
def test_tasks_that_make_no_sense_are_refused(phases, message):
    whole = json.loads(load_recipe("static-masks").model.model_dump_json(by_alias=True))
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate_json(json.dumps(whole | {"schedule": {"phases": phases}}))
