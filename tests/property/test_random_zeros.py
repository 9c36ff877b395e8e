"""Zeros without a rule: the expectation against real masks, the machine that plays them, and laws."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.exploits import UnstructuredSkipping
from bisparse.accel.specification import load_hardware
from bisparse.accel.tensor_engine import ArrayTiming, output_stationary_cycles
from bisparse.configs.errors import MappingError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import Pattern
from bisparse.configs.unstructured import Unstructured
from bisparse.dataflow.formats.skipped import Skipped, met_by, why_not_skipped
from bisparse.dataflow.formats.waiting import expected_slots, windows_of
from bisparse.dataflow.forms import best_form, check_form, forms_of
from bisparse.dataflow.gemm import PLAIN, Form
from bisparse.sim.product.single_product import plain_product
from bisparse.sim.witness.machines.machine import Machine, Mapping
from bisparse.sim.witness.machines.random_zeros import fullest_of_windows, run_skipping
from hypothesis import given, settings
from hypothesis import strategies as st

SKIPPING = load_hardware("sat-unstructured").model
SAT = load_hardware("sat-vcu1525").model


def skipped(text, *, group=8, queue=1, lockstep=8, lanes=8):
    engine = UnstructuredSkipping(group=group, queue=queue, lockstep=lockstep)
    return Skipped.by(engine, parse_format(text), lanes)


def counted(seed, met, channels, rounds, taps=1):
    """[rounds] slots of the slowest lockstep group over real masks, counted lane by lane and window by window."""
    draw, declared = np.random.default_rng(seed), met.declared
    blocks = draw.random((rounds, taps, -(-met.lanes // declared.rows), -(-channels // declared.cols)))
    kept = np.repeat(np.repeat(blocks < declared.density, declared.rows, axis=2), declared.cols, axis=3)
    mask = kept[:, :, : met.lanes, :channels].transpose(0, 2, 1, 3).reshape(rounds, met.lanes, taps * channels)
    groups = [min(met.group, channels - start) for start in range(0, channels, met.group)] * taps
    starts = np.cumsum([0, *groups])[:-1][:: met.queue]
    windows = np.add.reduceat(mask.astype(np.int64), starts, axis=2)
    by_group = windows.reshape(rounds, met.lanes // met.lockstep, met.lockstep, -1).max(axis=2).sum(axis=2)
    return np.maximum(1, by_group.max(axis=1))


# Against real masks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("density", "shares"),
    [(0.1, (0.10, 0.27, 0.36)), (0.25, (0.25, 0.48, 0.59)), (0.5, (0.50, 0.75, 0.85))],
)
def test_the_shares_that_the_field_calculated(density, shares):
    """Time over dense time of groups of 8, lanes 1, 8 and 32, as the project's notes on methods have them."""
    found = [expected_slots(windows_of([8]), density, lanes, 1) / 8 for lanes in (1, 8, 32)]
    assert found == pytest.approx(shares, abs=0.006), "rounded to a hundredth; 0.27 is 0.265"


CASES = [
    (text, lockstep, queue, lanes)
    for text in ("90%", "75%", "50%")
    for lockstep, queue, lanes in ((1, 1, 1), (8, 1, 8), (32, 1, 32), (8, 4, 8), (8, 1, 32), (1, 1, 16), (4, 3, 16))
]


@pytest.mark.parametrize(("text", "lockstep", "queue", "lanes"), CASES)
def test_the_mean_of_many_masks_is_the_expectation(text, lockstep, queue, lanes):
    """Within the interval of the draws; a formula that is off by one in a hundred falls outside of it."""
    met, rounds = skipped(text, lockstep=lockstep, queue=queue, lanes=lanes), 4000
    slots = counted(11, met, 384, rounds)
    error = slots.std() / np.sqrt(rounds)
    blocks = expected_slots(met._windows(384, 1), met.density, *met._independent)
    assert abs(slots.mean() - blocks) < 4 * error
    assert 4 * error < 0.01 * blocks, "else an error of one in a hundred would go unnoticed"
    assert met.slots(384) - 1 <= blocks <= met.slots(384)


@pytest.mark.parametrize(
    ("text", "lockstep", "lanes", "queue"),
    [
        ("75% block 4x8", 8, 8, 1),
        ("75% block 8x2", 8, 32, 1),
        ("50% block 16x4", 8, 32, 1),
        ("75% block 1x16", 8, 8, 1),
        ("80% block 4x16", 32, 32, 4),
        ("50% block 1x64", 8, 8, 4),
    ],
)
def test_the_mean_of_many_masks_of_blocks(text, lockstep, lanes, queue):
    """Blocks longer along k than a group, too: a queue of groups is no queue of blocks."""
    met = skipped(text, lockstep=lockstep, lanes=lanes, queue=queue)
    slots = counted(12, met, 768, 1500)
    error = slots.std() / np.sqrt(len(slots))
    expected = met.declared.cols * expected_slots(met._windows(768, 1), met.density, *met._independent)
    assert abs(slots.mean() - expected) < 4 * error
    assert 4 * error < 0.015 * expected


def test_short_groups_at_every_kernel_position():
    met = skipped("75%", lockstep=8, lanes=8)
    slots = counted(13, met, 20, 1500, taps=9)
    blocks = expected_slots(met._windows(20, 9), met.density, *met._independent)
    assert abs(slots.mean() - blocks) < 4 * slots.std() / np.sqrt(len(slots))


# The machine ----------------------------------------------------------------------------------------------------------


@st.composite
def played(draw):
    latency = draw(st.integers(1, 4))
    depth = draw(st.integers(1, 6))
    machine = Machine(
        rows=draw(st.integers(1, 5)),
        cols=draw(st.integers(1, 5)),
        mac_latency=latency + draw(st.integers(0, 2)),
        accumulate_latency=latency,
        register_depth=depth,
        overlapped=draw(st.booleans()),
        drain=draw(st.sampled_from(["shift", "wire"])),
    )
    n, k = draw(st.integers(1, machine.cols)), draw(st.integers(1, 40))
    mask = np.random.default_rng(draw(st.integers(0, 2**32))).random((k, n)) < draw(st.floats(0, 1))
    return machine, draw(st.integers(1, 14)), mask, draw(st.integers(1, depth)), draw(st.integers(1, 16))


@given(played())
@settings(deadline=None, max_examples=80)
def test_the_machine_takes_the_cycles_of_the_slots_of_its_mask(case):
    machine, m, mask, interleave, window = case
    draw = np.random.default_rng(1)
    a = draw.integers(1, 9, (m, len(mask))).astype(float)
    b = draw.integers(1, 9, mask.shape) * mask.astype(float)
    outcome = run_skipping(machine, Mapping(dataflow="os", interleave_m=interleave), a, b, window=window)
    assert np.array_equal(outcome.product, a @ b)
    array = ArrayTiming(
        rows=machine.rows,
        cols=machine.cols,
        mac_latency=machine.mac_latency,
        accumulate_latency=machine.accumulate_latency,
        register_depth=machine.register_depth,
        overlapped=machine.overlapped,
        shifted_drain=machine.drain == "shift",
        chained_load=True,
    )
    slots = max(1, int(fullest_of_windows(mask.T, window).sum()))
    assert outcome.cycles == output_stationary_cycles(array, m, mask.shape[1], slots, interleave, 1)


@pytest.mark.parametrize(("text", "columns"), [("75%", 8), ("90%", 4), ("50%", 1)])
def test_the_closed_form_is_the_mean_of_many_machines(text, columns):
    machine, channels = Machine(rows=2, cols=columns, mac_latency=3, accumulate_latency=2, register_depth=2), 256
    met, draw = skipped(text, lockstep=columns, lanes=columns), np.random.default_rng(17)
    cycles = []
    for _ in range(40):
        b = met.declared.mask(draw, columns, channels).T.astype(float)
        a = draw.integers(1, 9, (4, channels)).astype(float)
        cycles.append(run_skipping(machine, Mapping(dataflow="os", interleave_m=2), a, b, window=met.group).cycles)
    array = ArrayTiming(2, columns, 3, 2, 2, False, True, True)
    expected = int(output_stationary_cycles(array, 4, columns, int(met.slots(channels)), 2, 1))
    # Slots are rounded up to whole ones, each of two cycles here.
    assert -2 - 4 * np.std(cycles) / np.sqrt(40) < np.mean(cycles) - expected < 4 * np.std(cycles) / np.sqrt(40)


def test_columns_that_do_not_fit_side_by_side_are_refused():
    with pytest.raises(MappingError, match="got 3 columns, need at most 2"):
        run_skipping(Machine(rows=1, cols=2), Mapping(dataflow="os"), np.ones((1, 4)), np.ones((4, 3)), window=4)


# Laws -----------------------------------------------------------------------------------------------------------------

percents = st.integers(0, 99).map(lambda zeros: f"{zeros}%")


@given(st.integers(1, 300), st.integers(1, 9), st.integers(1, 32), st.integers(1, 4), st.integers(1, 32))
@settings(deadline=None, max_examples=100)
def test_nothing_pruned_takes_dense_time(channels, taps, lockstep, queue, lanes):
    assert skipped("0%", lockstep=lockstep, queue=queue, lanes=lanes).slots(channels, taps) == channels * taps


@given(percents, st.integers(1, 300), st.integers(1, 9), st.integers(1, 32))
@settings(deadline=None, max_examples=100)
def test_more_lanes_in_lockstep_are_never_faster(text, channels, taps, lanes):
    times = [skipped(text, lockstep=each, lanes=32).slots(channels, taps) for each in (1, 2, 4, 8, 16, 32)]
    assert times == sorted(times)
    wider = [skipped(text, lockstep=each, lanes=each).slots(channels, taps) for each in (lanes, lanes + 1, 2 * lanes)]
    assert wider == sorted(wider)


@given(percents, st.integers(1, 300), st.integers(1, 32))
@settings(deadline=None, max_examples=100)
def test_a_longer_queue_that_holds_whole_shorter_ones_is_never_slower(text, channels, lanes):
    times = [skipped(text, lockstep=lanes, lanes=lanes, queue=each).slots(channels) for each in (8, 4, 2, 1)]
    assert times == sorted(times)


@given(st.integers(1, 8), st.sampled_from([1, 2, 4, 8]), st.integers(1, 40), st.integers(1, 32), st.integers(1, 3))
@settings(deadline=None, max_examples=100)
def test_n_of_m_is_never_slower_than_as_many_zeros_without_a_rule(kept, group, groups, lanes, queue):
    kept = min(kept, group)
    pattern = Pattern(kept, group)
    met = Skipped.by(
        UnstructuredSkipping(group=group, queue=queue, lockstep=lanes), Unstructured(100 * (1 - kept / group)), lanes
    )
    assert pattern.slots(group * groups) <= met.slots(group * groups)


@given(percents, st.integers(1, 200), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_blocks_of_one_are_no_blocks(text, channels, taps):
    one = skipped(f"{text} block 1x1")
    assert one == skipped(text)
    assert one.slots(channels, taps) == skipped(text).slots(channels, taps)


@given(percents, st.integers(1, 400), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_time_is_between_the_kept_share_and_dense(text, channels, taps):
    met = skipped(text, lockstep=8, lanes=32)
    assert met.density * channels * taps - 1e-6 <= met.slots(channels, taps) <= channels * taps


# On a design ----------------------------------------------------------------------------------------------------------


def test_a_design_that_skips_nothing_multiplies_densely_and_says_why():
    gemm = plain_product(512, 256, 512, parse_format("80%"))
    assert met_by(gemm, SAT) is gemm
    assert all(form.expanded for form in forms_of(gemm, SAT))
    best = best_form(gemm, SAT)
    dense = best_form(plain_product(512, 256, 512), SAT)
    assert best.cycles <= dense.cycles
    assert best.mapping.form.expanded
    formed = gemm.formed(best.mapping.form)
    assert why_not_skipped(formed, SAT) == "sat-vcu1525 skips no zeros that lie without a rule"


def test_a_design_that_skips_is_as_fast_as_the_expectation_says():
    gemm = met_by(plain_product(4096, 1024, 1024, parse_format("80%")), SKIPPING)
    best = best_form(gemm, SKIPPING)
    least = 4096 * 1024 * gemm.slots // (32 * 32)
    assert best.mapping.form == PLAIN
    assert least <= best.cycles < 1.02 * least
    assert why_not_skipped(gemm.formed(best.mapping.form), SKIPPING) == ""


def test_zeros_between_packed_blocks_are_multiplied_densely():
    gemm = replace(met_by(plain_product(49, 8, 72, parse_format("80%")), SKIPPING), count=32, packable=True, taps=9)
    assert {form for form in forms_of(gemm, SKIPPING) if not form.expanded} == {PLAIN}
    with pytest.raises(MappingError, match="need 80% multiplied densely to pack it"):
        check_form(Form(packed=4), gemm, SKIPPING)


def test_blocks_that_straddle_groups_are_not_skipped():
    gemm = plain_product(64, 64, 96, parse_format("75% block 4x6"))
    assert met_by(gemm, SKIPPING) is gemm
    formed = gemm.formed(best_form(gemm, SKIPPING).mapping.form)
    assert why_not_skipped(formed, SKIPPING) == "blocks of 6 along k do not fit the groups of 8 of sat-unstructured"


@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 300), st.integers(13, 99))
@settings(deadline=None, max_examples=12)
def test_sparse_is_never_slower_than_dense(m, n, k, zeros):
    """From as many zeros as pay for the bitmap: a bit for each element beside FP16 values."""
    gemm = met_by(plain_product(m, n, k, Unstructured(float(zeros))), SKIPPING)
    assert best_form(gemm, SKIPPING).cycles <= best_form(plain_product(m, n, k), SKIPPING).cycles * 1.001 + 2
