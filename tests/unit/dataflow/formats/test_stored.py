"""Bytes of a sparse operand are those of the real mask, encoded."""

import numpy as np
import pytest
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.formats.stored import Stored, least_stored_bytes, stored_bytes


def encoded(mask, values, span):
    """The bits of kept values of 16 bits each and of a bitmap of blocks, laid one behind the other."""
    blocks = mask.reshape(-1, span)[:, 0]
    return np.concatenate([np.repeat(values[mask], 16), blocks])


@pytest.mark.parametrize("text", ["50%", "80%", "93.7%"])
def test_a_bitmap_and_the_kept_values_are_what_is_stored(text):
    sparse, draw = parse_format(text), np.random.default_rng(3)
    mask = sparse.mask(draw, 64, 512)
    bits = len(encoded(mask, draw.random(mask.shape), 1))
    stored = Stored.of(sparse, value_bytes=2)
    assert stored_bytes(int(mask.sum()) * sparse.kept_scale, mask.size, stored) == -(-bits // 8)
    # The mean of the masks is within what 32,768 draws allow.
    mean = stored_bytes(sparse.kept_elements(512) * 64, mask.size, stored)
    spread = 4 * 2 * np.sqrt(mask.size * sparse.density * (1 - sparse.density))
    assert abs(mean - bits / 8) < spread


def test_a_block_has_one_bit():
    sparse, draw = parse_format("75% block 4x8"), np.random.default_rng(5)
    mask = sparse.mask(draw, 256, 256)
    blocks = mask.reshape(64, 4, 32, 8).transpose(0, 2, 1, 3).reshape(-1, 32)
    assert ((blocks.sum(axis=1) == 0) | (blocks.sum(axis=1) == 32)).all(), "a block is kept or zero as a whole"
    bits = 16 * mask.sum() + len(blocks)
    assert stored_bytes(int(mask.sum()) * sparse.kept_scale, mask.size, Stored.of(sparse, 2)) == -(-bits // 8)


def test_pairs_of_n_of_m_have_an_index_each_and_no_bitmap():
    assert stored_bytes(16, 64, Stored.of(Pattern(2, 8), 2)) == 16 * 19 // 8
    assert stored_bytes(16, 64, Stored.of(Pattern(2, 8), 4)) == 16 * 35 // 8


@pytest.mark.parametrize("text", ["2:8", "3:7", "80%", "75% block 2x2"])
def test_no_cutting_makes_fewer_bytes_than_the_floor(text):
    sparse = parse_format(text)
    stored = Stored.of(sparse, 2)
    for cut in (8, 56, 72):
        pieces = [min(cut, 504 - start) for start in range(0, 504, cut)]
        kept = [sparse.kept_elements(piece) for piece in pieces]
        cut_bytes = sum(stored_bytes(each * 3, piece * 3, stored) for each, piece in zip(kept, pieces, strict=True))
        assert cut_bytes >= least_stored_bytes(sum(kept) * 3, stored)
