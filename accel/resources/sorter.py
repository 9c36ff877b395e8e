"""What a lane of the N:M reduction engine takes, ``accel/rtl/sorter.sv``, by group, kept and width.

Registers are counted from the text of the hardware and are exact. Look-up tables are fitted to what Yosys maps
(docs/rtl-synthesis.csv, ``examples/resource_fit.py``): what there is most of, and how much of it a LUT takes.
"""

from __future__ import annotations

from .amounts import Amounts

LUTS_PER_FEATURE = (1.552, 4.362, 0.590, 1.068)
"""Fitted, of ``sorter_features``."""


def index_bits(group: int) -> int:
    """Bits of an index within a group; the hardware has one even in a group of one.

    >>> index_bits(1), index_bits(8)
    (1, 3)
    """
    return max(1, (group - 1).bit_length())


def sorter_features(group: int, kept: int, width: int) -> tuple[float, ...]:
    """What its look-up tables are fitted to.

    Bits of slots (compared, and shifted or taken), bits of their indices, bits of indices that are compared pair by
    pair to leave in order, bits of the value that leaves.
    """
    index = index_bits(group)
    return kept * width, kept * index, kept * kept * index, width


def sorter(group: int, kept: int, width: int) -> Amounts:
    """What a lane takes.

    >>> sorter(group=8, kept=2, width=16).flip_flops
    83
    """
    index = index_bits(group)
    entry = index + width
    # A position; the slots and those that leave; of each slot, whether it is filled and whether it is still to leave.
    flip_flops = index + 2 * kept * entry + 2 * kept
    features = sorter_features(group, kept, width)
    luts = sum(weight * feature for weight, feature in zip(LUTS_PER_FEATURE, features, strict=True))
    return Amounts(luts=luts, flip_flops=flip_flops)
