"""The formats that zeros keep to are found, each at least as tight as the one that the zeros were made by."""

from __future__ import annotations

import numpy as np
import pytest
from bisparse.configs.pattern import Pattern
from bisparse.configs.unstructured import Unstructured
from bisparse.training.graph import Stage
from bisparse.training.own_weights.found_zeros import FoundZeros
from hypothesis import given, settings
from hypothesis import strategies as st

STAGES = {Stage.FORWARD: 2, Stage.BACKWARD: 1}
"""Axes of [groups, outputs, inputs, taps] that FF and BP sum over."""


def n_of_m(draw, kept, group, shape, axis):
    """A random mask that keeps so many of each group along an axis; of a short last group at most as many."""
    order = draw.random(shape)
    moved = np.moveaxis(order, axis, -1)
    mask = np.zeros(moved.shape, dtype=bool)
    for start in range(0, moved.shape[-1], group):
        ranks = moved[..., start : start + group].argsort(-1).argsort(-1)
        mask[..., start : start + group] = ranks < kept
    return np.moveaxis(mask, -1, axis)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    stage=st.sampled_from(list(STAGES)),
    power=st.integers(1, 5),
    data=st.data(),
)
def test_n_of_m_is_found_at_least_as_tight(seed, stage, power, data):
    group = 2**power
    kept = data.draw(st.integers(1, group - 1))
    groups, taps = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    shape = [groups, data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40)), taps]
    shape[STAGES[stage]] = group * data.draw(st.integers(1, 3)) + data.draw(st.integers(0, group - 1))
    mask = n_of_m(np.random.default_rng(seed), kept, group, shape, STAGES[stage])
    held = FoundZeros.of(mask).along(stage)
    assert held
    assert held[0].density <= kept / group
    assert list(held) == sorted(held, key=lambda each: each.density)
    for each in held:
        # By hand, group by group.
        moved = np.moveaxis(mask, STAGES[stage], -1)
        cut = [moved[..., start : start + each.group].sum(-1).max() for start in range(0, moved.shape[-1], each.group)]
        assert max(cut) == each.kept


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("pattern", [(1, 2), (2, 4), (2, 8), (1, 16), (4, 32)])
def test_a_pattern_that_somebody_chose_is_the_tightest(stage, pattern):
    mask = n_of_m(np.random.default_rng(0), *pattern, [1, 128, 96, 9], STAGES[stage])
    found = FoundZeros.of(mask)
    assert found.meant(stage) == found.tightest(stage) == Pattern(*pattern)
    other = Stage.BACKWARD if stage is Stage.FORWARD else Stage.FORWARD
    assert found.meant(other) is None
    assert found.tightest(other) == Unstructured(round(100 * (1 - pattern[0] / pattern[1]), 4))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sides=st.tuples(st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([1, 2, 4, 8, 16])),
    blocks=st.tuples(st.integers(6, 12), st.integers(6, 12)),
    ragged=st.booleans(),
)
def test_blocks_are_found_at_least_as_large(seed, sides, blocks, ragged):
    rows, cols = sides
    outputs, inputs = rows * blocks[0] - ragged * (rows // 2), cols * blocks[1] - ragged * (cols // 2)
    mask = Unstructured(60.0, rows, cols).mask(np.random.default_rng(seed), outputs, inputs)
    found = FoundZeros.of(mask[None, :, :, None])
    assert found.zeros == int((~mask).sum())
    assert found.block[0] * found.block[1] >= rows * cols or found.zeros in (0, mask.size)


def test_random_zeros_are_without_a_rule():
    mask = np.random.default_rng(0).random((1, 256, 256, 9)) < 0.2
    found = FoundZeros.of(mask)
    assert (found.block, found.zero_channels) == ((1, 1), "")
    assert found.meant(Stage.FORWARD) is found.meant(Stage.BACKWARD) is None
    assert found.tightest(Stage.FORWARD) == Unstructured(round(100 * (1 - mask.mean()), 4))


@pytest.mark.parametrize(("axis", "named"), [(1, "outputs"), (2, "inputs")])
def test_channels_that_are_zero_throughout_are_counted_and_named(axis, named):
    mask = np.ones((2, 32, 16, 3), dtype=bool)
    gone = [slice(None)] * 4
    gone[axis] = [1, 2, 5, 9, 10, 13]
    mask[tuple(gone)] = False
    found = FoundZeros.of(mask)
    assert found.zero_channels == named
    assert (found.zero_outputs, found.zero_inputs) == ((12, 0) if named == "outputs" else (0, 12))
    # One lonely channel among other zeros is not what they are.
    mask = np.random.default_rng(0).random((1, 32, 16, 3)) < 0.5
    mask[:, 3] = False
    assert FoundZeros.of(mask).zero_channels == ""


def test_few_zeros_none_and_nothing_else_are_no_format():
    mask = np.ones((1, 64, 64, 1), dtype=bool)
    assert not FoundZeros.of(mask).is_sparse
    mask[0, 0] = False
    assert FoundZeros.of(mask).zero_outputs == 1
    assert FoundZeros.of(mask).tightest(Stage.FORWARD) is None
    assert not FoundZeros.of(np.zeros((1, 64, 64, 1), dtype=bool)).is_sparse
    assert not FoundZeros.of(np.zeros((1, 0, 4, 1), dtype=bool)).is_sparse
