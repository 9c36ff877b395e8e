"""Steps small enough to play by hand. The arithmetic stands in the docstrings; one clock of 1 GHz, 4 bytes a cycle."""

from dataclasses import replace

import pytest
from bisparse.configs.pattern import Pattern
from bisparse.sim.event.engine import time_step
from bisparse.sim.step.analytic import time_step as time_in_closed_form

from .design import product, schedule, small_design, tensor, update, vector, vector_work


def causes_of(time):
    return {cause: cycles for cause, cycles in time.causes.items() if cycles}


def test_two_tiles():
    """One PE, one result, k = 8 in two tiles of 4: a tile issues 4 times, R + C + 4 - 2 = 4 cycles; latency 3.

    A tile of A is 8 bytes, 2 cycles; so is one of B. First: A can be used at 3 + 2 = 5, B at 3 + 4 = 7. Tile 0 runs 7
    to 11; its successor's A is there at 7 + 2 + 3 = 12, its B at 7 + 4 + 3 = 14. Tile 1 runs 14 to 18, the result of 2
    bytes leaves in 1: 19. Waits: west 5 + 1, north 2 + 2, output 1.
    """
    plan = schedule(small_design(latency_cycles=3), tensor(product(1, 1, 8, tile=(1, 1, 4))))
    (found,) = time_step(plan).works
    assert found.cycles == 19
    assert causes_of(found) == {"busy": 8, "west": 6, "north": 4, "output": 1}
    assert (found.costs[0].read_bytes, found.costs[0].write_bytes, found.dram_cycles) == (32, 2, 9)


def test_a_third_tile_in_the_buffers_hides_the_latency():
    """k = 12 in three tiles of 4 cycles, loads of 4 cycles, latency 3.

    Two held: 7 before the first, then 4 + 3 = 7 for each load that is asked for when a tile begins: 7 + 7 + 7 + 4 + 1 =
    26. Three held: loads 0 and 1 are asked for at once, there at 7 and 11; load 2 at 7, when tile 0 begins, from 8 to
    12 on the channel, there at 15. Tiles run 7 to 11, 11 to 15, 15 to 19; the store ends at 20.
    """
    work = tensor(product(1, 1, 12, tile=(1, 1, 4)))
    totals = {
        held: time_step(schedule(small_design(latency_cycles=3, tiles_held=held), work)).total_cycles
        for held in (2, 3, 4)
    }
    assert totals == {2: 26, 3: 20, 4: 20}


def test_results_leave_after_what_the_next_tile_needs():
    """Three results one after another, k = 4: loads of A 2 cycles, B stays; results of 2 bytes, 1 cycle; no latency.

    First load 2 + 2. Each tile: 4 cycles, beside it load 2 and store 1. 4 + 3 x 4 + 1 = 17.
    """
    plan = schedule(small_design(), tensor(product(3, 1, 4, tile=(1, 1, 4))))
    (found,) = time_step(plan).works
    assert found.cycles == 17
    assert causes_of(found) == {"busy": 12, "west": 2, "north": 2, "output": 1}


def test_lanes_before_the_buffers_are_the_pace():
    """The same, three lane cycles for each of the 4 elements of a tile of A, 2 lanes: 6 cycles where DRAM takes 2.

    First 6 + 2. Tiles: max(4, 6), max(4, 6 + 1), max(4, 1), then 1: 8 + 6 + 7 + 4 + 1 = 26. DRAM is busy for what it
    was: 3 x 2 + 2 + 3 x 1. The lanes are for 18, and their 36 lane cycles are paid for.
    """
    design = small_design()
    lanes = design.vector_engine.model_copy(update={"load_lanes": 2})
    planned = product(3, 1, 4, tile=(1, 1, 4))
    planned = replace(planned, gemm=replace(planned.gemm, applied=(3.0, 0.0)))
    plan = schedule(design.model_copy(update={"vector_engine": lanes}), tensor(planned))
    for engine in (time_step, time_in_closed_form):
        (found,) = engine(plan).works
        assert found.cycles == 26
        assert found.dram_cycles == 11
        assert causes_of(found) == {"busy": 12, "west": 6 + 2 + 2, "north": 2, "output": 1 + 1}
        (cost,) = found.costs
        assert cost.busy["load lanes"] == 18
        assert cost.actions["vector_operations"] == 36


def test_a_slow_memory_is_the_pace():
    """The same at 1 byte a cycle: loads of A 8 cycles, results 2. First 16; tiles max(4, 8), max(4, 8 + 2), max(4, 2);
    2.

    16 + 8 + 10 + 4 + 2 = 40.
    """
    plan = schedule(small_design(bytes_per_cycle=1), tensor(product(3, 1, 4, tile=(1, 1, 4))))
    (found,) = time_step(plan).works
    assert found.cycles == 40
    assert causes_of(found) == {"busy": 12, "west": 8 + 4 + 4, "north": 8, "output": 2 + 2}


def test_partial_sums_travel_when_k_is_the_outer_loop():
    """Three results, k = 8 in two tiles, k outermost, room for two results: the sums of the first half leave and come
    back, 4 bytes, 1 cycle each.

    Tiles (k, m): (0,0) (0,1) (0,2) (1,0) (1,1) (1,2), 4 cycles each; loads: A and B 4, A 2, A 2, A and B and sums 5, A
    and sums 3, the same; stores: sums 1 thrice, then results 1. First 4. Then max(4, 2), max(4, 2 + 1), max(4, 5 + 1),
    max(4, 3 + 1), max(4, 3 + 1), max(4, 1), 1: 4 + 4 + 4 + 6 + 4 + 4 + 4 + 1 = 31.
    """
    plan = schedule(small_design(output_bytes=8), tensor(product(3, 1, 8, tile=(1, 1, 4), order="kmn")))
    (found,) = time_step(plan).works
    assert found.cycles == 31
    # Six blocks of A and two of B of 8 bytes, three sums of 4; written: three sums of 4, three results of 2.
    assert (found.costs[0].read_bytes, found.costs[0].write_bytes) == (8 * 8 + 12, 12 + 6)


def test_sums_that_fit_are_kept():
    """The same with room for all three results: no sums travel.

    First 4; then max(4, 2), max(4, 2), max(4, 4), max(4, 2), max(4, 2 + 1), max(4, 1), 1: 4 + 6 x 4 + 1 = 29.
    """
    plan = schedule(small_design(output_bytes=12), tensor(product(3, 1, 8, tile=(1, 1, 4), order="kmn")))
    (found,) = time_step(plan).works
    assert found.cycles == 29
    assert (found.costs[0].read_bytes, found.costs[0].write_bytes) == (8 * 8, 6)


def test_reduction_on_the_critical_path():
    """Weights of 8 values reduced 2:4 on their way in, one sorter: 2 groups x 4 = 8 cycles, their 16 bytes only 4.

    A comes first, 4 cycles; then B, 8. Four pairs are issued: 4 cycles. The result leaves in 1: 4 + 8 + 4 + 1 = 17.
    What holds the array up at first is the reduction.
    """
    plan = schedule(
        small_design(),
        tensor(product(1, 1, 8, tile=(1, 1, 8), pattern=Pattern(2, 4), reduced_on_load="b")),
    )
    (found,) = time_step(plan).works
    assert found.cycles == 17
    assert causes_of(found) == {"reduction": 12, "busy": 4, "output": 1}
    assert (found.dram_cycles, found.costs[0].reduced_elements) == (4 + 4 + 1, 8)


def test_riders_hold_up_results():
    """Two results, one tile each, 4 cycles; a fused operator takes 10 lane cycles a result and reads 4 bytes beside it.

    A store of 2 bytes takes 1 cycle; with 8 more bytes for both results, 1 x (4 + 8) / 4 -> 3. First load 4; tile 0: 4;
    tile 1: max(4, 3, lanes 10) = 10; at the end max(3, 10) = 10: 28.
    """
    fused = vector_work(20, 8, 0)
    plan = schedule(small_design(), tensor(product(2, 1, 4, tile=(1, 1, 4)), fused_operators=(fused,)))
    (found,) = time_step(plan).works
    assert found.cycles == 28
    assert causes_of(found) == {"west": 2, "north": 2, "busy": 8, "dependence": 6 + 10}


@pytest.mark.parametrize(("operations", "moved", "cycles"), [(100, 8000, 2010), (5000, 8000, 5010), (100, 0, 100)])
def test_a_stream_lasts_as_long_as_its_slowest_stage(operations, moved, cycles):
    """100 lane cycles against 8000 bytes / 4 = 2000; 5000 against 2000; latency 10 before the first byte, if any."""
    plan = schedule(small_design(latency_cycles=10), vector(operations, moved // 2, moved - moved // 2))
    assert time_step(plan).total_cycles == cycles


def test_an_update_runs_beside_work_that_leaves_memory_idle():
    """The vector work has the lanes for 100 cycles and moves nothing. 40 weights take 40 cycles on one lane, latency 5.

    The update is over at 45: hidden. One of 200 weights would be over at 205: 105 exposed.
    """
    first, design = vector(1, 0, 0, "first"), small_design(latency_cycles=5)
    for weights, exposed in ((40, 0), (200, 105)):
        job = update(weights, read_bytes=40, write_bytes=40)
        step = time_step(schedule(design, first, vector(100, 0, 0), updates=(job,)))
        assert step.total_cycles == 1 + 100 + exposed
        assert step.updates[0].exposed_update == exposed


def test_an_update_gives_way_at_the_channel():
    """The vector work moves 400 bytes: 100 cycles of DRAM from its latency of 5 on. The update needs 20, from 5 on too.

    It gets DRAM when the vector work is done with it, at 105, and is over at 125; the first work took 1.
    """
    job = update(10, read_bytes=40, write_bytes=40)
    plan = schedule(small_design(latency_cycles=5), vector(1, 0, 0), vector(1, 200, 200), updates=(job,))
    step = time_step(plan)
    assert [work.cycles for work in step.works] == [1, 105]
    assert step.updates[0].exposed_update == 20


def test_without_overlap_updates_wait_for_the_last_work():
    job = update(40, read_bytes=40, write_bytes=40)
    plan = schedule(small_design(), vector(1, 0, 0), vector(100, 0, 0), updates=(job, job), overlap=False)
    step = time_step(plan)
    assert step.total_cycles == 1 + 100 + 2 * 40


def test_the_reduction_is_exposed_beyond_update_and_memory():
    """64 weights: 64 cycles of the update lane, 128 of one sorter (two passes), 8 of DRAM; nothing to hide behind."""
    job = update(64, read_bytes=16, write_bytes=16, reductions=((64, 2, 8), (64, 2, 8)))
    step = time_step(schedule(small_design(), vector(1, 0, 0), updates=(job,)))
    (found,) = step.updates
    assert found.exposed_update + found.exposed_reduction == 128
    assert found.exposed_reduction == 64


def test_an_update_waits_for_its_gradient():
    """Made by the second work: it cannot hide behind it."""
    job = update(40, read_bytes=0, write_bytes=0, ready_after=1)
    step = time_step(schedule(small_design(), vector(7, 0, 0), vector(100, 0, 0), updates=(job,)))
    assert step.total_cycles == 7 + 100 + 40


def side_by_side(*works, needs, updates=(), **design):
    plan = replace(schedule(small_design(**design), *works, updates=updates), overlap_vector=True, needs=needs)
    return time_in_closed_form(plan), time_step(plan)


def test_vector_work_runs_beside_a_product_that_it_does_not_need():
    """The first product feeds the vector work, the second does not: 2 + 2 + 4 + 1 = 9 cycles each, no latency.

    The vector work has the lanes for 20 from cycle 9 on, 9 of them beside the second product: 11 are waited for.
    """
    one = tensor(product(1, 1, 4, tile=(1, 1, 4)))
    for step in side_by_side(one, one, vector(20, 0, 0), needs=((), (), (0,))):
        assert [work.cycles for work in step.works] == [9, 9, 11]
        assert step.works[2].hidden_cycles == 9
        assert step.total_cycles == 29


def test_a_product_waits_for_the_vector_work_that_feeds_it():
    """As before, but the second product needs the vector work: nothing can be hidden."""
    one = tensor(product(1, 1, 4, tile=(1, 1, 4)))
    for step in side_by_side(one, vector(20, 0, 0), one, needs=((), (0,), (1,))):
        assert [work.cycles for work in step.works] == [9, 20, 9]
        assert step.works[1].hidden_cycles == 0


def test_vector_work_gives_way_to_tiles_at_the_channel():
    """Both want DRAM: a product of four tiles that takes 100 cycles of it, the vector work 40 of its own.

    At 1 byte a cycle: A and B of 32 values, 64 + 64 first; tiles of 32 cycles, then A again, 64 each; results of 2.
    128 + 64 + 66 + 66 + 32 + 2 = 358 in all, 328 + 8 of them on the channel. The vector work gets the 22 that are left,
    and waits for 40 - 22 = 18 after it.
    """
    four = tensor(product(4, 1, 32, tile=(1, 1, 32)))
    for step in side_by_side(four, vector(1, 20, 20), needs=((), ()), bytes_per_cycle=1):
        assert step.works[0].cycles == 358
        assert step.works[0].dram_cycles == 328
        assert step.works[1].cycles == 40 - (358 - 328)


def test_the_tensor_engine_idles_when_nothing_follows():
    plan = schedule(small_design(), vector(7, 0, 0), tensor(product(1, 1, 4, tile=(1, 1, 4))), vector(9, 0, 0))
    before, _, after = time_step(plan).works
    assert (causes_of(before), causes_of(after)) == ({"dependence": 7}, {"idle": 9})
