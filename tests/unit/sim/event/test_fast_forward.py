"""Fast-forward jumps where it should, says so in the timeline, and changes nothing; a step is the same on every run."""

from collections import Counter

import pytest
from bisparse.reports.chrome_trace import chrome_trace
from bisparse.sim.event.engine import time_step
from bisparse.sim.event.fast_forward import FastForward, Snapshot
from bisparse.sim.event.machine import Play
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


def test_a_jump_leaves_the_last_iterations_to_be_played():
    """Ten turns of one tile, two held: turns 2 and 3 begin alike, 5 cycles apart; of 3 to 9, 8 and 9 see the end."""
    loops = FastForward((1, 1, 1, 10), 1)
    assert not loops.begins_iteration(1)
    assert loops.jump(2, snapshot(20, counts=(4,))) is None
    jump = loops.jump(3, snapshot(25, counts=(7,)))
    assert jump is not None
    assert (jump.repetitions, jump.tiles, jump.cycles, jump.counts) == (5, 5, 25, (15,))
    assert not loops.begins_iteration(8)


def test_a_jump_ends_before_patient_work_does():
    """10 left of it, 3 a turn: after (10 - 1) // 3 = 3 turns 1 is left."""
    loops = FastForward((1, 1, 1, 100), 1)
    loops.jump(2, snapshot(20, left=(13,)))
    jump = loops.jump(3, snapshot(25, left=(10,)))
    assert jump is not None
    assert (jump.repetitions, jump.served) == (3, (9,))


def test_another_pass_through_a_loop_is_not_the_same():
    """The state is alike, but one turn belongs to another turn of the loop outside."""
    loops = FastForward((1, 1, 3, 10), 1)
    assert loops.jump(2, snapshot(20)) is None
    assert loops.jump(12, snapshot(70)) is None


def test_the_same_inputs_give_the_same_bytes():
    results = [bisparse.simulate("resnet9-cifar10", batch=64, engine="event", timeline=True) for _ in range(2)]
    documents = [result.document() for result in results]
    assert documents[0] == documents[1]
    assert chrome_trace(results[0]) == chrome_trace(results[1])
