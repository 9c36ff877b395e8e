"""What the blocks of a product's operands come to, each moved one time."""

from __future__ import annotations

from dataclasses import dataclass

from ..configs.arrays import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTotals:
    """[J] bytes and DRAM cycles of an operand's blocks, each block moved one time.

    ``reduced_elements`` are those that pass the reduction engine on their way in.
    """

    a_bytes: IntArray
    b_bytes: IntArray
    sum_bytes: IntArray
    result_bytes: IntArray
    reduced_elements: IntArray
    a_cycles: IntArray
    b_cycles: IntArray
    sum_load_cycles: IntArray
    sum_store_cycles: IntArray
    result_cycles: IntArray
