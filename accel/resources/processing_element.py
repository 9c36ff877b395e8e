"""What a processing element takes, ``accel/rtl/processing_element.sv``, without its arithmetic, by what it is for.

Registers and distributed memories are counted from the text of the hardware, and are exact. Look-up tables are fitted
to what Yosys maps (docs/rtl-synthesis.csv, ``examples/resource_fit.py``). What a design does without is left out: banks
of words where nothing stays but outputs, shadows where folds do not overlap, result registers where each PE has its own
wire.
"""

from __future__ import annotations

from typing import NamedTuple

from .amounts import Amounts
from .sorter import index_bits

SUM_BITS = 32

LUTS_PER_FEATURE = (37.509, 1.401, 1.371, 2.427)
"""Fitted, of ``element_features``."""


class ElementShape(NamedTuple):
    """What a PE is built for.

    Attributes:
        group: M of the largest N:M pattern; 1 of a dense PE.
        data_bits: of an operand.
        depth: D, sums that it turns between and words that stay.
        multiplier_stages: cycles from an issue to the adder.
        adder_stages: cycles of the adder.
        sums_stay: whether outputs may stay (OS).
        words_stay: whether operands may stay (WS, IS).
        shadowed: whether a fold enters while the one before it empties.
        shifted_drain: whether results shift down the column.
        vectors_both_ways: whether a group vector may come from either side.
    """

    group: int
    data_bits: int
    depth: int
    multiplier_stages: int = 3
    adder_stages: int = 1
    sums_stay: bool = True
    words_stay: bool = True
    shadowed: bool = True
    shifted_drain: bool = True
    vectors_both_ways: bool = False

    @property
    def pair_bits(self) -> int:
        """A value and its index."""
        return index_bits(self.group) + self.data_bits

    @property
    def vector_bits(self) -> int:
        """The values of a group."""
        return self.group * self.data_bits

    @property
    def turn_bits(self) -> int:
        """Which of the sums."""
        return max(1, (self.depth - 1).bit_length())

    @property
    def command_bits(self) -> int:
        """What travels with the west operand: seven flags, three registers, a word."""
        return 7 + 3 * self.turn_bits + self.depth.bit_length()


def multiplexer(ways: int) -> int:
    """LUTs of six inputs that pick one of some bits, four to the first and three more to each other.

    >>> [multiplexer(ways) for ways in (1, 2, 4, 8, 16)]
    [0, 1, 1, 3, 5]
    """
    return -(-(ways - 1) // 3)


def element_features(shape: ElementShape) -> tuple[float, ...]:
    """What the look-up tables of its logic are fitted to, memories apart.

    One; of result registers, a bit each that takes one of two sums, and what picks the sum that shifts on; bits of the
    words that stay, of which one is picked of each bank and one goes on south; of the N-of-M selector, a bit of a value
    by a bit of the index, for its hard multiplexers grow more slowly than what they pick from.
    """
    depth = shape.depth
    results = SUM_BITS * (depth + multiplexer(depth)) if shape.sums_stay and shape.shifted_drain else 0
    # Of the three picks one is gone where there is no bank behind.
    words = shape.pair_bits * depth * (2 + shape.shadowed) / 3 if shape.words_stay else 0
    picked_by = (shape.group - 1).bit_length()
    return 1, results, words, (1 + shape.vectors_both_ways) * shape.data_bits * picked_by


COMPONENTS = ("control", "results", "stationary words", "selector")
"""What each of ``element_features`` belongs to."""


def element(shape: ElementShape) -> dict[str, Amounts]:
    """What a PE takes by component, its multiplier and its adder apart."""
    luts = {
        component: weight * feature
        for component, weight, feature in zip(COMPONENTS, LUTS_PER_FEATURE, element_features(shape), strict=True)
    }
    # The hardware that was mapped adds integers, a LUT a bit.
    luts["control"] -= SUM_BITS
    memories, registers = _memory_luts(shape), _flip_flops(shape)
    return {
        component: Amounts(
            luts=luts.get(component, 0) + memories.get(component, 0), flip_flops=registers.get(component, 0)
        )
        for component in dict.fromkeys([*luts, *memories, *registers])
    }


def _flip_flops(shape: ElementShape) -> dict[str, int]:
    """Registers, bit by bit as they stand in the hardware."""
    index = index_bits(shape.group)
    of_vectors = shape.vector_bits + (shape.vector_bits if shape.vectors_both_ways else shape.pair_bits)
    # Marks travel with a product; those of its first cycle are the command's own register on its way east.
    marks = (shape.multiplier_stages - (shape.multiplier_stages > 0)) * (shape.turn_bits + 4)
    marks += (shape.adder_stages - 1) * (shape.turn_bits + 2)
    found = {"control": shape.command_bits + marks, "operand registers": of_vectors, "partial sums": SUM_BITS}
    if shape.words_stay:
        # Of a dense PE the index of the words in use is never read.
        used = shape.depth * (shape.data_bits + (index if shape.group > 1 else 0))
        found["stationary words"] = used + 1 + (shape.depth * shape.pair_bits if shape.shadowed else 0)
    if shape.sums_stay and shape.shifted_drain:
        found["results"] = shape.depth * (SUM_BITS + 1)
    return found


def kept_bits(shape: ElementShape) -> int:
    """Bits of its distributed memories: operands kept for more than a step, and the sums that a PE turns between."""
    other = shape.vector_bits if shape.vectors_both_ways else shape.pair_bits
    return shape.depth * (shape.vector_bits + other + SUM_BITS)


_WORDS_OF_MEMORY = 32
"""Words of the distributed memory that the hardware's are mapped to, RAM32M16: 8 LUTs."""

_LUTS_OF_MEMORY = 8

_BITS_AT_ONE_ADDRESS, _BITS_AT_TWO = 16, 14


def _memory_luts(shape: ElementShape) -> dict[str, int]:
    """LUTs of distributed memories: operands kept for more than a step, and the sums that a PE turns between."""
    pages = -(-shape.depth // _WORDS_OF_MEMORY) * _LUTS_OF_MEMORY
    pair = shape.data_bits if shape.group == 1 else shape.pair_bits
    kept = [shape.vector_bits, shape.vector_bits if shape.vectors_both_ways else pair]
    return {
        "operand registers": pages * sum(-(-bits // _BITS_AT_ONE_ADDRESS) for bits in kept),
        "partial sums": pages * -(-SUM_BITS // _BITS_AT_TWO),
    }
