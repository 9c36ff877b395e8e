"""A whole training run as a weighted sum of steps, worked out beside the steps themselves."""

from dataclasses import replace
from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.results.training_figures import TrainingRun
from bisparse.sim.simulation import Simulator
from bisparse.sim.training_run import simulate_training
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

FULL = Pattern(2, 8)


@cache
def simulator(optimizer="sgd-momentum", hardware="sat-vcu1525"):
    return Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware(hardware),
        options=Options(batch=8, optimizer=optimizer),
        version="test",
    )


def step(recipe, sparsity="2:8", optimizer="sgd-momentum"):
    return simulator(optimizer).step(load_recipe(recipe), Pattern.parse(sparsity))


def run(recipe, steps=100, pattern=FULL, optimizer="sgd-momentum", **given):
    return simulate_training(simulator(optimizer), load_recipe(recipe), pattern, steps, **given)


def told(training):
    return [(each.kind, each.first_step, each.steps, each.sparsity, each.costs_as) for each in training.phases]


def test_a_recipe_without_a_schedule_costs_its_step_times_the_steps():
    training, one, dense = run("bdwp"), step("bdwp"), simulator().dense
    assert told(training) == [("sparse", 0, 100, "2:8", "2:8")]
    assert training.total_cycles == 100 * one.total_cycles
    assert training.seconds == pytest.approx(100 * one.step_seconds)
    assert training.joules == pytest.approx(100 * one.energy_joules)
    assert (training.dense_cycles, training.switch_step) == (100 * dense.total_cycles, None)
    result = simulator().run(load_recipe("bdwp"), FULL)
    assert training.speedup_vs_dense == pytest.approx(result.speedup_vs_dense)
    assert training.energy_ratio_vs_dense == pytest.approx(result.energy_ratio_vs_dense)


def test_dense_training_is_neither_faster_nor_slower_than_itself():
    training = run("dense")
    assert told(training) == [("dense", 0, 100, "dense", "dense")]
    assert (training.speedup_vs_dense, training.energy_ratio_vs_dense) == (1.0, 1.0)


def test_a_leak_costs_as_dense_and_says_why():
    training, one, dense = run("mdgf-linear"), step("mdgf-linear"), simulator().dense
    assert told(training) == [
        ("dense", 0, 10, "dense", "dense"),
        ("leak", 10, 70, "2:8", "dense"),
        ("sparse", 80, 20, "2:8", "2:8"),
    ]
    assert training.phases[1].reason == "pruned weights still count"
    assert training.total_cycles == 80 * dense.total_cycles + 20 * one.total_cycles


def test_a_frame_that_the_design_has_no_pattern_for_costs_as_dense_and_says_so():
    training = run("sdgf-stepwise")
    assert told(training) == [
        ("dense", 0, 10, "dense", "dense"),
        ("frame", 10, 23, "7:8", "dense"),
        ("frame", 33, 23, "4:8", "4:8"),
        ("frame", 56, 24, "2:8", "2:8"),
        ("sparse", 80, 20, "2:8", "2:8"),
    ]
    assert [each.reason for each in training.phases] == ["", "sat-vcu1525 has no 7:8", "", "", ""]
    dense, half, full = simulator().dense, step("sdgf-stepwise", "4:8"), step("sdgf-stepwise")
    wanted = 33 * dense.total_cycles + 23 * half.total_cycles + 44 * full.total_cycles
    assert training.total_cycles == wanted


def test_in_a_frame_only_the_layers_whose_ratio_is_lacking_run_dense(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: sdgf-geometric\nname: mine\nlayers:\n  - {names: ['1.*'], sparsity: '1:4'}\n")
    training = simulate_training(simulator(), load_recipe(str(file)), FULL, 100)
    # The layer is at 4:16 while the others are at 8:32, and at 2:8 while they are at 4:16.
    first, second, _ = [each for each in training.phases if each.kind == "frame"]
    assert (first.costs_as, first.reason) == ("dense", "sat-vcu1525 has no 8:32: layers of that ratio run dense")
    assert second.step_cycles < first.step_cycles < simulator().dense.total_cycles
    assert (second.costs_as, second.reason) == ("4:16", "")


def test_a_full_ratio_that_the_design_lacks_is_refused_in_the_last_frame_too():
    with pytest.raises(MappingError, match="sparsity: got 3:8, need one that sat-vcu1525 has"):
        run("sdgf-stepwise", pattern=Pattern(3, 8))


def test_step_switches_at_its_latest_or_when_it_did():
    assert [run("step", **given).switch_step for given in ({}, {"switch_step": 20}, {"switch_step": 100})] == [
        50,
        20,
        100,
    ]
    with pytest.raises(ConfigError, match="switch_step: got 101, need a step between 0 and 100"):
        run("step", switch_step=101)
    with pytest.raises(ConfigError, match="steps: got 0, need at least 1"):
        run("step", steps=0)


def test_step_watches_adam_s_second_moment_and_then_freezes_it():
    training = run("step", optimizer="adam", switch_step=20)
    assert [each.optimizer for each in training.phases] == ["adam-watched", "adam-frozen"]
    before, after = training.phases
    assert before.step_cycles == simulator("adam-watched").dense.total_cycles
    assert before.step_joules > simulator("adam").dense.energy_joules
    frozen = simulator("adam-frozen").step(load_recipe("step"), FULL)
    assert (after.step_cycles, after.step_joules) == (frozen.total_cycles, frozen.energy_joules)
    assert after.step_joules < step("step", optimizer="adam").energy_joules
    assert training.dense_joules == pytest.approx(100 * simulator("adam").dense.energy_joules)
    assert {each.optimizer for each in run("step").phases} == {"sgd-momentum"}, "as asked"


def test_time_and_energy_to_a_step_are_those_of_the_phases_before_it():
    training, one, dense = run("mdgf-linear"), step("mdgf-linear"), simulator().dense
    assert training.seconds_after(0) == 0
    assert training.seconds_after(15) == pytest.approx(15 * dense.step_seconds)
    assert training.seconds_after(90) == pytest.approx(80 * dense.step_seconds + 10 * one.step_seconds)
    assert training.joules_after(90) == pytest.approx(80 * dense.energy_joules + 10 * one.energy_joules)
    assert training.seconds_after(100) == pytest.approx(training.seconds)


def test_a_run_is_plain_data_and_back():
    training = run("sdgf-stepwise")
    assert TrainingRun.from_document(training.document()) == training


NARROWER = """
name: mine
title: "a test"
source: "a test"
rewrites:
  - {kind: keep, channels: 0.5, chosen_by: magnitude}
schedule:
  phases:
    - {name: whole, steps: 40, rewrites: none}
    - {name: narrowing, steps: 20, rewrites: {shape: linear, updates: 2}}
    - {name: narrow}
"""


def test_a_phase_costs_the_step_of_the_network_as_it_is_in_that_phase(tmp_path):
    """The dense baseline is the network that it began as."""
    (tmp_path / "mine.yaml").write_text(NARROWER)
    mine = load_recipe(str(tmp_path / "mine.yaml"))
    training = simulate_training(simulator(), mine, FULL, 100)

    def cycles(ratio):
        recipe = mine.model.model_copy(
            update={"rewrites": (mine.model.rewrites[0].model_copy(update={"channels": ratio}),)}
        )
        return simulator().step(replace(mine, model=recipe.unpruned), FULL).numbers.total_cycles

    dense = simulator().dense.numbers.total_cycles
    assert [each.step_cycles for each in training.phases] == [dense, cycles(0.75), cycles(0.5), cycles(0.5)]
    assert training.total_cycles == 40 * dense + 10 * cycles(0.75) + 50 * cycles(0.5)
    assert training.dense_cycles == 100 * dense
    assert training.phases[1].reason == "the network is rewritten, keep channels 0.75, chosen by magnitude"
    result = simulator().run(mine, FULL)
    assert (result.changes_over_time, result.total_cycles) == (True, cycles(0.5))


def test_a_step_of_drawn_networks_says_which_it_is(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        NARROWER.partition("schedule")[0].replace("magnitude", "first")
        + "schedule: {phases: [{name: sorted, drawn: true, rewrites: {shape: steps, values: [1.0, 0.0]}}]}"
    )
    (said,) = simulator().run(load_recipe(str(tmp_path / "mine.yaml")), FULL).notes
    assert said.startswith("mine trains another of its networks in each step, drawn: this is a step of the smallest.")


def test_phases_that_set_rewrites_say_what_the_network_is(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        NARROWER.partition("schedule")[0]
        + "schedule: {phases: [{name: all, set: {rewrites.0.channels: {shape: steps, values: [0.75, 0.5]}}}]}"
    )
    phases = simulate_training(simulator(), load_recipe(str(tmp_path / "mine.yaml")), FULL, 10).phases
    kept = "the network is rewritten, keep channels {}, chosen by magnitude"
    assert [each.reason for each in phases] == [kept.format(ratio) for ratio in (0.75, 0.5)]


def test_a_step_that_no_phase_trains_says_so(tmp_path):
    """Pruned after training, the network makes one forward pass."""
    (tmp_path / "mine.yaml").write_text(
        NARROWER.replace("rewrites: {shape: linear, updates: 2}}", "rewrites: none}").replace(
            "{name: narrow}", "{name: narrow, pass: inference}"
        )
    )
    (said,) = simulator().run(load_recipe(str(tmp_path / "mine.yaml")), FULL).notes
    assert said.startswith("No phase of mine trains what it leaves: this is what a training step of it would take.")
