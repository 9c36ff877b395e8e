"""A co-design study: what it plans, how it sets accuracy beside cost, and what it makes of that, all without torch."""

import json
from functools import cache
from statistics import fmean
from types import SimpleNamespace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.library import find
from bisparse.sim.studies.codesign.accuracy_front import (
    pareto_front,
    target_accuracy,
    time_to_accuracy,
    training_joules,
)
from bisparse.sim.studies.codesign.codesign import Codesign
from bisparse.sim.studies.codesign.plan import ADAM_LEARNING_RATE, plan
from bisparse.sim.studies.codesign.run_codesign import RUNS, TrainedPoint, assemble
from bisparse.sim.studies.statistics import paired_difference
from bisparse.sim.trained import trained_simulator
from bisparse.sim.training_run import simulate_training
from bisparse.training.run_summary import EpochResult, RunSummary

EPOCHS, STEPS_PER_EPOCH = 4, 25


@cache
def hardware():
    return load_hardware("sat-vcu1525")


def planned(recipes=("sr-ste", "bdwp"), sparsities=("2:4", "2:8"), seeds=2, **given):
    return plan("mlp", "digits", recipes, sparsities, seeds=seeds, hardware=hardware(), **given)


# The plan ------------------------------------------------------------------------------------------------------------


def told(points):
    return [(point.recipe.model.name, str(point.pattern), point.runs[0].optimizer) for point in points]


def test_dense_is_planned_first_and_every_point_has_the_same_seeds():
    points = planned()
    assert told(points) == [
        ("dense", "1:1", "sgd-momentum"),
        ("sr-ste", "2:4", "sgd-momentum"),
        ("sr-ste", "2:8", "sgd-momentum"),
        ("bdwp", "2:4", "sgd-momentum"),
        ("bdwp", "2:8", "sgd-momentum"),
    ]
    assert [point.baseline for point in points] == [True, False, False, False, False]
    assert {tuple(run.seed for run in point.runs) for point in points} == {(0, 1)}
    assert points[2].folders == ("sr-ste-2-8-seed0", "sr-ste-2-8-seed1")
    assert told(planned(("bdwp", "dense", "sr-ste"))) == told(planned(("dense", "bdwp", "sr-ste")))


def test_a_recipe_that_makes_a_network_narrower_is_one_point_without_a_ratio():
    points = planned(("spa", "bdwp"), sparsities=("2:8",))
    assert told(points)[1:] == [("spa", "1:1", "sgd-momentum"), ("bdwp", "2:8", "sgd-momentum")]
    assert [point.baseline for point in points] == [True, False, False]
    assert points[1].folders == ("spa-seed0", "spa-seed1")


def test_runs_do_not_depend_on_what_else_is_asked_for():
    few, many = planned(("bdwp",), ("2:8",), seeds=1), planned(seeds=3)
    known = {folder: run for point in many for folder, run in zip(point.folders, point.runs, strict=True)}
    for point in few:
        assert known[point.folders[0]] == point.runs[0]


def test_what_needs_adam_is_paired_with_a_dense_run_of_adam():
    points = planned(("bdwp", "step"), ("2:8",), learning_rate=0.2)
    assert told(points) == [
        ("dense", "1:1", "sgd-momentum"),
        ("dense", "1:1", "adam"),
        ("bdwp", "2:8", "sgd-momentum"),
        ("step", "2:8", "adam"),
    ]
    assert [point.runs[0].learning_rate for point in points] == [0.2, ADAM_LEARNING_RATE, 0.2, ADAM_LEARNING_RATE]
    assert len({folder for point in points for folder in point.folders}) == 8
    alike = {(point.runs[0].epochs, point.runs[0].batch, point.runs[0].weight_decay) for point in points}
    assert len(alike) == 1


def test_a_study_of_adam_has_one_baseline_and_its_own_learning_rate():
    points = planned(("step",), ("2:8",), optimizer="adam", learning_rate=0.004)
    assert told(points) == [("dense", "1:1", "adam"), ("step", "2:8", "adam")]
    assert {point.runs[0].learning_rate for point in points} == {0.004}


def test_a_ratio_that_the_design_lacks_is_refused_before_anything_is_trained():
    with pytest.raises(MappingError, match=r"sparsity: got 3:7, need one that sat-vcu1525 has: 1:4"):
        planned(sparsities=("2:8", "3:7"))


def test_shares_of_zeros_are_planned_for_recipes_whose_masks_are_given():
    points = planned(("gradual-magnitude",), ("80%", "2:8"))
    assert [str(point.pattern) for point in points] == ["1:1", "80%", "2:8"]
    assert points[2].folders[0] == "gradual-magnitude-2-8-seed0"
    assert len({folder for point in points for folder in point.folders}) == 6
    with pytest.raises(ConfigError, match=r"sparsity: got 80%, need N:M such as 2:8; try --recipe static-masks"):
        planned(("gradual-magnitude", "bdwp"), ("80%",))


def test_a_recipe_of_the_users_own_is_known_by_its_name(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(find("recipes", "bdwp").read_text())
    with pytest.raises(ConfigError, match="both named bdwp"):
        planned(("bdwp", str(mine)))
    mine.write_text(mine.read_text().replace("name: bdwp", "name: mine"))
    point = planned(("bdwp", str(mine)), ("2:8",))[-1]
    assert (point.recipe.model.name, point.folders[0]) == ("mine", "mine-2-8-seed0")
    assert point.runs[0].recipe == str(mine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 0}, "seeds: got 0, need at least 1"),
        ({"sparsities": ()}, "sparsity: got none"),
        ({"sparsities": ("4:4",)}, "sparsity: got 4:4, which is dense"),
        ({"recipes": ("bdpw",)}, "bdpw"),
        ({"epochs": 0}, "epochs: got 0"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        planned(**change)


# The study -----------------------------------------------------------------------------------------------------------


def pruned(ratio):
    """By layer and stage; the graph's first product has no BP, as it passes no gradient on."""
    return {"0.0": {"BP": ratio}, "1.0": {"FF": ratio, "BP": ratio}}


def summary(point, number, switch_step=None):
    settings = point.runs[number]
    loss = 0.0 if point.baseline else (0.01 + 0.002 * number) * (2 if point.pattern.density < 0.5 else 1)
    accuracy = 0.97 + 0.01 * number - loss
    epochs = tuple(
        EpochResult(
            epoch=epoch,
            step=epoch * STEPS_PER_EPOCH,
            learning_rate=0.1,
            train_loss=1 / epoch,
            validation_loss=1 / epoch,
            validation_accuracy=accuracy * epoch / EPOCHS,
            mask_churn=None,
            phase="sparse",
        )
        for epoch in range(1, EPOCHS + 1)
    )
    return RunSummary(
        settings=settings,
        recipe_name=point.recipe.model.name,
        recipe_sha256=point.recipe.sha256,
        data_sha256="d" * 64,
        parameters=1000,
        steps_per_epoch=STEPS_PER_EPOCH,
        steps=EPOCHS * STEPS_PER_EPOCH,
        switch_step=switch_step,
        test_accuracy=accuracy,
        test_loss=1 - accuracy,
        validation_accuracy=accuracy,
        validation_loss=1.0,
        epochs=epochs,
        patterns={} if point.baseline else pruned(str(point.pattern)),
        dense_reasons={} if point.baseline else dict.fromkeys(("0.0:FF", "0.0:BP"), "first convolution"),
        weights_sha256="w" * 64,
        train_seconds=2.0,
        torch_version="2",
        threads=1,
        bisparse_version="test",
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Runs that left a graph behind."""
    made = tmp_path_factory.mktemp("study")
    for folder in ("dense-seed0", "dense-adam-seed0"):
        (made / RUNS / folder).mkdir(parents=True)
        (made / RUNS / folder / "graph.json").write_bytes(find("workloads", "resnet9-cifar10").read_bytes())
    return made


SWITCHES = (20, 40)


@pytest.fixture(scope="module")
def trained():
    points = planned(("bdwp", "mdgf-linear", "step"), ("2:4", "2:8"), batch=4, epochs=EPOCHS)
    switched = [SWITCHES if point.recipe.model.name == "step" else (None, None) for point in points]
    return [
        TrainedPoint(plan=point, summaries=tuple(summary(point, number, steps[number]) for number in range(2)))
        for point, steps in zip(points, switched, strict=True)
    ]


@pytest.fixture(scope="module")
def study(trained, directory):
    return assemble(trained, directory, hardware(), version="test", given=("batch", "epochs"))


def point(study, recipe, sparsity="2:8"):
    return next(each for each in study.points if (each.recipe, each.sparsity) == (recipe, sparsity))


def test_costs_are_those_of_the_whole_training_and_accuracies_are_paired_by_seed(study, trained, directory):
    bdwp, base = point(study, "bdwp"), study.baseline
    planned_bdwp = next(each for each in trained if each.plan.folders[0] == "bdwp-2-8-seed0")
    simulator = trained_simulator(trained[0].summaries[0], directory / RUNS / "dense-seed0", hardware(), version="test")
    run = simulate_training(simulator, planned_bdwp.plan.recipe, planned_bdwp.plan.pattern, EPOCHS * STEPS_PER_EPOCH)
    assert (bdwp.training_seconds, bdwp.training_joules) == (run.seconds, run.joules)
    assert (base.training_seconds, base.training_joules) == pytest.approx((run.dense_seconds, run.dense_joules))
    assert bdwp.speedup_vs_dense == pytest.approx(run.speedup_vs_dense)
    assert bdwp.energy_ratio_vs_dense == pytest.approx(run.energy_ratio_vs_dense)
    assert bdwp.time_share == pytest.approx(bdwp.training_seconds / base.training_seconds)
    assert bdwp.step_seconds * bdwp.steps == pytest.approx(bdwp.training_seconds)
    assert bdwp.accuracy_difference == paired_difference(bdwp.test_accuracy, base.test_accuracy)
    assert bdwp.loss_difference == paired_difference(bdwp.test_loss, base.test_loss)
    assert base.accuracy_difference.mean == 0
    assert not base.resolved


def test_a_switch_costs_what_each_seed_waited_for_it_and_is_paired_with_adam(study):
    step, other = point(study, "step"), study.points[1]
    assert (other.optimizer, other.recipe, other.baseline) == ("adam", "dense", True)
    assert study.baseline_of(step) is other
    assert study.baseline_of(point(study, "bdwp")) is study.baseline
    assert step.switch_steps == SWITCHES
    dense, sparse = step.phases
    assert (dense.steps, sparse.steps) == (fmean(SWITCHES), EPOCHS * STEPS_PER_EPOCH - fmean(SWITCHES))
    assert dense.steps * dense.step_seconds + sparse.steps * sparse.step_seconds == pytest.approx(step.training_seconds)
    assert step.speedup_vs_dense == pytest.approx(other.training_seconds / step.training_seconds)
    assert step.accuracy_difference == paired_difference(step.test_accuracy, other.test_accuracy)


def test_early_epochs_of_a_schedule_take_as_long_as_dense_ones(study):
    gradual, base = point(study, "mdgf-linear"), study.baseline
    assert [phase.kind for phase in gradual.phases] == ["dense", "leak", "sparse"]
    assert gradual.phases[1].reason == "pruned weights still count"
    first = [(mine.seconds, theirs.seconds) for mine, theirs in zip(gradual.curve, base.curve, strict=True)]
    assert first[0][0] == pytest.approx(first[0][1])
    assert first[-1][0] < first[-1][1]
    for each in study.points:
        assert each.curve[-1].seconds == pytest.approx(each.training_seconds)
        assert each.curve[-1].joules == pytest.approx(each.training_joules)


def test_only_products_that_the_step_has_are_said_to_be_pruned_or_left_dense(study):
    bdwp = point(study, "bdwp")
    assert bdwp.patterns == {"1.0": {"FF": "2:8", "BP": "2:8"}}
    assert bdwp.dense_reasons == {"0.0:FF": "first convolution"}
    assert study.layers[:2] == ("0.0", "1.0")


def test_a_study_says_what_it_rests_on(study):
    known = {each.parameter: each for each in study.assumptions}
    assert len(known) == len(study.assumptions), "every parameter once"
    assert known["training.batch"].status == "given"
    assert known["training.learning_rate"].status == "assumed"
    assert known["training.adam_learning_rate"].value == ADAM_LEARNING_RATE
    assert {"recipe.bdwp", "recipe.step", "recipe.dense", "hardware.clock_hz"} <= known.keys()
    assert {source.name for role, source in study.inputs.items() if role.startswith("recipe")} == {
        "dense", "bdwp", "mdgf-linear", "step",
    }  # fmt: skip


def test_a_study_read_again_is_the_study_that_was_written(study):
    document = json.loads(json.dumps(study.document(), allow_nan=False))
    assert (document["schema_version"], document["kind"]) == (1, "codesign")
    assert Codesign.from_document(document) == study


def test_the_table_has_a_row_a_point_and_its_interval(study):
    table = study.table
    assert list(table["recipe"]) == [each.recipe for each in study.points]
    assert list(table["accuracy_difference.mean"]) == [each.accuracy_difference.mean for each in study.points]
    assert list(table["resolved"]) == [each.resolved for each in study.points]


# Front and targets ---------------------------------------------------------------------------------------------------


def made(accuracy, seconds, joules=1.0):
    return SimpleNamespace(accuracy=SimpleNamespace(mean=accuracy), training_seconds=seconds, training_joules=joules)


def test_the_front_is_what_no_other_beats():
    dense, fast, beaten, best = made(0.97, 10), made(0.95, 5), made(0.94, 6), made(0.98, 9)
    slow_as_fast = made(0.93, 5)
    assert pareto_front([dense, fast, beaten, best, slow_as_fast]) == (fast, best)


def test_equal_points_are_both_on_the_front_and_costs_may_differ():
    one, two = made(0.95, 5, joules=3), made(0.95, 5, joules=2)
    assert pareto_front([one, two]) == (one, two)
    assert pareto_front([one, two], training_joules) == (two,)
    assert pareto_front([]) == ()


def test_time_to_accuracy_is_that_of_the_first_epoch_that_reaches_it():
    curve = [
        SimpleNamespace(epoch=epoch, seconds=seconds, joules=2 * seconds, validation_accuracy=accuracy)
        for epoch, seconds, accuracy in ((1, 10.0, 0.5), (2, 20.0, 0.9), (3, 26.0, 0.85), (4, 32.0, 0.95))
    ]
    reached = time_to_accuracy(SimpleNamespace(curve=curve), 0.9)
    assert (reached.epoch, reached.seconds, reached.joules) == (2, 20.0, 40.0)
    assert time_to_accuracy(SimpleNamespace(curve=curve), 0.91).epoch == 4
    assert time_to_accuracy(SimpleNamespace(curve=curve), 0.96) is None


def test_a_target_is_a_share_of_what_dense_ends_with(study):
    assert target_accuracy(study, 0.5) == pytest.approx(0.5 * study.baseline.curve[-1].validation_accuracy)
