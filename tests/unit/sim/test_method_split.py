"""What a method saves, split: parts add up to the last cycle, and each is what its name says, on real steps."""

from dataclasses import replace
from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.sim.options import Options
from bisparse.sim.results.method_split import BETWEEN, split_of_run, split_of_step
from bisparse.sim.results.training_figures import TrainingEvent
from bisparse.sim.simulation import Simulator
from bisparse.sim.training_run import with_training
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

KINDS = [
    ("bdwp", "2:8"),
    ("rigl", "80%"),
    ("rigl", "2:8"),
    ("hesso", "0%"),
    ("sparse-ift-wide", "75%"),
    ("dense", "2:8"),
]
"""N:M; zeros without a rule; gradients that nobody needs; fewer channels; a larger network; nothing."""


@cache
def simulator(hardware="sat-vcu1525"):
    return Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware(hardware),
        options=Options(batch=8),
        version="test",
    )


@cache
def result(recipe, sparsity, hardware="sat-vcu1525"):
    return simulator(hardware).run(load_recipe(recipe), parse_format(sparsity))


@cache
def whole(recipe, sparsity):
    own = result(recipe, sparsity)
    return with_training(simulator(), own, load_recipe(recipe), parse_format(sparsity), 1000)


@pytest.mark.parametrize(("recipe", "sparsity"), KINDS)
def test_what_is_promised_and_what_stands_between_is_what_is_taken(recipe, sparsity):
    step = whole(recipe, sparsity)
    for split, dense, taken in (
        (split_of_step(step), step.dense.total_cycles, step.total_cycles),
        (split_of_run(step), step.training.dense_cycles, step.training.total_cycles),
    ):
        assert (split.dense_cycles, split.taken_cycles) == (dense, taken)
        assert split.promised_cycles + sum(split.between_cycles.values()) == taken
        assert tuple(split.between_cycles) == tuple(BETWEEN)


@pytest.mark.parametrize(("recipe", "sparsity"), KINDS)
def test_the_arithmetic_promises_the_flop_bound(recipe, sparsity):
    step = whole(recipe, sparsity)
    split, run = split_of_step(step), split_of_run(step)
    assert split.dense_cycles / split.promised_cycles == pytest.approx(step.flop_bound_speedup, rel=1e-6)
    macs = step.training.useful_macs / step.training.dense_useful_macs
    assert run.promised_cycles == pytest.approx(run.dense_cycles * macs, abs=1)


def test_nothing_stands_between_for_a_dense_step():
    assert not any(split_of_step(result("dense", "2:8")).between_cycles.values())


def test_gradients_that_the_array_forms_and_nobody_needs_stand_by_themselves():
    rigl = result("rigl", "2:8")
    rows = [row for row in rigl.rows if row.stage == "WU" and row.issued_macs > row.useful_macs]
    beyond = sum(row.issued_macs - row.useful_macs for row in rows) / rigl.peak_macs_per_cycle
    between = split_of_step(rigl).between_cycles
    assert between["gradients"] == pytest.approx(beyond, abs=1)
    assert between["gradients"] > 0 == between["zeros"]
    assert split_of_step(result("bdwp", "2:8")).between_cycles["gradients"] == 0


def test_zeros_without_a_rule_take_time_where_none_are_skipped_and_lanes_wait_where_they_are():
    multiplied, skipped = (
        split_of_step(result("static-masks", "80%", design)).between_cycles
        for design in ("sat-vcu1525", "sat-unstructured")
    )
    assert multiplied["zeros"] > 0 == multiplied["lanes"]
    assert 0 <= skipped["zeros"] < multiplied["zeros"] / 10
    assert skipped["lanes"] > 0


def test_vector_work_that_does_not_shrink_is_what_it_takes_beyond_its_share():
    step = result("bdwp", "2:8")
    own, dense = (sum(each.stalls.get(cause, 0) for cause in ("dependence", "idle")) for each in (step, step.dense))
    beyond = own - dense / step.flop_bound_speedup
    assert split_of_step(step).between_cycles["vector"] == pytest.approx(beyond, abs=2)


def test_extra_work_is_taken_out_of_what_it_waits_for():
    step = result("fully-sparse", "2:4")
    search = next(each for each in step.extra_work if each.engine == "reduction")
    # What the same step would say, were none of its reduction the method's search.
    without = split_of_step(replace(step, extra_work=())).between_cycles
    split = split_of_step(step).between_cycles
    assert split["extra"] == search.cycles
    assert split["update"] == pytest.approx(without["update"] - search.cycles, abs=1)


def test_dense_phases_take_what_is_promised_of_them():
    run = split_of_run(whole("gradual-magnitude", "2:8"))
    step = split_of_step(result("gradual-magnitude", "2:8"))
    sparse = sum(
        phase.steps for phase in whole("gradual-magnitude", "2:8").training.phases if phase.costs_as != "dense"
    )
    assert 0 < sparse < 1000
    assert run.between_cycles["phases"] == 0
    assert run.between_cycles["vector"] == pytest.approx(sparse * step.between_cycles["vector"], abs=1000)


def test_steps_unlike_the_last_phase_s_stand_as_one():
    between = split_of_run(whole("sdgf-stepwise", "1:8")).between_cycles
    assert between["phases"] != 0


def test_gradients_that_an_event_asks_for_are_not_beyond_what_was_asked():
    step = whole("rigl", "2:8")
    assert [(event.cycles, event.useful_macs > 0) for event in step.training.events if event.engine == "tensor"] == [
        (0, True)
    ]
    run, alone = split_of_run(step), split_of_step(step)
    assert 0 < run.between_cycles["gradients"] < 1000 * alone.between_cycles["gradients"]


def test_work_beside_the_steps_is_extra():
    step = whole("bdwp", "2:8")
    event = TrainingEvent(
        name="search",
        engine="reduction",
        every_steps=100,
        times=10,
        cycles=5000,
        seconds=1.0,
        joules=1.0,
        useful_macs=0,
    )
    run = replace(step.training, events=(event,), total_cycles=step.training.total_cycles + 5000)
    split = split_of_run(replace(step, training=run))
    assert split.between_cycles["extra"] == pytest.approx(5000, abs=1)
    assert split.promised_cycles + sum(split.between_cycles.values()) == run.total_cycles


def test_a_run_without_counted_products_has_no_split():
    step = whole("bdwp", "2:8")
    assert split_of_run(replace(step, training=replace(step.training, dense_useful_macs=0))) is None
    assert split_of_run(result("bdwp", "2:8")) is None
