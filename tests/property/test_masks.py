"""N:M masks on any weights: N of each group, along the right axis, the largest, the lowest index of equal ones."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from bisparse.configs.pattern import Pattern
from bisparse.sim.witness.machines.sorter import reduce_stream
from bisparse.training.graph import Stage
from bisparse.training.recipes.in_torch.top_n import top_n_mask
from bisparse.training.recipes.in_torch.weight_axes import WeightAxes
from bisparse.training.recipes.in_torch.weight_masks import (
    best_order,
    permuted_backward_mask,
    stage_mask,
    transposable_mask,
)
from hypothesis import given, settings
from hypothesis import strategies as st

FF, BP = Stage.FORWARD, Stage.BACKWARD

LEVELS = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 6e-8, -6e-8, 65504.0, np.inf, -np.inf]
"""Few magnitudes, so that ties are everywhere; 6e-8 is a denormal of float16."""

PATTERNS = [(1, 2), (1, 4), (2, 4), (3, 4), (2, 8), (4, 8), (5, 12), (2, 16), (16, 16), (1, 17), (1, 32), (16, 32)]


@st.composite
def values(draw, dtype, shape):
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    tied = generator.choice(LEVELS, shape)
    free = generator.normal(size=shape)
    return np.where(generator.random(shape) < draw(st.sampled_from([0.0, 0.5, 1.0])), tied, free).astype(dtype)


@st.composite
def streams(draw):
    dtype = draw(st.sampled_from([np.float32, np.float16]))
    shape = (*draw(st.lists(st.integers(1, 3), max_size=2)), draw(st.integers(1, 70)))
    return draw(values(dtype, shape)), Pattern(*draw(st.sampled_from(PATTERNS)))


@settings(max_examples=200, deadline=None)
@given(streams())
def test_the_reduction_engine_keeps_the_same_elements(case):
    """The model of the hardware compares bit patterns one after the other; torch ranks or sorts floats."""
    stream, pattern = case
    mask = top_n_mask(torch.from_numpy(stream).abs(), pattern, -1)
    assert np.array_equal(mask.numpy(), reduce_stream(stream, pattern).mask)


@settings(max_examples=100, deadline=None)
@given(streams(), st.data())
def test_each_group_keeps_its_largest_and_of_equal_ones_the_first(case, data):
    stream, pattern = case
    axis = data.draw(st.integers(-stream.ndim, stream.ndim - 1))
    mask = top_n_mask(torch.from_numpy(stream).abs(), pattern, axis).numpy()
    lines, kept = np.moveaxis(abs(stream), axis, -1), np.moveaxis(mask, axis, -1)
    for start in range(0, lines.shape[-1], pattern.group):
        group, marks = lines[..., start : start + pattern.group], kept[..., start : start + pattern.group]
        assert (marks.sum(-1) == min(pattern.kept, group.shape[-1])).all()
        for place in itertools.product(*map(range, group.shape[:-1])):
            inside, outside = np.flatnonzero(marks[place]), np.flatnonzero(~marks[place])
            for i, o in itertools.product(inside, outside):
                assert (group[place][i], -i) > (group[place][o], -o)


@st.composite
def layers(draw):
    """A layer, its weight with ties, and an N:M pattern; channels need not be divisible."""
    group_count, transposed = draw(st.integers(1, 3)), draw(st.booleans())
    outs, ins = draw(st.integers(1, 10)), draw(st.integers(1, 10))
    kernel = tuple(draw(st.lists(st.integers(1, 2), max_size=3)))
    if not kernel:
        module = torch.nn.Linear(ins, outs)
        group_count, transposed = 1, False
    else:
        kinds = {1: "1d", 2: "2d", 3: "3d"}
        kind = getattr(torch.nn, f"Conv{'Transpose' if transposed else ''}{kinds[len(kernel)]}")
        module = kind(ins * group_count, outs * group_count, kernel, groups=group_count)
    weight = torch.from_numpy(draw(values(np.float32, tuple(module.weight.shape)))).nan_to_num(posinf=9, neginf=-9)
    with torch.no_grad():
        module.weight.copy_(weight)
    pattern = Pattern(*draw(st.sampled_from([(1, 2), (2, 4), (1, 4), (3, 4), (2, 8), (2, 3)])))
    return module.weight.detach(), WeightAxes.of(module), pattern, transposed, group_count


def canonical(stored, groups, transposed):
    """[groups, out, in, positions]."""
    split = np.asarray(stored).reshape(groups, stored.shape[0] // groups, stored.shape[1], -1)
    return np.swapaxes(split, 1, 2) if transposed else split


def counts(mask, group, axis):
    """Kept elements of each group along an axis, and the groups' lengths."""
    starts = range(0, mask.shape[axis], group)
    return [
        (np.take(mask, range(at, min(at + group, mask.shape[axis])), axis).sum(axis), min(group, mask.shape[axis] - at))
        for at in starts
    ]


@settings(max_examples=100, deadline=None)
@given(layers())
def test_forward_masks_group_input_channels_and_backward_masks_output_channels(case):
    weight, axes, pattern, transposed, groups = case
    for stage, axis in ((FF, 2), (BP, 1)):
        mask = stage_mask(weight, axes, pattern, stage)
        assert mask.shape == weight.shape
        for kept, length in counts(canonical(mask, groups, transposed), pattern.group, axis):
            assert (kept == min(pattern.kept, length)).all()


@settings(max_examples=100, deadline=None)
@given(layers())
def test_transposable_masks_are_n_of_m_at_most_along_both_axes(case):
    weight, axes, pattern, transposed, groups = case
    mask = transposable_mask(weight, axes, pattern)
    assert mask.shape == weight.shape
    folded = canonical(mask, groups, transposed)
    rows, columns = (counts(folded, pattern.group, axis) for axis in (1, 2))
    for kept, _ in (*rows, *columns):
        assert (kept <= pattern.kept).all()
    # Greedy: nothing that is left out would still fit.
    for at in np.argwhere(~folded):
        g, out, channel, position = at
        tile = [slice(c // pattern.group * pattern.group, c // pattern.group * pattern.group + pattern.group)
                for c in (out, channel)]  # fmt: skip
        row, column = folded[g, out, tile[1], position].sum(), folded[g, tile[0], channel, position].sum()
        assert row == pattern.kept or column == pattern.kept


@settings(max_examples=100, deadline=None)
@given(layers(), st.integers(0, 1000), st.integers(1, 5))
def test_bi_masks_are_within_the_forward_mask_and_n_of_m_in_the_best_order_tried(case, seed, tried):
    weight, axes, pattern, transposed, groups = case
    forward = stage_mask(weight, axes, pattern, FF)
    order = best_order(weight, axes, pattern, forward, tried, torch.Generator().manual_seed(seed))
    mask = permuted_backward_mask(weight, axes, pattern, forward, order)
    assert not (mask & ~forward).any()
    gathered = canonical(mask, groups, transposed)[:, order.numpy()]
    for kept, _ in counts(gathered, pattern.group, 1):
        assert (kept <= pattern.kept).all()
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(axes.channels(BP), generator=generator) for _ in range(tried)]
    survivors = [survivors_of(weight, forward, each.numpy(), pattern, transposed, groups) for each in orders]
    assert torch.equal(order, orders[survivors.index(max(survivors))]), "the first of the best"


def survivors_of(weight, forward, order, pattern, transposed, groups):
    """Non-zero weights that top-N leaves of the masked ones, the group's output channels in this order."""
    magnitudes = canonical(weight.abs() * forward, groups, transposed)[:, order]
    total = 0
    for start in range(0, magnitudes.shape[1], pattern.group):
        largest = np.sort(magnitudes[:, start : start + pattern.group], axis=1)[:, ::-1][:, : pattern.kept]
        total += int((largest > 0).sum())
    return total


# The optimum of a transposable tile ----------------------------------------------------------------------------------

_ROWS = [row for row in itertools.product([0, 1], repeat=4) if sum(row) <= 2]
_TILES = np.array([tile for tile in itertools.product(_ROWS, repeat=4) if max(map(sum, zip(*tile, strict=True))) <= 2])
"""Every 4x4 mask that keeps at most 2 of each row and column."""


@settings(max_examples=60, deadline=None)
@given(values(np.float32, (4, 4)).map(lambda tile: np.nan_to_num(tile, posinf=9, neginf=-9)))
def test_the_greedy_mask_keeps_at_least_half_of_the_best(tile):
    best = (_TILES * abs(tile.astype(float))).sum((1, 2)).max()
    axes = WeightAxes(groups=1, transposed=False, first=4, second=4, kernel_axes=0)
    mask = transposable_mask(torch.from_numpy(tile), axes, Pattern(2, 4)).numpy()
    assert (abs(tile.astype(float)) * mask).sum() >= best / 2


def test_equal_magnitudes_are_kept_from_the_lowest_output_then_the_lowest_input_channel():
    square = torch.ones(4, 4, 1)
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    for transposed in (False, True):
        axes = WeightAxes(groups=1, transposed=transposed, first=4, second=4, kernel_axes=1)
        assert transposable_mask(square, axes, Pattern(2, 4))[..., 0].int().tolist() == expected
    wide = torch.ones(4, 2)
    axes = WeightAxes(groups=1, transposed=False, first=4, second=2, kernel_axes=0)
    assert transposable_mask(wide, axes, Pattern(1, 4)).int().tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]
    turned = WeightAxes(groups=1, transposed=True, first=2, second=4, kernel_axes=1)
    assert transposable_mask(wide.T[..., None], turned, Pattern(1, 4))[..., 0].T.int().tolist() == [
        [1, 0], [0, 1], [0, 0], [0, 0],
    ]  # fmt: skip


def test_a_bi_mask_groups_any_n_of_m_in_stored_order():
    """The reason for the gather: in the order in memory a group may hold more than N."""
    torch.manual_seed(0)
    weight = torch.randn(16, 16)
    axes = WeightAxes(groups=1, transposed=False, first=16, second=16, kernel_axes=0)
    forward = stage_mask(weight, axes, Pattern(2, 8), FF)
    order = best_order(weight, axes, Pattern(2, 8), forward, 10, torch.Generator().manual_seed(0))
    mask = permuted_backward_mask(weight, axes, Pattern(2, 8), forward, order)
    assert max(kept.max() for kept, _ in counts(mask.numpy(), 8, 0)) > 2
    assert max(kept.max() for kept, _ in counts(mask.numpy()[order], 8, 0)) == 2
