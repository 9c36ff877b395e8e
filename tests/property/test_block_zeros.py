"""Zeros in blocks on an array that leaves out whole steps: real masks, the machine that plays them, and laws."""

import math

import numpy as np
import pytest
from bisparse.accel.exploits import BlockSkipping, Exploits, UnstructuredSkipping
from bisparse.accel.specification import load_hardware
from bisparse.accel.tensor_engine import ArrayTiming, output_stationary_cycles
from bisparse.configs.errors import MappingError
from bisparse.configs.formats import parse_format
from bisparse.configs.unstructured import Unstructured
from bisparse.dataflow.formats.blocks import SkippedBlocks
from bisparse.dataflow.formats.skipped import Skipped, met_by, why_not_skipped
from bisparse.dataflow.forms import best_form
from bisparse.sim.product.single_product import plain_product
from bisparse.sim.witness.machines.machine import Machine, Mapping
from bisparse.sim.witness.machines.random_zeros import run_skipping_blocks
from bisparse.training.own_weights.measured import Measured, OwnMask
from hypothesis import given, settings
from hypothesis import strategies as st


def design(*sizes, unstructured=None):
    sat = load_hardware("sat-vcu1525").model
    exploits = Exploits(block=BlockSkipping(sizes=sizes), unstructured=unstructured)
    return sat.model_copy(update={"tensor_engine": sat.tensor_engine.model_copy(update={"exploits": exploits})})


def passed(mask, block):
    """Steps of k of a mask [lanes, k] in a stretch in which some lane keeps something, counted one by one."""
    stretches = [mask[:, start : start + block] for start in range(0, mask.shape[1], block)]
    return sum(each.shape[1] for each in stretches if each.any())


# Against real masks and the machine -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lanes"),
    [("75% block 32x8", 32), ("75% block 16x8", 32), ("90% block 4x4", 16), ("50% block 64x16", 32), ("95%", 8)],
)
def test_the_mean_of_many_masks_is_the_expectation(text, lanes):
    """Within the interval of the draws; a formula that is off by one in a hundred falls outside of it."""
    sparse, draw = parse_format(text), np.random.default_rng(2)
    blocks = 6000
    found = passed(sparse.mask(draw, lanes, blocks * sparse.cols), sparse.cols) / sparse.cols
    share = SkippedBlocks(declared=sparse, lanes=lanes).passed_share
    error = math.sqrt(blocks * share * (1 - share))
    assert abs(found - blocks * share) < 4 * error
    assert error < 0.025 * blocks * share


@given(
    st.integers(1, 5), st.integers(1, 4), st.integers(1, 40), st.integers(1, 8), st.floats(0, 1), st.integers(0, 2**32)
)
@settings(deadline=None, max_examples=60)
def test_the_machine_takes_the_cycles_of_the_steps_that_are_left(m, n, k, block, density, seed):
    machine = Machine(rows=3, cols=4, mac_latency=2, accumulate_latency=1, register_depth=2, overlapped=True)
    draw = np.random.default_rng(seed)
    blocks = draw.random((n, math.ceil(k / block))) < density
    mask = blocks.repeat(block, axis=1)[:, :k]
    a, b = draw.integers(1, 9, (m, k)).astype(float), (draw.integers(1, 9, (n, k)) * mask).T.astype(float)
    outcome = run_skipping_blocks(machine, Mapping(dataflow="os", interleave_m=2), a, b, block=block)
    assert np.array_equal(outcome.product, a @ b)
    array = ArrayTiming(3, 4, 2, 1, 2, overlapped=True, shifted_drain=machine.drain == "shift", chained_load=True)
    assert outcome.cycles == output_stationary_cycles(array, m, n, max(1, passed(mask, block)), 2, 1)


def test_columns_that_do_not_fit_side_by_side_are_refused():
    with pytest.raises(MappingError, match="got 3 columns, need at most 2"):
        run_skipping_blocks(Machine(rows=1, cols=2), Mapping(dataflow="os"), np.ones((1, 4)), np.ones((4, 3)), block=4)


@given(
    st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.integers(1, 16), st.floats(0, 1)
)
@settings(deadline=None, max_examples=40)
def test_of_a_very_tensor_the_steps_are_counted(groups, outputs, inputs, taps, lanes, density):
    draw = np.random.default_rng(outputs)
    mask = draw.random((groups, outputs, inputs, taps)) < density
    declared = Unstructured(50.0, rows=1, cols=4)
    met = SkippedBlocks(declared=Measured.of(declared, OwnMask(name="w", read=lambda: mask)), lanes=lanes)
    steps = [
        passed(mask[group, fold : fold + lanes, :, tap], 4)
        for group in range(groups)
        for tap in range(taps)
        for fold in range(0, outputs, lanes)
    ]
    expected = max(1, math.ceil(taps * sum(steps) / len(steps) - 1e-9))
    assert met.slots(inputs, taps) in (expected, min(expected, inputs * taps))


# Laws -----------------------------------------------------------------------------------------------------------------

percents = st.integers(1, 99).map(lambda zeros: f"{zeros}%")


@given(percents, st.sampled_from([1, 4, 16, 32]), st.integers(1, 16), st.integers(1, 300), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_wider_folds_are_never_faster_and_never_slower_than_dense(text, rows, cols, channels, taps):
    times = [
        SkippedBlocks(declared=parse_format(f"{text} block {rows}x{cols}"), lanes=lanes).slots(channels, taps)
        for lanes in (1, 2, 4, 8, 16, 32)
    ]
    assert times == sorted(times)
    assert times[-1] <= channels * taps


@given(percents, st.integers(1, 4), st.integers(1, 16), st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_blocks_as_wide_as_the_array_take_the_kept_share(text, times, cols, groups):
    sparse = parse_format(f"{text} block {32 * times}x{cols}")
    steps = cols * groups
    assert SkippedBlocks(declared=sparse, lanes=32).slots(steps) == max(1, math.ceil(sparse.density * steps - 1e-6))


@given(percents, st.sampled_from([1, 2, 8, 32, 64]), st.sampled_from([8, 16]), st.integers(1, 20))
@settings(deadline=None, max_examples=40)
def test_it_is_an_array_in_lockstep_whose_windows_are_blocks(text, rows, cols, groups):
    """Of one lockstep group the fullest lane keeps all of a block or nothing."""
    sparse = parse_format(f"{text} block {rows}x{cols}")
    lockstep = Skipped.by(UnstructuredSkipping(group=8, lockstep=32), sparse, 32)
    assert SkippedBlocks(declared=sparse, lanes=32).slots(cols * groups) == lockstep.slots(cols * groups)


# On a design ----------------------------------------------------------------------------------------------------------


def test_whole_multiples_of_a_size_are_skipped_and_nothing_else():
    hardware = design("16x8", "32x4")
    taken = ["75% block 16x8", "75% block 32x16", "75% block 32x4", "75% block 64x12"]
    dense = ["75%", "75% block 8x16", "75% block 16x4", "75% block 24x8", "75% in each row"]
    for text in taken:
        met = met_by(plain_product(512, 256, 512, parse_format(text)), hardware)
        assert isinstance(met.pattern, SkippedBlocks)
    for text in dense:
        gemm = plain_product(512, 256, 384, parse_format(text))
        assert met_by(gemm, hardware) is gemm
        best = best_form(gemm, hardware)
        assert best.mapping.form.expanded
        assert best.cycles <= best_form(plain_product(512, 256, 384), hardware).cycles
        said = f"zeros of {text} are no whole blocks of 16x8 or 32x4, which sat-vcu1525 skips"
        assert why_not_skipped(gemm.formed(best.mapping.form), hardware) == said


def test_a_product_takes_the_kept_share_of_its_time():
    hardware = design("32x16")
    gemm = met_by(plain_product(4096, 1024, 1024, parse_format("75% block 32x16")), hardware)
    best = best_form(gemm, hardware)
    least = 4096 * 1024 * 256 // (32 * 32)
    assert gemm.slots == 256
    assert least <= best.cycles < 1.04 * least


def test_of_two_ways_to_skip_the_faster_is_taken():
    sparse = parse_format("75% block 4x8")
    hardware = design("4x8", unstructured=UnstructuredSkipping(group=8, lockstep=4, queue=4))
    met = met_by(plain_product(512, 256, 512, sparse), hardware).pattern
    assert isinstance(met, Skipped)
    assert met.slots(512) < SkippedBlocks(declared=sparse, lanes=32).slots(512)
    assert str(met) == str(sparse)
