"""What a parameter leaves in memory between steps beside master and state: copies for FF and BP, and a mask.

A dense copy in operand precision where some stage reads dense weights; a compressed stream a pruned stage, w N/M pairs
of value and index, whatever a short last group keeps; one bit a weight where the update reads a mask.
"""

from __future__ import annotations

from ..configs.pattern import Pattern
from ..training.recipes.annotation import PrunedGraph, WeightCopies


def copies_of(pruned: PrunedGraph, parameter: str) -> WeightCopies:
    """The copies that a parameter needs; one that is never pruned has a dense one."""
    return pruned.copies.get(parameter) or WeightCopies(parameter=parameter, dense=True)


def compressed_bytes(weights: int, pattern: Pattern, value_bytes: int) -> int:
    """Bytes of one compressed stream of a weight.

    >>> compressed_bytes(65536, Pattern(2, 8), 2)  # a quarter of the weights, 19 bits each
    38912
    """
    kept = -(-weights * pattern.kept // pattern.group)
    return -(-kept * (8 * value_bytes + pattern.index_bits) // 8)


def copied_bytes(weights: int, copies: WeightCopies, value_bytes: int) -> int:
    """Bytes of all copies of a weight, dense and compressed."""
    dense = value_bytes * weights if copies.dense else 0
    return dense + sum(compressed_bytes(weights, pattern, value_bytes) for pattern in copies.compressed)


def mask_bytes(weights: int, copies: WeightCopies) -> int:
    """Bytes of the mask, if the update reads one."""
    return -(-weights // 8) if copies.reads_mask else 0
