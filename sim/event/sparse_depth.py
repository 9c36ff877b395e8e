"""What a sparse operand keeps of a tile's depth, counted group by group, and the bytes that it lies in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from ...configs.encodings import PARTS
from ...configs.operand_format import OperandFormat
from ...configs.pattern import Pattern
from ...configs.terms import Terms
from ...dataflow.gemm import OPERANDS, Gemm, Operand
from ..witness.machines.loop_nest import tile_extents


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseDepth:
    """The depth of a product along k.

    Attributes:
        sparse: the format of the operand that is pruned.
        taps: kernel positions along k.
    """

    sparse: OperandFormat
    taps: int

    @classmethod
    def of(cls, gemm: Gemm, operand: Operand) -> SparseDepth:
        """That of an operand."""
        return cls(sparse=gemm.format_of(operand), taps=gemm.taps if gemm.tap_axis == "k" else 1)

    def groups(self, depth: int) -> int:
        """Groups in so much of it, at all kernel positions."""
        return int(self.sparse.groups(depth // self.taps, self.taps))

    def slots(self, depth: int) -> int:
        """Accumulations for an output; of random zeros the expectation is the format's own."""
        if self.sparse.is_irregular:
            return int(self.sparse.slots(depth // self.taps, self.taps))
        return math.ceil(self.kept(depth))

    def kept(self, depth: int) -> Fraction:
        """Elements kept of so much of it, on average where that is random."""
        if isinstance(self.sparse, Terms):
            taps = self.taps // len(self.sparse.terms)
            return sum(
                (SparseDepth(sparse=term, taps=taps).kept(depth // self.taps * taps) for term in self.sparse.terms),
                Fraction(),
            )
        if not isinstance(self.sparse, Pattern):
            return depth * Fraction(*self.sparse.share)
        lengths = tile_extents(depth // self.taps, self.sparse.group)
        return Fraction(self.taps * sum(min(self.sparse.kept, length) for length in lengths))

    def stored_bytes(self, values: int, elements: int, value_bytes: int) -> int:
        """Bytes of kept values and what says where they belong, before they are rounded up to bursts.

        Args:
            values: that are kept.
            elements: of which they are.
            value_bytes: of a value.
        """
        beside = self.sparse.metadata(8 * value_bytes)
        blocks = math.ceil(Fraction(values, beside.block))
        padded = math.ceil(blocks * Fraction(beside.padding, PARTS))
        bits = 8 * value_bytes * (values + padded * beside.block) + (blocks + padded) * beside.index_bits
        if beside.span:
            bits += math.ceil(Fraction(elements, beside.span)) * beside.span_bits
        return math.ceil(Fraction(bits, 8))


def taken_depth(gemm: Gemm) -> SparseDepth:
    """That of the operand that the array takes as pairs; of B where it takes both."""
    return SparseDepth.of(gemm, "a" if gemm.compressed == "a" else "b")


def slots_in(gemm: Gemm, depth: int) -> int:
    """Accumulations for an output in so much of a product's depth."""
    if not gemm.compressed:
        return depth
    own = taken_depth(gemm)
    if gemm.compressed == "ab":
        # Of random zeros the expectation is the formats' own.
        return int(gemm.b.slots_beside(gemm.a, depth // own.taps, own.taps))
    return own.slots(depth)


def balanced_slots_in(gemm: Gemm, depth: int) -> int:
    """The same if all lanes kept equally many; zeros of the two operands lie independently of each other."""
    met = Fraction(depth)
    for operand in OPERANDS:
        if operand in gemm.compressed:
            met *= SparseDepth.of(gemm, operand).kept(depth) / depth
    return min(slots_in(gemm, depth), max(1, math.ceil(met - Fraction(1, 10**9))))
