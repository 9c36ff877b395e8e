"""On-chip memories: how many block RAMs or UltraRAMs a bank of some width and depth takes.

A bank is read and written once a cycle, which both kinds do in their simple dual-port mode: a tile is read while the
next one is written. Source of the shapes: Xilinx UG573, UltraScale Architecture Memory Resources.
"""

from __future__ import annotations

from typing import NamedTuple

from ..specification import Buffer

BLOCK_RAM_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768))
"""Bits and words of a block RAM of 36 Kib."""

ULTRA_RAM_SHAPE = (72, 4096)


class Memory(NamedTuple):
    """Banks, all alike."""

    banks: int
    width_bits: int
    words: int

    @property
    def bram36_a_bank(self) -> int:
        """Block RAMs of a bank, in the shape that takes fewest.

        >>> Memory(banks=1, width_bits=64, words=1024).bram36_a_bank
        2
        """
        return min(-(-self.width_bits // bits) * -(-self.words // words) for bits, words in BLOCK_RAM_SHAPES)

    @property
    def urams_a_bank(self) -> int:
        """UltraRAMs of a bank; they have one shape.

        >>> Memory(banks=1, width_bits=64, words=1024).urams_a_bank
        1
        """
        bits, words = ULTRA_RAM_SHAPE
        return -(-self.width_bits // bits) * -(-self.words // words)


def memory_of(buffer: Buffer) -> Memory:
    """The memory of a buffer: its banks share its port out among them."""
    width_bits = -(-8 * buffer.port_bytes_per_cycle // buffer.banks)
    bank_bits = -(-8 * buffer.capacity_bytes // buffer.banks)
    return Memory(banks=buffer.banks, width_bits=width_bits, words=-(-bank_bits // width_bits))
