"""Bytes of a format are those of its real mask, encoded bit by bit, and the bits give the operand back."""

import math

import numpy as np
import pytest
from bisparse.configs.encodings import ENCODINGS, metadata_of
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.formats.stored import Stored, stored_bytes
from bisparse.sim.event.sparse_depth import SparseDepth
from hypothesis import given, settings
from hypothesis import strategies as st

from .encoders import (
    as_bitmap,
    as_pairs,
    as_places,
    as_rows,
    as_runs,
    from_bitmap,
    from_pairs,
    from_places,
    from_rows,
    from_runs,
    in_blocks,
)

VALUE_BITS = 16

ASKED = ["50%", "80%", "95%", "99%", "75% block 4x8", "90% block 2x2", "70% in each row"]


def encode(encoding, blocks, run_bits):
    """The bits of an operand and the operand that they give back."""
    match encoding:
        case "bitmap":
            bits = as_bitmap(blocks, VALUE_BITS)
            return bits, from_bitmap(bits, blocks.shape, VALUE_BITS)
        case "run-length":
            bits = as_runs(blocks, VALUE_BITS, run_bits)
            return bits, from_runs(bits, blocks.shape, VALUE_BITS, run_bits)
        case "rows":
            bits = as_rows(blocks, VALUE_BITS, 256, 8, 9)
            return bits, from_rows(bits, blocks.shape, VALUE_BITS, 256, 8, 9)
        case "index":
            bits = as_places(blocks, VALUE_BITS, 32)
            return bits, from_places(bits, blocks.shape, VALUE_BITS, 32)


def operand(sparse, seed, outputs, inputs):
    """[outputs, inputs] values of which those kept are not zero."""
    draw = np.random.default_rng(seed)
    return draw.integers(1, 1 << VALUE_BITS, (outputs, inputs)) * sparse.mask(draw, outputs, inputs)


@pytest.mark.parametrize("encoding", [each for each in ENCODINGS if each != "least"])
@pytest.mark.parametrize("text", ASKED)
def test_the_bytes_are_those_of_the_real_operand(text, encoding):
    sparse = parse_format(f"{text} as {encoding}")
    values = operand(sparse, 3, 64, 128)
    blocks = in_blocks(values, sparse.rows, sparse.cols)
    stored = Stored.of(sparse, VALUE_BITS // 8)
    bits, back = encode(encoding, blocks, stored.index_bits)
    assert np.array_equal(back, blocks)
    kept = int((values != 0).sum())
    found = stored_bytes(kept * sparse.kept_scale, values.size, stored)
    if encoding != "run-length":
        assert found == math.ceil(len(bits) / 8)
        return
    # How often a run is too long for its bits is an expectation: what this mask needs is not known.
    entries = len(bits) / (blocks.shape[1] * VALUE_BITS + stored.index_bits)
    expected = kept // blocks.shape[1] * stored.padding / 1e6
    assert abs(entries - kept // blocks.shape[1] - expected) <= 4 * math.sqrt(3 * expected) + 1


def test_padding_of_runs_is_the_mean_of_many_masks():
    """Within what as many draws allow; a padding that is off by three in a hundred falls outside of it."""
    density, bits, draw = 0.1, 3, np.random.default_rng(7)
    longer = (1 - density) ** (1 << bits)
    gaps = draw.geometric(density, 60_000) - 1
    padded = gaps >> bits
    error = padded.std() / math.sqrt(len(gaps))
    assert abs(padded.mean() - longer / (1 - longer)) < 3 * error < 0.03 * padded.mean()
    blocks = (np.concatenate([np.append(np.zeros(gap, dtype=int), 1) for gap in gaps[:3000]]))[:, None]
    assert len(as_runs(blocks, VALUE_BITS, bits)) == (VALUE_BITS + bits) * (3000 + int(padded[:3000].sum()))


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_pairs_of_n_of_m_are_those_of_the_real_operand(kept, group, length, lanes, seed):
    pattern = Pattern(min(kept, group), group)
    draw = np.random.default_rng(seed)
    values = np.zeros((lanes, length), dtype=int)
    for lane in values:
        for start in range(0, length, group):
            part = lane[start : start + group]
            chosen = draw.permutation(len(part))[: pattern.kept]
            part[chosen] = draw.integers(1, 1 << VALUE_BITS, len(chosen))
    bits = as_pairs(values, VALUE_BITS, pattern.kept, group)
    assert np.array_equal(from_pairs(bits, values.shape, VALUE_BITS, pattern.kept, group), values)
    stored = Stored.of(pattern, VALUE_BITS // 8)
    assert stored_bytes(lanes * pattern.kept_of(length), values.size, stored) == math.ceil(len(bits) / 8)


@given(st.floats(0.001, 0.999), st.sampled_from([1, 4, 64, 256]), st.sampled_from([8, 16, 32]))
@settings(deadline=None, max_examples=60)
def test_the_least_is_the_least(density, block, value_bits):
    def bits(stored):
        entry = block * value_bits + stored.index_bits
        beside = stored.span_bits * block / stored.span if stored.span else 0
        return density * (1 + stored.padding / 1e6) * entry + beside

    every = [bits(metadata_of(each, density, block, value_bits)) for each in ENCODINGS]
    assert bits(metadata_of("least", density, block, value_bits)) == min(every)


@given(st.sampled_from(ASKED), st.sampled_from(ENCODINGS), st.integers(0, 4000), st.integers(1, 4000))
@settings(deadline=None, max_examples=80)
def test_the_event_engine_counts_the_same_bytes(text, encoding, values, elements):
    sparse = parse_format(f"{text} as {encoding}")
    counted = SparseDepth(sparse=sparse, taps=1).stored_bytes(values, elements, 2)
    assert counted == stored_bytes(values * sparse.kept_scale, elements, Stored.of(sparse, 2))


def test_an_encoding_is_read_said_back_and_refused():
    assert str(parse_format("80% as run-length")) == "80% as run-length"
    assert str(parse_format("75% block 4x8 as index")) == "75% block 4x8 as index"
    assert parse_format("80% as bitmap") == parse_format("80%")
    with pytest.raises(ConfigError, match="got an encoding 'zip', need one of bitmap, run-length, rows, index, least"):
        parse_format("80% as zip")
