"""Blocks of causal attention against a mask laid out pair by pair."""

import numpy as np
import pytest
from bisparse.training.causal_scores import block_columns, block_rows, kept_scores

SIZES = [(5, 5), (8, 8), (7, 13), (13, 7), (1, 9), (9, 1), (16, 16), (12, 13)]
BLOCKS = [1, 2, 3, 4, 5, 7, 16, 100]


def computed(queries, keys, block):
    """Whether each pair is computed: its block has a pair that attends."""
    attends = np.tril(np.ones((queries, keys), dtype=bool))
    found = np.zeros_like(attends)
    for row in range(0, queries, block):
        for column in range(0, keys, block):
            place = np.s_[row : row + block, column : column + block]
            found[place] = attends[place].any()
    return found


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_scores_kept_are_those_of_blocks_that_attend(queries, keys, block):
    mask = computed(queries, keys, block)
    assert kept_scores(queries, keys, block) == mask.sum()
    assert (mask | ~np.tril(np.ones_like(mask))).all()


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_rows_of_blocks_meet_the_keys_that_the_mask_leaves_them(queries, keys, block):
    mask = computed(queries, keys, block)
    rows = [mask[first : first + block] for first in range(0, queries, block)]
    # All queries of a row of blocks meet the same keys, the first ones.
    assert all((row == row[0]).all() and not np.diff(row[0].astype(int)).clip(0).any() for row in rows)
    by_hand = sorted((len(row), int(row[0].sum())) for row in rows)
    listed = [shape for shape, times in block_rows(queries, keys, block).items() for _ in range(times)]
    assert sorted(listed) == by_hand


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_columns_of_blocks_are_met_by_the_queries_that_the_mask_leaves_them(queries, keys, block):
    mask = computed(queries, keys, block)
    columns = [mask[:, first : first + block] for first in range(0, keys, block)]
    listed = [shape for shape, times in block_columns(queries, keys, block).items() for _ in range(times)]
    assert sorted(listed) == sorted((each.shape[1], int(each[:, 0].sum())) for each in columns if each.any())
    assert sum(wide * met for wide, met in listed) == mask.sum()
