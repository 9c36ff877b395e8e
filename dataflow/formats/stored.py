"""Bytes of a sparse operand as it lies in memory and passes a port: kept values and what tells where they belong."""

from __future__ import annotations

from typing import NamedTuple

from ...accel.tensor_engine import ceil_div
from ...configs.arrays import Counts
from ...configs.encodings import PARTS
from ...configs.operand_format import OperandFormat


class Stored(NamedTuple):
    """What the bytes of a sparse operand depend on; a compiler takes it as it stands.

    Attributes:
        value_bits: of a kept value.
        kept_scale: what counts of kept elements are given in, see ``OperandFormat``.
        index_bits: beside each kept block, see ``configs.encodings.Metadata``; so are the others.
        block: elements of a block.
        padding: blocks of zeros among the kept ones, millionths a kept block.
        span: elements that share bits of their own; 0 where none do.
        span_bits: so many.
    """

    value_bits: int
    kept_scale: int
    index_bits: int
    block: int
    padding: int
    span: int
    span_bits: int

    @classmethod
    def of(cls, kept: OperandFormat, value_bytes: int) -> Stored:
        """Of a format with values of so many bytes."""
        return cls(8 * value_bytes, kept.kept_scale, *kept.metadata(8 * value_bytes))


def stored_bytes(kept: Counts, elements: Counts, stored: Stored) -> Counts:
    """Bytes of a piece of a sparse operand.

    Args:
        kept: elements kept, times ``kept_scale``.
        elements: all of them.
        stored: how.

    >>> stored_bytes(16, 64, Stored(16, 1, 3, 1, 0, 0, 0))  # 2:8 in FP16: 16 values with 3 bits each
    38
    >>> stored_bytes(16_000_000, 64, Stored(16, 1_000_000, 0, 1, 0, 1, 1))  # 75%: 16 values and 64 bits
    40
    """
    values = ceil_div(kept, stored.kept_scale)
    bits = values * stored.value_bits
    if stored.index_bits:
        blocks = ceil_div(values, stored.block)
        bits = bits + blocks * stored.index_bits
        if stored.padding:
            bits = bits + ceil_div(blocks * stored.padding, PARTS) * (
                stored.block * stored.value_bits + stored.index_bits
            )
    if stored.span:
        bits = bits + ceil_div(elements, stored.span) * stored.span_bits
    return ceil_div(bits, 8)


def least_stored_bytes(kept: Counts, stored: Stored) -> Counts:
    """Bytes that no cutting into pieces makes fewer: of the kept values alone and their indices, none rounded up.

    Args:
        kept: elements kept in all pieces, times ``kept_scale``.
        stored: how.
    """
    values = kept // stored.kept_scale
    return (values * stored.value_bits + values // stored.block * stored.index_bits) // 8
