"""What a sparse operand keeps of a tile's depth, counted group by group, and the bytes that it lies in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from ...configs.operand_format import OperandFormat
from ...configs.pattern import Pattern
from ...dataflow.gemm import Gemm, Operand
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
        if isinstance(self.sparse, Pattern):
            bits = values * (8 * value_bytes + math.ceil(math.log2(self.sparse.group)))
        else:
            bits = 8 * values * value_bytes + math.ceil(Fraction(elements, self.sparse.bitmap_span))
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
