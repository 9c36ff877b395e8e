"""Random schedules: fast-forward and equal channels played as one change nothing; products are their closed forms."""

from bisparse.accel.engines import TENSOR
from bisparse.sim.witness.event_agreement import check_schedule, random_schedule
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_step_is_the_same_however_it_is_played(seed):
    assert check_schedule(seed) is None


def test_random_schedules_reach_every_corner():
    """Each in a tenth of them at least."""
    plans = [random_schedule(seed) for seed in range(200)]
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
