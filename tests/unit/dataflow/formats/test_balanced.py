"""Zeros balanced within rows: the expectation against real masks, and what it cannot be less or more than."""

import numpy as np
import pytest
from bisparse.accel.exploits import UnstructuredSkipping
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.dataflow.formats.balanced import balanced_slots, fullest_of_drawn
from bisparse.dataflow.formats.skipped import Skipped, met_by
from bisparse.dataflow.formats.waiting import expected_slots, fullest, windows_of
from bisparse.sim.product.single_product import plain_product
from bisparse.sim.witness.machines.machine import Machine, Mapping
from bisparse.sim.witness.machines.random_zeros import run_skipping
from hypothesis import given, settings
from hypothesis import strategies as st


def counted(seed, sparse, length, depth, window, lockstep, lanes, rounds):
    """[rounds] slots of the slowest lockstep group over the first ``depth`` elements of the rows of real masks."""
    draw, starts, found = np.random.default_rng(seed), np.arange(0, depth, window), []
    for _ in range(rounds):
        kept = sparse.mask(draw, lanes, length)[:, :depth].astype(int)
        of_windows = np.add.reduceat(kept, starts, axis=1).reshape(lanes // lockstep, lockstep, -1)
        found.append(of_windows.max(axis=1).sum(axis=1).max())
    return np.array(found)


def cut(depth, window):
    return windows_of([min(window, depth - start) for start in range(0, depth, window)])


@pytest.mark.parametrize(
    ("percent", "length", "depth", "window", "lockstep", "lanes"),
    [
        (70, 256, 256, 8, 8, 8),
        (90, 128, 128, 8, 8, 32),
        (50, 128, 64, 8, 8, 32),
        (75, 96, 96, 32, 8, 32),
        (75, 100, 60, 8, 4, 16),
        (75, 256, 192, 8, 1, 16),
    ],
)
def test_the_mean_of_many_masks_is_the_expectation(percent, length, depth, window, lockstep, lanes):
    """Within the interval of the draws; a formula that is off by one in a hundred falls outside of it."""
    sparse, rounds = parse_format(f"{percent}% in each row"), 1500
    slots = counted(5, sparse, length, depth, window, lockstep, lanes, rounds)
    kept = sparse.along(length).kept_of_row
    expected = balanced_slots(cut(depth, window), length, kept, lockstep, lanes // lockstep)
    error = slots.std() / np.sqrt(rounds)
    assert abs(slots.mean() - expected) < 4 * error
    assert 4 * error < 0.01 * expected


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 40), st.integers(1, 8))
@settings(deadline=None, max_examples=60)
def test_counts_of_a_window_are_hypergeometric(window, rest, kept, lanes):
    """Of one lane against a count over all ways, by Pascal's rule; of more, a power of its sum."""
    length = window + rest
    kept = min(kept, length)
    ways = np.array([_ways(window, each) * _ways(rest, kept - each) for each in range(window + 1)], dtype=float)
    one = np.cumsum(ways / ways.sum())
    assert np.cumsum(fullest_of_drawn(window, length, kept, lanes)) == pytest.approx(one**lanes, abs=1e-9)


def _ways(of, chosen):
    if not 0 <= chosen <= of:
        return 0
    row = [1]
    for _ in range(of):
        row = [a + b for a, b in zip([0, *row], [*row, 0], strict=True)]
    return row[chosen]


def test_of_a_long_row_it_is_a_count_of_independent_elements():
    assert fullest_of_drawn(8, 400_000, 100_000, 8) == pytest.approx(fullest(8, 0.25, 8), abs=1e-4)


@given(
    st.integers(1, 99), st.integers(1, 40), st.sampled_from([1, 4, 8]), st.sampled_from([1, 2, 4]), st.integers(1, 4)
)
@settings(deadline=None, max_examples=50)
def test_balanced_rows_wait_no_longer_than_rows_that_are_not(percent, groups, lockstep, queue, sets):
    length = 8 * groups
    balanced = parse_format(f"{percent}% in each row").along(length)
    windows, density = cut(length, 8 * queue), balanced.kept_of_row / length
    slots = balanced_slots(windows, length, balanced.kept_of_row, lockstep, sets)
    assert balanced.kept_of_row - 1e-6 <= slots <= expected_slots(windows, density, lockstep, sets) + 1e-6


def test_nobody_waits_where_a_lane_goes_alone_through_its_row():
    met = Skipped.by(UnstructuredSkipping(group=8, lockstep=1), parse_format("75% in each row").along(512), lanes=32)
    assert met.slots(512) == 128
    assert Skipped.by(UnstructuredSkipping(group=8, lockstep=1), parse_format("75%"), lanes=32).slots(512) > 140


def test_every_row_of_a_mask_keeps_as_many():
    mask = parse_format("70% in each row").mask(np.random.default_rng(0), 50, 33)
    assert set(mask.sum(axis=1)) == {10}
    assert len(set(mask.sum(axis=0))) > 1
    assert set(parse_format("70% in each column").mask(np.random.default_rng(0), 33, 50).sum(axis=0)) == {10}


def test_the_backward_pass_sums_along_what_is_not_balanced():
    hardware = load_hardware("sat-unstructured").model
    forward, backward = (
        met_by(plain_product(64, 64, 512, sparse), hardware).pattern
        for sparse in (parse_format("70% in each row"), parse_format("70% in each row").turned)
    )
    free = met_by(plain_product(64, 64, 512, parse_format("70%")), hardware).pattern
    assert backward.slots(512) == free.slots(512)
    assert forward.slots(512) < free.slots(512)


def test_the_closed_form_is_the_mean_of_many_machines():
    machine, depth, columns = Machine(rows=1, cols=4), 64, 4
    sparse, draw = parse_format("75% in each row").along(depth), np.random.default_rng(9)
    cycles = []
    for _ in range(120):
        b = sparse.mask(draw, columns, depth).T.astype(float)
        outcome = run_skipping(machine, Mapping(dataflow="os"), np.ones((1, depth)), b, window=8)
        assert (outcome.product == sparse.kept_of_row).all()
        cycles.append(outcome.cycles)
    idle = run_skipping(machine, Mapping(dataflow="os"), np.ones((1, 8)), np.eye(8, columns), window=8).cycles - 1
    expected = balanced_slots(cut(depth, 8), depth, sparse.kept_of_row, columns, 1)
    error = np.std(cycles) / np.sqrt(len(cycles))
    assert abs(np.mean(cycles) - idle - expected) < 4 * error
