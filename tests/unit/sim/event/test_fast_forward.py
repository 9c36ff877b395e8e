"""Fast-forward jumps where it should, says so in the timeline, and changes nothing; a step is the same on every run."""

from collections import Counter
from dataclasses import replace

import pytest
from bisparse.reports.run.chrome_trace import chrome_trace
from bisparse.sim.event.engine import time_step
from bisparse.sim.event.fast_forward import FastForward, Snapshot
from bisparse.sim.event.machine import Play
from bisparse.sim.event.profile import profile
from bisparse.sim.event.recorder import TENSOR, Recorder

import bisparse

from .design import product, schedule, small_design, tensor, update, vector

LONG = product(800, 3, 8, tile=(1, 1, 4))
"""4800 tiles: 800 x 3 x 2."""


def played(plan, **play):
    """The step, and the kinds of the tensor engine's stretches."""
    recorder = Recorder()
    step = time_step(plan, play=Play(**play), recorder=recorder)
    return step, Counter(span.kind for span in recorder.spans if span.track == TENSOR), recorder


def test_a_long_loop_is_counted_not_played():
    plan = schedule(small_design(latency_cycles=3), tensor(LONG))
    slow, tiles, _ = played(plan, fast_forward=False)
    fast, few, _ = played(plan, fast_forward=True)
    assert slow == fast
    assert tiles["work"] == 4800
    assert few["work"] < 60
    assert few["repeat"] >= 1


def test_a_loop_is_counted_while_an_update_is_under_way_beside_it():
    """10000 cycles of DRAM, a few beside each tile: it lasts for most of 4800 tiles, and few of them are played."""
    job = update(10, read_bytes=2 * 10**4, write_bytes=2 * 10**4)
    plan = schedule(small_design(latency_cycles=3), vector(1, 0, 0), tensor(LONG), updates=(job,))
    slow, _, _ = played(plan, fast_forward=False)
    fast, few, recorder = played(plan, fast_forward=True)
    assert slow == fast
    assert few["work"] < 1000
    last = max(span.end_cycle for span in recorder.spans if span.label == "update")
    assert last > 0.5 * fast.works[1].cycles


@pytest.mark.parametrize("figures", [(7, 8, 8), (20, 8, 8), (33, 189, 91)])
def test_equal_vector_works_that_pass_beside_a_long_product_are_not_taken_for_one(figures):
    """Forty of them, one after another in the same phase of the loop: each must end before the next begins."""
    plan = schedule(small_design(latency_cycles=3), tensor(LONG), *[vector(*figures)] * 40)
    plan = replace(plan, overlap_vector=True, needs=((),) * 41)
    slow, _, _ = played(plan, fast_forward=False)
    fast, _, _ = played(plan, fast_forward=True)
    assert slow == fast
    assert slow.works[0].cycles == slow.total_cycles, "all of them are hidden"


def test_no_part_of_a_profile_moves_more_than_the_pins_can():
    job = update(10, read_bytes=2 * 10**4, write_bytes=2 * 10**4)
    design = small_design(latency_cycles=3)
    plan = schedule(design, vector(1, 0, 0), tensor(LONG), updates=(job,))
    step, few, recorder = played(plan)
    assert few["repeat"] >= 1
    found = profile(recorder, total_cycles=step.total_cycles, dram_channels=1)
    most = step.total_cycles / found.parts * design.dram_bytes_per_cycle
    assert max(found.moved_bytes) <= 1.01 * most
    assert sum(found.moved_bytes) == pytest.approx(4 * 10**4 + step.works[1].costs[0].read_bytes + 4800, rel=0.01)


@pytest.mark.parametrize("beside", [False, True])
def test_the_timeline_books_every_cycle_as_the_step_does(beside):
    """The vector work is long, and its product short: what is left of it is idle, in the step and on the timeline."""
    short = tensor(product(1, 1, 4, tile=(1, 1, 4)))
    plan = schedule(small_design(), vector(1000, 0, 0), short, vector(7, 0, 0))
    plan = replace(plan, overlap_vector=beside, needs=((), (), ()))
    step, _, recorder = played(plan)
    found = profile(recorder, total_cycles=step.total_cycles, dram_channels=1)
    length = step.total_cycles / found.parts
    for cause in ("dependence", "idle"):
        booked = sum(time.causes.get(cause, 0) for time in step.works)
        assert sum(found.tensor.get(cause, ())) * length == pytest.approx(booked, abs=1)
    idle = sum(time.causes.get("idle", 0) for time in step.works)
    assert idle == (1007 - 9 if beside else 7)


@pytest.mark.parametrize("held", [2, 3, 4])
def test_channels_played_one_by_one_are_those_played_as_one(held):
    design = small_design(latency_cycles=3, tiles_held=held)
    design = design.model_copy(update={"dram": design.dram.model_copy(update={"channels": 3})})
    job = update(10, read_bytes=3000, write_bytes=3000)
    plan = schedule(design, vector(1, 30, 30), tensor(product(40, 3, 8, tile=(1, 1, 4))), updates=(job,))
    together, _, _ = played(plan)
    apart, _, recorder = played(plan, channels_apart=True)
    assert together == apart
    assert {span.track for span in recorder.spans} >= {"channel 0", "channel 1", "channel 2"}


def snapshot(now, state="s", left=(), counts=()):
    return Snapshot(state=state, left=left, counts=counts, now=now)


def loops_of(*turns):
    """Loops over full tiles alone."""
    return tuple((each, 0) for each in turns)


def test_full_tiles_are_skipped_among_full_ones_and_short_ones_among_short_ones():
    """Ten full turns, then eight short ones: no jump crosses from one run to the other."""
    loops = FastForward(((1, 0), (1, 0), (1, 0), (10, 8)), 1)
    assert loops.jump(2, snapshot(20)) is None
    jump = loops.jump(3, snapshot(25))
    assert jump is not None
    # From 3, the last full one that is followed by another is 8: six turns.
    assert jump.tiles == 6
    assert not loops.begins_iteration(9)
    assert not loops.begins_iteration(11)
    assert loops.jump(12, snapshot(70)) is None
    jump = loops.jump(13, snapshot(75))
    assert jump is not None
    assert jump.tiles == 3


def test_a_jump_leaves_the_last_iterations_to_be_played():
    """Ten turns of one tile, two held: turns 2 and 3 begin alike, 5 cycles apart; of 3 to 9, 8 and 9 see the end."""
    loops = FastForward(loops_of(1, 1, 1, 10), 1)
    assert not loops.begins_iteration(1)
    assert loops.jump(2, snapshot(20, counts=(4,))) is None
    jump = loops.jump(3, snapshot(25, counts=(7,)))
    assert jump is not None
    assert (jump.repetitions, jump.tiles, jump.cycles, jump.counts) == (5, 5, 25, (15,))
    assert not loops.begins_iteration(8)


def test_a_jump_ends_before_patient_work_does():
    """10 left of it, 3 a turn: after (10 - 1) // 3 = 3 turns 1 is left."""
    loops = FastForward(loops_of(1, 1, 1, 100), 1)
    loops.jump(2, snapshot(20, left=(13,)))
    jump = loops.jump(3, snapshot(25, left=(10,)))
    assert jump is not None
    assert (jump.repetitions, jump.served) == (3, (9,))


def test_another_pass_through_a_loop_is_not_the_same():
    """The state is alike, but one turn belongs to another turn of the loop outside."""
    loops = FastForward(loops_of(1, 1, 3, 10), 1)
    assert loops.jump(2, snapshot(20)) is None
    assert loops.jump(12, snapshot(70)) is None


def test_the_same_inputs_give_the_same_bytes():
    results = [bisparse.simulate("resnet9-cifar10", batch=64, engine="event", timeline=True) for _ in range(2)]
    documents = [result.document() for result in results]
    assert documents[0] == documents[1]
    assert chrome_trace(results[0]) == chrome_trace(results[1])
