"""Blocks touched by runs at a stride: the closed form is the count of a walk over every unit."""

import numpy as np
from bisparse.accel.runs import blocks_touched, floor_sum
from hypothesis import given, settings
from hypothesis import strategies as st

small = st.integers(1, 60)


def touched(length, run, stride, block):
    return int(blocks_touched(*(np.array([each]) for each in (length, run, stride)), block)[0])


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 500), small, st.integers(0, 90), small)
def test_every_touch_is_counted_once(length, run, gap, block):
    walked = [(unit // run * (run + gap) + unit % run) // block for unit in range(length)]
    changes = sum(1 for before, here in zip([None, *walked], walked, strict=False) if before != here)
    assert touched(length, run, run + gap, block) == changes


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 50), small, st.integers(0, 200), st.integers(0, 200))
def test_a_sum_of_floors_is_the_sum_of_the_floors(count, divisor, slope, offset):
    found = floor_sum(*(np.array([each]) for each in (count, divisor, slope, offset)))[0]
    assert found == sum((slope * i + offset) // divisor for i in range(count))


def test_counts_stay_exact_where_the_sums_pass_64_bits():
    """2^33 runs of 2 bytes, 2^20 apart: one burst each, though the sums of floors reach 2^79."""
    assert touched(2**34, 2, 2**20, 64) == 2**33
