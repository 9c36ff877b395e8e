"""Bytes of a sparse operand as it lies in memory and passes a port: kept values, their indices, a bitmap."""

from __future__ import annotations

from typing import NamedTuple

from ...accel.tensor_engine import ceil_div
from ...configs.arrays import Counts
from ...configs.operand_format import OperandFormat


class Stored(NamedTuple):
    """What the bytes of a sparse operand depend on; a compiler takes it as it stands.

    Attributes:
        value_bits: of a kept value and the index beside it.
        kept_scale: what counts of kept elements are given in, see ``OperandFormat``.
        bitmap_span: elements that share a bit of the bitmap; 0 without one.
    """

    value_bits: int
    kept_scale: int
    bitmap_span: int

    @classmethod
    def of(cls, kept: OperandFormat, value_bytes: int) -> Stored:
        """Of a format with values of so many bytes."""
        return cls(8 * value_bytes + kept.index_bits, kept.kept_scale, kept.bitmap_span)


def stored_bytes(kept: Counts, elements: Counts, stored: Stored) -> Counts:
    """Bytes of a piece of a sparse operand.

    Args:
        kept: elements kept, times ``kept_scale``.
        elements: all of them.
        stored: how.

    >>> stored_bytes(16, 64, Stored(19, 1, 0))  # 2:8 in FP16: 16 values with 3 bits each
    38
    >>> stored_bytes(16_000_000, 64, Stored(16, 1_000_000, 1))  # 75%: 16 values and 64 bits
    40
    """
    bits = ceil_div(kept, stored.kept_scale) * stored.value_bits
    if stored.bitmap_span:
        bits = bits + ceil_div(elements, stored.bitmap_span)
    return ceil_div(bits, 8)


def least_stored_bytes(kept: Counts, stored: Stored) -> Counts:
    """Bytes that no cutting into pieces makes fewer: of the kept values alone, none rounded up.

    Args:
        kept: elements kept in all pieces, times ``kept_scale``.
        stored: how.
    """
    return kept // stored.kept_scale * stored.value_bits // 8
