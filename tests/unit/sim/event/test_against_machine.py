"""The event engine against the register-level machine and a schedule made by hand, memory without limit: identical.

Every tile is run on the machine, register by register; the hand-made schedule adds what a memory that gives any block
in one cycle leaves over: the two blocks of the first tile before it, the last result after it. Beside a tile at most
three blocks come and one leaves, 4 cycles, so tiles of at least 4 cycles wait for nothing.
"""

from dataclasses import replace

import pytest
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import ArrayMapping, Mapping
from bisparse.dataflow.works import PlannedProduct
from bisparse.sim.event.engine import time_step
from bisparse.sim.witness.machines.loop_nest import tile_extents
from bisparse.sim.witness.machines.random_cases import random_case
from bisparse.sim.witness.machines.random_splits import random_split
from bisparse.sim.witness.machines.random_tiles import random_tiles
from bisparse.training.graph import Stage

from .design import schedule, small_design, tensor

ORDERS = ("mnk", "mkn", "nmk", "nkm", "kmn", "knm")


def without_limit(machine, **more):
    return small_design(
        bytes_per_cycle=1 << 30,
        rows=machine.rows,
        cols=machine.cols,
        mac_latency=machine.mac_latency,
        accumulate_latency=machine.accumulate_latency,
        register_depth=machine.register_depth,
        overlapped=machine.overlapped,
        drain=machine.drain,
        stationary_load=machine.stationary_load,
        **more,
    )


def planned(case, tile, order):
    gemm = Gemm(
        name="case",
        operator="case",
        stage=Stage.FORWARD,
        m=case.m,
        n=case.n,
        k=case.k,
        **({case.compressed: case.pattern} if case.compressed else {}),
    )
    mapping = case.mapping
    array = ArrayMapping(
        dataflow=mapping.dataflow,
        interleave_m=mapping.interleave_m,
        interleave_n=mapping.interleave_n,
        resident_groups=mapping.resident_groups,
        interleave=mapping.interleave,
    )
    return PlannedProduct(
        gemm=gemm,
        mapping=Mapping(array=array, tile_m=tile[0], tile_n=tile[1], tile_k=tile[2], order=order),
        candidates=1,
    )


def on_the_machine(case, tile):
    """Cycles of every tile, each a product of its own on the register-level machine."""
    return [
        replace(case, m=m, n=n, channels=k).run().cycles
        for m in tile_extents(case.m, tile[0])
        for n in tile_extents(case.n, tile[1])
        for k in tile_extents(case.k, tile[2])
    ]


@pytest.mark.parametrize("seed", range(60))
def test_every_tile_takes_the_cycles_of_the_machine_and_nothing_is_added(seed):
    case = replace(random_case(seed), taps=1)
    group = case.pattern.group
    halves = (-(-case.m // 2), -(-case.n // 2), min(case.k, -(-case.k // 2 // group) * group) or case.k)
    for tile in ((case.m, case.n, case.k), halves):
        tiles = on_the_machine(case, tile)
        plan = schedule(without_limit(case.machine), tensor(planned(case, tile, ORDERS[seed % 6])))
        (found,) = time_step(plan).works
        first_loads, last_store = 2, 1
        if min(tiles) >= 4:
            assert found.cycles == first_loads + sum(tiles) + last_store
        in_array = sum(found.causes.get(cause, 0) for cause in ("busy", "bubble", "fill_drain"))
        assert in_array == sum(tiles)


@pytest.mark.parametrize("seed", [*range(1, 40), 52, 100, 300, 472])
def test_tiles_that_overlap_are_in_the_array_as_long_as_on_the_machine(seed):
    """A product of a row of tiles along n, or along k: the machine runs them together."""
    drawn = random_tiles(seed)
    case = drawn.case
    (m, _, k), axis = drawn.extents[0], seed % 2
    tile = (m, 1 + case.n // 3, k) if axis else (m, case.n, k)
    starts = range(0, case.n, tile[1]) if axis else range(0, case.k, k)
    pieces = [
        (slice(0, m), slice(at, min(at + tile[1], case.n)), slice(0, k))
        if axis
        else (slice(0, m), slice(0, case.n), slice(at, min(at + k, case.k)))
        for at in starts
    ]
    case = replace(case, m=m, channels=k) if axis else replace(case, m=m)
    run = replace(drawn, case=case, tiles=tuple(pieces), late=(0,) * len(pieces)).run()
    plan = schedule(without_limit(case.machine, tile_overlap=True), tensor(planned(case, tile, "mnk")))
    (found,) = time_step(plan).works
    assert sum(found.causes.get(cause, 0) for cause in ("busy", "bubble", "fill_drain")) == run.cycles


@pytest.mark.parametrize("seed", range(16))
def test_a_product_whose_k_is_split_is_in_the_array_as_long_as_on_the_machine(seed):
    """A product of one tile."""
    drawn = random_split(seed)
    case = replace(drawn.case, taps=1)
    beside = "m" if case.mapping.dataflow == "is" else "n"
    plan = planned(case, (case.m, case.n, case.k), "mnk")
    gemm = replace(plan.gemm, split=drawn.split, beside=beside)
    split = replace(plan, gemm=gemm, mapping=replace(plan.mapping, form=gemm.form))
    (found,) = time_step(schedule(without_limit(case.machine, split_columns=1), tensor(split))).works
    on_array = sum(found.causes.get(cause, 0) for cause in ("busy", "bubble", "fill_drain"))
    assert on_array == replace(drawn, case=case).run().cycles
