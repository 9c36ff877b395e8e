"""Runs of runs: pruned, rewound and trained again; retrainings averaged; phases with rules of their own."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.densities import load_densities
from bisparse.training.graph import Stage
from bisparse.training.loop import run as training_run
from bisparse.training.loop.cycles import Cycles
from bisparse.training.loop.evaluation import Evaluation
from bisparse.training.loop.phase_rules import PhaseRules
from bisparse.training.loop.timetable import Timetable, Training
from bisparse.training.recipes.courses import Repeats
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.run_summary import read_summary

from .short_runs import KilledError, digits, killed_at, log_rows, run

pytestmark = pytest.mark.usefixtures("one_thread", "captured_once")

TICKET = {
    "cycles": 2,
    "retrain_share": 0.75,
}
SOUP = {"cycles": 2, "retrain_share": 0.5, "retrainings": 2, "rewind": "learning-rate"}


@pytest.fixture
def recipe_of(tmp_path):
    """A recipe's file, with a schedule and other fields of its own."""

    def written(schedule, base="lottery-ticket", **fields):
        file = tmp_path / "own.yaml"
        whole = json.loads(load_recipe(base).model.model_dump_json(by_alias=True, exclude_defaults=True))
        own = {"name": "own", "title": "own", "source": "a test", "schedule": schedule}
        file.write_text(json.dumps(whole | own | fields))
        return str(file)

    return written


def kept(directory, epoch, sizes):
    """Share of all pruned weights that FF multiplied by, at the end of an epoch."""
    rows = [row for row in load_densities(directory).rows if row.epoch == epoch]
    return sum(row.forward_weight_density * sizes[row.module] for row in rows) / sum(sizes[row.module] for row in rows)


def sizes_of(directory):
    weights = torch.load(directory / "weights.pt", weights_only=True)
    return {name.removesuffix(".weight"): each.numel() for name, each in weights.items() if name.endswith(".weight")}


@pytest.mark.parametrize(("repeats", "cuts"), [(TICKET, (3, 20, 33)), (SOUP, (20, 27, 31, 37))])
def test_a_run_of_runs_that_was_interrupted_ends_in_the_same_bits(repeats, cuts, recipe_of, tmp_path, monkeypatch):
    """18 steps, then cycles of 14, or of two times 9: killed before and after each kind of boundary."""
    settings = digits(recipe_of({"repeats": repeats}), sparsity="75%", batch=64)
    whole = run(settings, tmp_path / "whole")
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for step in cuts:
        with pytest.raises(KilledError):
            run(settings, tmp_path / "cut", progress=killed_at(step))
    cut = run(settings, tmp_path / "cut")
    assert cut.weights_sha256 == whole.weights_sha256
    assert (cut.epochs, cut.cycles) == (whole.epochs, whole.cycles)
    assert log_rows(tmp_path / "cut") == log_rows(tmp_path / "whole")
    assert load_densities(tmp_path / "cut").rows == load_densities(tmp_path / "whole").rows


@pytest.fixture
def boundaries(monkeypatch):
    """Weights and masks around what happens before each step: by step, before and after it."""
    seen, own = {}, Cycles.before_step

    def weights(cycles):
        return {path: cycles._applied.master(path).detach().numpy().copy() for path in cycles._applied.layers}

    def watched(cycles, step):
        ended = weights(cycles)
        own(cycles, step)
        masks = {path: cycles._applied.mask(path, Stage.FORWARD) for path in cycles._applied.layers}
        seen[step] = ended, weights(cycles), {path: mask.numpy() for path, mask in masks.items() if mask is not None}

    monkeypatch.setattr(Cycles, "before_step", watched)
    return seen


def largest(weights, share):
    """By numpy: the largest of all layers together, as many as their rounded shares come to."""
    count = sum(max(1, round(share * each.size)) for each in weights.values())
    least = np.sort(np.concatenate([np.abs(each).ravel() for each in weights.values()]))[-count]
    return {path: np.abs(each) >= least for path, each in weights.items()}


def test_a_cycle_prunes_the_network_as_a_whole_and_sets_the_weights_back(recipe_of, boundaries, tmp_path):
    run(digits(recipe_of({"repeats": TICKET}), sparsity="75%", batch=64), tmp_path / "run")
    early = boundaries[4][1]
    for first, share in ((18, 0.5), (32, 0.25)):
        ended, begun, masks = boundaries[first]
        for path, mask in largest(ended, share).items():
            assert np.array_equal(masks[path], mask)
            assert np.array_equal(begun[path], early[path])
    assert all((ended[path] == 0).mean() > 0.2 for path in ended), "of the second cycle the first one's are gone"


def test_what_the_last_cycle_leaves_has_its_zeros(recipe_of, tmp_path):
    summary = run(digits(recipe_of({"repeats": TICKET}), sparsity="75%", batch=64), tmp_path / "run")
    weights = torch.load(tmp_path / "run" / "weights.pt", weights_only=True)
    pruned = [weights[f"{path}.weight"] for path in summary.patterns]
    assert sum(int(each.count_nonzero()) for each in pruned) == sum(round(0.25 * each.numel()) for each in pruned)
    assert [(each.cycle, each.step, each.kept) for each in summary.cycles] == [
        (0, 18, 1.0),
        (1, 32, 0.5),
        (2, 46, 0.25),
    ]
    assert read_summary(tmp_path / "run") == summary
    assert (
        summary.validation_accuracy == summary.cycles[-1].validation_accuracy == summary.epochs[-1].validation_accuracy
    )
    assert {row["phase"] for row in log_rows(tmp_path / "run")} == {"training", "cycle 1", "cycle 2"}


def test_a_soup_is_the_mean_of_retrainings_that_start_alike_and_read_other_data(recipe_of, boundaries, tmp_path):
    summary = run(digits(recipe_of({"repeats": SOUP}), sparsity="75%", batch=64), tmp_path / "run")
    # 18 steps; two times 9 at a half, two times 9 at a quarter.
    for first in (18, 36):
        one, again, after = boundaries[first], boundaries[first + 9], boundaries.get(first + 18)
        for path in one[1]:
            assert np.array_equal(one[0][path], one[1][path]), "nothing is set back"
            assert np.array_equal(again[1][path], one[1][path])
            assert np.array_equal(again[2][path], one[2][path])
            assert not np.array_equal(boundaries[first + 10][0][path], boundaries[first + 1][0][path])
            if after is not None:
                assert np.array_equal(after[0][path] != 0, one[2][path])
    rates = [float(row["learning_rate"]) for row in log_rows(tmp_path / "run")]
    assert rates[18:27] == rates[9:18] == rates[45:54]
    assert [len(each.retrainings) for each in summary.cycles] == [0, 2, 2]
    assert log_rows(tmp_path / "run")[30]["phase"] == "cycle 1 retraining 2"


def test_a_retraining_may_start_at_the_highest_learning_rate_again(recipe_of, tmp_path):
    repeats = {"cycles": 1, "retrain_share": 0.5, "rewind": "restart"}
    summary = run(digits(recipe_of({"repeats": repeats}), sparsity="75%", batch=64), tmp_path / "run")
    rates = [float(row["learning_rate"]) for row in log_rows(tmp_path / "run")][18:]
    expected = [0.5 * (1 + np.cos(np.pi * step / 9)) * summary.settings.learning_rate for step in range(9)]
    assert rates == pytest.approx(expected, rel=1e-5)
    assert summary.epochs[-1].learning_rate == pytest.approx(expected[-1])


def test_the_mean_is_that_of_the_weights_that_the_retrainings_ended_with():
    model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    repeats = Repeats(cycles=1, retrainings=2, rewind="learning-rate")
    last = Training(cycle=1, retraining=2, steps=1)
    cycles = Cycles(Timetable(trainings=(last,), epochs=1, steps_per_epoch=1, repeats=repeats), model, None, None)
    ends = []
    for retraining, value in ((1, 1.0), (2, 4.0)):
        with torch.no_grad():
            model[0].weight.fill_(value)
            model[1].running_mean.fill_(value)
            model[1].num_batches_tracked.fill_(7)
        ends.append(cycles.end(replace(last, retraining=retraining), Evaluation(loss=value, accuracy=0.1 * value)))
    assert ends == [False, True]
    assert float(model[0].weight.detach()[0, 0]) == float(model[1].running_mean) == 2.5
    assert int(model[1].num_batches_tracked) == 7
    cycles.close(last, Evaluation(loss=0.5, accuracy=0.9))
    assert cycles.results[0].retrainings == (0.1, 0.4)
    assert cycles.results[0].validation_accuracy == 0.9


# Phases ---------------------------------------------------------------------------------------------------------------


def test_weights_pruned_in_pre_training_start_at_zero_and_learn(tmp_path):
    summary = run(digits("spdf", sparsity="75%", epochs=2, batch=64), tmp_path)
    sizes = sizes_of(tmp_path)
    assert kept(tmp_path, 1, sizes) == pytest.approx(0.25, abs=1e-4)
    assert 0.8 < kept(tmp_path, 2, sizes) < 1, "two steps of 36 are dense: not all of the weights have moved"
    assert {row["phase"] for row in log_rows(tmp_path)} == {"sparse pre-training", "dense fine-tuning"}
    assert summary.cycles == ()


def test_frozen_parameters_stay_as_they_were_in_their_phase_alone(recipe_of, boundaries, tmp_path):
    phases = [{"name": "some, first", "share": 0.5, "freeze": "1"}, {"name": "all"}]
    run(digits(recipe_of({"phases": phases}, base="static-masks"), batch=64), tmp_path / "run")
    at = {step: boundaries[step][0] for step in (0, 9, 17)}
    assert np.array_equal(at[0]["1"], at[9]["1"])
    assert not np.array_equal(at[0]["3"], at[9]["3"])
    assert not np.array_equal(at[9]["1"], at[17]["1"])
    assert log_rows(tmp_path / "run")[0]["phase"] == "some first"


def test_a_step_in_parts_learns_what_the_whole_step_does(recipe_of, tmp_path):
    ends = []
    for parts in (1, 4):
        file = recipe_of({"phases": [{"name": "all", "accumulate": parts}]}, base="static-masks")
        run(digits(file, batch=64), tmp_path / str(parts))
        ends.append(torch.load(tmp_path / str(parts) / "weights.pt", weights_only=True))
    assert all(torch.allclose(ends[0][name], ends[1][name], atol=1e-5) for name in ends[0])


def test_a_phase_has_a_batch_of_its_own(recipe_of, tmp_path, monkeypatch):
    sizes, own = [], PhaseRules.batch

    def seen(self, phase, place):
        found = own(self, phase, place)
        sizes.append(len(found.inputs))
        return found

    monkeypatch.setattr(PhaseRules, "batch", seen)
    phases = [{"name": "small", "steps": 4, "batch": 8}, {"name": "large", "steps": 4, "batch": 600}, {"name": "rest"}]
    run(digits(recipe_of({"phases": phases}, base="static-masks"), batch=64), tmp_path / "run")
    assert sizes == [8] * 4 + [600] * 4 + [64] * 10


@pytest.mark.parametrize(
    ("phase", "told"),
    [
        ({"freeze": "nowhere"}, r"static: freeze: got 'nowhere', need a parameter that learns of MLP"),
        ({"freeze": "*"}, r"static: freeze: got '\*', need a parameter that still learns"),
        ({"accumulate": 7}, r"static: accumulate: got 7, need a divisor of the batch, 64"),
        ({"batch": 5000}, r"batch: got 5000, need 1 to 1197"),
        ({"pass": "inference"}, r"training does not know forward passes alone \(schedule\.phases\.0\.pass\)"),
        ({"set": {"schedule.dense_share": 0.5}}, r"training does not know a phase that sets schedule\.dense_share"),
    ],
)
def test_what_training_cannot_do_in_a_phase_is_refused(phase, told, recipe_of, tmp_path):
    file = recipe_of({"phases": [{"name": "static", **phase}]}, base="static-masks")
    with pytest.raises(ConfigError, match=told):
        run(digits(file, batch=64), tmp_path / "run")


def test_repeats_of_masks_that_are_searched_for_anew_are_refused(recipe_of, tmp_path):
    file = recipe_of({"repeats": TICKET}, base="sdwp")
    with pytest.raises(
        ConfigError, match=r"schedule\.repeats of masks that do not stay \(mask_search\.method: top-n\)"
    ):
        run(digits(file), tmp_path / "run")


@pytest.mark.parametrize("asked", [{"freeze": "1"}, {"batch": 8}, {"accumulate": 2}, {"task": 1}])
def test_what_a_schedule_asks_of_the_loop_is_refused_where_the_loop_is_the_users(asked, recipe_of):
    recipe = load_recipe(recipe_of({"phases": [{"name": "all", **asked}]}, base="static-masks")).model
    with pytest.raises(ConfigError, match=r"or has tasks, frozen parameters or batches of its own, or chooses .* once"):
        apply(torch.nn.Sequential(torch.nn.Linear(8, 8)), recipe, Pattern(2, 8), steps=3)
