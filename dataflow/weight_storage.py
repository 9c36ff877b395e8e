"""What a parameter leaves in memory between steps beside master and state: copies for FF and BP, and a mask.

A dense copy in operand precision where some stage reads dense weights; a compressed stream a pruned stage, the kept
share of the weights with indices or a bitmap, whatever a short last group keeps; one bit a weight where the update
reads a mask.
"""

from __future__ import annotations

from ..configs.operand_format import OperandFormat
from ..training.recipes.annotation import PrunedGraph, WeightCopies
from .formats.stored import Stored, stored_bytes


def copies_of(pruned: PrunedGraph, parameter: str) -> WeightCopies:
    """The copies that a parameter needs; one that is never pruned has a dense one."""
    return pruned.copies.get(parameter) or WeightCopies(parameter=parameter, dense=True)


def compressed_bytes(weights: int, kept: OperandFormat, value_bytes: int) -> int:
    """Bytes of one compressed stream of a weight.

    >>> from ..configs.formats import parse_format
    >>> compressed_bytes(65536, parse_format("2:8"), 2)  # a quarter of the weights, 19 bits each
    38912
    """
    share, of = kept.share
    found: int = stored_bytes(-(-weights * share // of) * kept.kept_scale, weights, Stored.of(kept, value_bytes))
    return found


def copied_bytes(weights: int, copies: WeightCopies, value_bytes: int) -> int:
    """Bytes of all copies of a weight, dense and compressed."""
    dense = value_bytes * weights if copies.dense else 0
    return dense + sum(compressed_bytes(weights, each, value_bytes) for each in copies.compressed)


def mask_bytes(weights: int, copies: WeightCopies) -> int:
    """Bytes of the mask, if the update reads one."""
    return -(-weights // 8) if copies.reads_mask else 0
