"""What a block of an operand is on its way between DRAM and its buffer, and what all blocks of a product moved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of one operand on its way between DRAM and its buffer.

    Attributes:
        held_bytes: in the buffer.
        moved_bytes: over the memory's pins; none of what stays on chip.
        dram_cycles: that the memory is busy.
        reduced_elements: that pass the reduction engine on their way in.
        sort_cycles: that the reduction engine is busy with them.
    """

    held_bytes: int
    moved_bytes: int
    dram_cycles: int
    reduced_elements: int = 0
    sort_cycles: int = 0

    @property
    def cycles(self) -> int:
        """For which the stream is busy: the sorters work on it as it comes."""
        return max(self.dram_cycles, self.sort_cycles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What one repetition of a product moved in all.

    Attributes:
        a_fetches: blocks of A fetched; likewise below.
        b_fetches: of B.
        partial_sum_reads: blocks of C read back.
        partial_sum_writes: blocks of C written unfinished.
        result_writes: blocks of C written finished.
        a_bytes: read; likewise below.
        b_bytes: of B read.
        a_held_bytes: filled into the buffer of A.
        b_held_bytes: into that of B.
        partial_sum_read_bytes: of C read back.
        partial_sum_write_bytes: of C written unfinished.
        result_bytes: of C written finished.
        reduced_elements: that passed the reduction engine.
        cycles: that DRAM was busy.
    """

    a_fetches: int
    b_fetches: int
    partial_sum_reads: int
    partial_sum_writes: int
    result_writes: int
    a_bytes: int
    b_bytes: int
    a_held_bytes: int
    b_held_bytes: int
    partial_sum_read_bytes: int
    partial_sum_write_bytes: int
    result_bytes: int
    reduced_elements: int
    cycles: int
