"""Random schedules: fast-forward and equal channels played as one change nothing; products are their closed forms."""

from dataclasses import replace
from functools import cache

from bisparse.accel.engines import TENSOR
from bisparse.dataflow.product_cost import product_cost
from bisparse.sim.event.tile_program import TileProgram
from bisparse.sim.witness.event_agreement import (
    check_schedule,
    random_schedule,
    with_applications,
    with_shared_port,
    with_tile_overlap,
)
from hypothesis import given, settings
from hypothesis import strategies as st

numbered = cache(random_schedule)
"""The schedule of a number, made once for all tests here."""


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_step_is_the_same_however_it_is_played(seed):
    assert check_schedule(seed) is None


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_so_is_one_whose_operands_are_normalised_on_their_way_in(seed):
    assert check_schedule(seed, applications=True) is None


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_so_is_one_whose_tiles_overlap(seed, applications):
    assert check_schedule(seed, applications=applications, tile_overlap=True) is None


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_so_is_one_whose_operands_share_a_port(seed, tile_overlap):
    assert check_schedule(seed, tile_overlap=tile_overlap, shared_port=True) is None


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_so_is_one_whose_depth_is_split_over_columns(seed):
    assert check_schedule(seed, split_depth=True) is None


def test_a_port_as_wide_as_both_holds_nobody_up():
    """What two operands share holds them up only where it is narrower than their ports together."""
    narrower = 0
    for plan in map(numbered, range(15)):
        sharing = with_shared_port(plan).hardware
        widths = plan.hardware.buffers
        both = widths.west.port_bytes_per_cycle + widths.north.port_bytes_per_cycle
        wide = sharing.model_copy(
            update={"buffers": sharing.buffers.model_copy(update={"shared_port_bytes_per_cycle": both})}
        )
        for product in plan.products:
            apart, as_wide, shared = (
                product_cost(product.gemm, each, product.mapping) for each in (plan.hardware, wide, sharing)
            )
            assert (as_wide.cycles, as_wide.causes) == (apart.cycles, apart.causes)
            assert shared.cycles >= apart.cycles
            assert shared.port_bytes == apart.port_bytes
            narrower += shared.cycles > apart.cycles
    assert narrower > 10


def test_overlap_saves_time_and_moves_nothing_else():
    """Whatever a product moves, it moves as before; not a cycle more, and fewer in most that have several tiles."""
    several = saved = 0
    for plan in map(numbered, range(25, 50)):
        engine = plan.hardware.tensor_engine.model_copy(update={"overlapped": True})
        apart = plan.hardware.model_copy(update={"tensor_engine": engine})
        overlapping = with_tile_overlap(plan).hardware
        for product in plan.products:
            costs = [product_cost(product.gemm, each, product.mapping) for each in (apart, overlapping)]
            assert costs[1].cycles <= costs[0].cycles
            for name in ("dram_cycles", "read_bytes", "write_bytes", "port_bytes", "actions"):
                assert getattr(costs[1], name) == getattr(costs[0], name)
            program = TileProgram(gemm=product.gemm, hardware=apart, mapping=product.mapping)
            several += len(program) > 1
            saved += costs[1].cycles < costs[0].cycles
    assert saved > several / 2 > 10


def test_random_applications_reach_both_operands_and_set_the_pace():
    plans = [with_applications(numbered(seed), seed) for seed in range(30)]
    gemms = [product.gemm for plan in plans for product in plan.products]
    assert min(sum(gemm.applied[place] > 0 for gemm in gemms) for place in (0, 1)) > 10
    slower = 0
    for plan in plans:
        for product in plan.products:
            bare = replace(product.gemm, applied=(0.0, 0.0))
            cycles = [product_cost(gemm, plan.hardware, product.mapping).cycles for gemm in (product.gemm, bare)]
            assert cycles[0] >= cycles[1]
            slower += cycles[0] > cycles[1]
    assert slower > 10


def test_random_schedules_reach_every_corner():
    """Each in a tenth of them at least."""
    plans = [numbered(seed) for seed in range(200)]
    products = [[p.gemm for p in plan.products] for plan in plans]
    corners = {
        "updates beside works": sum(plan.overlap_update and bool(plan.updates) for plan in plans),
        "updates after them": sum(not plan.overlap_update and bool(plan.updates) for plan in plans),
        "fused operators": sum(any(work.fused.works for work in plan.works) for plan in plans),
        "sorters": sum(any(gemm.reduced_on_load for gemm in gemms) for gemms in products),
        "deep buffers": sum(plan.hardware.buffers.tiles_held > 2 for plan in plans),
        "vector work": sum(any(work.engine != TENSOR for work in plan.works) for plan in plans),
        "vector works beside products": sum(_beside(plan) >= 3 for plan in plans),
        "repetitions": sum(any(gemm.count > 1 for gemm in gemms) for gemms in products),
    }
    assert {name: count for name, count in corners.items() if count < 20} == {}


def _beside(plan):
    return sum(work.engine != TENSOR for work in plan.works) if plan.overlap_vector else 0
