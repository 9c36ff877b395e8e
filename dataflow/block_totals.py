"""What the blocks of a product's operands come to, each moved one time."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..configs.arrays import BoolArray, IntArray
from .gemm import Gemm, Operand, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTotals:
    """[J] bytes and DRAM cycles of an operand's blocks, each block moved one time.

    ``reduced_elements`` are those that pass the reduction engine on their way in. Of single blocks: ``first_a_cycles``
    and ``first_b_cycles`` load the first of each operand, ``last_result_cycles`` store the last of the results.
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
    first_a_cycles: IntArray
    first_b_cycles: IntArray
    last_result_cycles: IntArray

    def take(self, chosen: IntArray | BoolArray) -> BlockTotals:
        """Those of some tilings."""
        return BlockTotals(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


_OF_PLACE: dict[Place, tuple[str, ...]] = {
    "a": ("a_bytes", "a_cycles", "first_a_cycles"),
    "b": ("b_bytes", "b_cycles", "first_b_cycles"),
    "c": ("sum_bytes", "result_bytes", "sum_load_cycles", "sum_store_cycles", "result_cycles", "last_result_cycles"),
}


def totals_of(gemm: Gemm, place: Place) -> tuple[str, ...]:
    """Names of those totals that are of A, of B or of C; what is reduced counts with the operand that is."""
    reduced: Operand = "a" if gemm.reduced_on_load == "a" else "b"
    return (*_OF_PLACE[place], "reduced_elements") if place == reduced else _OF_PLACE[place]
