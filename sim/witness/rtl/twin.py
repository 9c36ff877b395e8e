"""What a tensor engine in SystemVerilog is made with, and whether a product fits it."""

from __future__ import annotations

from dataclasses import dataclass

from ..machines.machine import Laid
from ..machines.specification import Machine, Mapping

VALUE_BITS = 8
"""Bits of an operand's values, with their sign; sums have 32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A tensor engine in SystemVerilog: the machine that it is a twin of, and what else it is made with.

    Attributes:
        machine: rows, columns, latencies and ports; ``overlapped`` is a wire of the hardware.
        group: M, values of a group vector, and the widest group that runs on it.
        turns: interleaved sums that a PE holds.
        words: stationary words that a PE holds.
        pairs_west: whether pairs come from the west and group vectors from the north, or the other way about.
    """

    machine: Machine
    group: int
    turns: int
    words: int
    pairs_west: bool

    def parameters(self) -> dict[str, int]:
        """Of module ``tensor_engine``."""
        machine = self.machine
        return {
            "ROWS": machine.rows,
            "COLS": machine.cols,
            "DATA_BITS": VALUE_BITS,
            "GROUP": self.group,
            "TURNS": self.turns,
            "WORDS": self.words,
            "MAC_LATENCY": machine.mac_latency,
            "ACCUMULATE_LATENCY": machine.accumulate_latency,
            "PAIRS_WEST": int(self.pairs_west),
            "SHIFTED_DRAIN": int(machine.drain == "shift"),
            "CHAINED_LOAD": int(machine.stationary_load == "chain"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A product for a twin.

    Attributes:
        mapping: how it is laid on the array.
        laid: the operands, as ``machine.lay_operands`` cuts them.
        overlapped: whether folds overlap.
    """

    mapping: Mapping
    laid: Laid
    overlapped: bool
