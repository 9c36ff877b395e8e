"""Slots of a very tensor are counted as the machine plays it, and cutting it never makes fewer of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bisparse.accel.exploits import UnstructuredSkipping
from bisparse.configs.unstructured import Unstructured
from bisparse.dataflow.formats.counted import counted_slots
from bisparse.dataflow.formats.skipped import Skipped
from bisparse.sim.witness.machines.random_zeros import fullest_of_windows
from bisparse.training.own_weights.measured import Measured, OwnMask
from hypothesis import given, settings
from hypothesis import strategies as st


def measured(mask, called="50%"):
    return Measured.of(Unstructured.parse(called), OwnMask(name="w", read=lambda: mask))


def by_hand(mask, *, group, queue, lockstep, lanes):
    """Slots of the whole of a mask [lanes, channels, taps], on average over folds, window by window."""
    found = []
    for fold in range(0, mask.shape[0], lanes):
        slots = []
        for first in range(fold, min(fold + lanes, mask.shape[0]), lockstep):
            together = mask[first : min(first + lockstep, fold + lanes)]
            starts = [(tap, start) for tap in range(mask.shape[2]) for start in range(0, mask.shape[1], group)]
            groups = [together[:, start : start + group, tap].sum(axis=1) for tap, start in starts]
            windows = [sum(groups[start : start + queue]) for start in range(0, len(groups), queue)]
            slots.append(sum(int(each.max()) for each in windows))
        found.append(max(slots))
    return sum(found) / len(found)


SHAPES = {
    "group": st.sampled_from([1, 4, 8]),
    "queue": st.integers(1, 5),
    "lockstep": st.integers(1, 9),
    "lanes": st.integers(1, 12),
}


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 4)),
    density=st.floats(0.05, 0.95),
    **SHAPES,
)
def test_a_whole_tensor_is_counted_window_by_window(seed, shape, density, group, queue, lockstep, lanes):
    mask = np.random.default_rng(seed).random(shape) < density
    array = {"group": group, "queue": queue, "lockstep": lockstep, "lanes": lanes}
    counted = counted_slots(measured(mask[None]), **array, channels=shape[1], taps=shape[2])
    assert counted == pytest.approx(by_hand(mask, **array))


def test_one_fold_takes_as_many_slots_as_the_machine_plays():
    mask = np.random.default_rng(1).random((8, 100)) < 0.3
    counted = counted_slots(
        measured(mask[None, :, :, None]), group=4, queue=3, lockstep=8, lanes=8, channels=100, taps=1
    )
    assert counted == fullest_of_windows(mask, 12).sum()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 12), st.integers(2, 48), st.integers(1, 3)),
    tile=st.integers(1, 6),
    **SHAPES,
)
def test_cutting_along_k_never_makes_fewer(seed, shape, tile, group, queue, lockstep, lanes):
    # Denser towards the end, so that where a tile lies matters.
    draw = np.random.default_rng(seed)
    mask = draw.random(shape) < np.linspace(0.1, 0.9, shape[1])[None, :, None]
    array = {"group": group, "queue": queue, "lockstep": lockstep, "lanes": lanes}
    own, channels = measured(mask[None]), min(tile * group, shape[1])
    sizes = [channels] * (shape[1] // channels) + [shape[1] % channels] * (shape[1] % channels > 0)
    cut = sum(counted_slots(own, **array, channels=size, taps=shape[2]) for size in sizes)
    assert cut >= counted_slots(own, **array, channels=shape[1], taps=shape[2]) - 1e-9


def test_random_zeros_take_what_is_expected_of_them():
    skipping = UnstructuredSkipping(group=8, lockstep=16, queue=2)
    mask = np.random.default_rng(0).random((1, 2048, 512, 1)) < 0.25
    called = Unstructured(round(100 * (1 - mask.mean()), 4))
    own = Measured.of(called, OwnMask(name="w", read=lambda: mask))
    for lanes in (16, 32):
        expected, counted = (Skipped.by(skipping, each, lanes).slots(512) for each in (called, own))
        assert counted == pytest.approx(expected, rel=0.005)


def test_zeros_that_lie_together_take_less_than_random_ones():
    skipping = UnstructuredSkipping(group=8, lockstep=32, queue=4)
    mask = np.zeros((1, 64, 256, 1), dtype=bool)
    mask[:, :, :64] = True
    own = measured(mask, "75%")
    assert Skipped.by(skipping, own, 32).slots(256) == 64
    assert Skipped.by(skipping, Unstructured(75.0), 32).slots(256) > 80
    # Backwards the other way round: lanes are inputs, of which one fold in four has anything.
    assert Skipped.by(skipping, own.turned, 64).slots(64) == math.ceil(64 / 4)
    assert own.turned.turned == own
    assert str(own) == "75%"
