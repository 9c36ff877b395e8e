"""What stands at the edges of an array: sequencers of rows, drains of columns, and the skew of both.

Skew is counted from the text of ``accel/rtl/tensor_engine.sv``; sequencers and drains lie on lines through what Yosys
maps (docs/rtl-synthesis.csv): they are a few of a hundred thousand LUTs.
"""

from __future__ import annotations

from .amounts import Amounts
from .processing_element import ElementShape

COUNT_BITS = 16
"""Of the counters."""


def row_sequencer(shape: ElementShape) -> Amounts:
    """What says to a row what to do with its operands."""
    return Amounts(luts=_LUTS_OF_SEQUENCER + _PER_TURN_BIT * shape.turn_bits, flip_flops=164 + 2 * shape.turn_bits)


def column_drain(rows: int, shape: ElementShape) -> Amounts:
    """What lets the results of a column shift down."""
    if not (shape.sums_stay and shape.shifted_drain):
        return Amounts()
    luts = max(0.0, _PER_ROW * rows + _PER_RESULT * shape.depth + _LUTS_OF_DRAIN)
    return Amounts(luts=luts, flip_flops=1 + shape.turn_bits + _bits(rows))


def skew(rows: int, cols: int, shape: ElementShape) -> Amounts:
    """Commands and addresses that reach a row or column as many cycles late as it is far from the corner."""
    of_row = shape.command_bits + COUNT_BITS
    of_column = COUNT_BITS
    if shape.words_stay:
        of_column += 2 + _bits(rows) + shape.depth.bit_length() + COUNT_BITS
    return Amounts(flip_flops=rows * (rows - 1) // 2 * of_row + cols * (cols - 1) // 2 * of_column)


def _bits(count: int) -> int:
    return max(1, (count - 1).bit_length())


_LUTS_OF_SEQUENCER, _PER_TURN_BIT = 301.0, 11.9
_LUTS_OF_DRAIN, _PER_ROW, _PER_RESULT = -13.0, 1.56, 5.5
