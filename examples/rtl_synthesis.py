"""What the modules of accel/rtl take of an FPGA, as Yosys maps them: a row for each module, group, width and depth.

    python examples/rtl_synthesis.py docs/rtl-synthesis.csv

Needs Yosys (Debian's yosys); some 15 seconds of processor time a row, some 8 minutes in all. What is fitted to the
table stands in accel/resources, and what that leaves is in docs/resources.md.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from bisparse.sim.witness.rtl.synthesis import cells, design_sha256

KEYS = ("module", "group", "kept", "width", "depth")
COUNTS = ("luts", "memory_luts", "flip_flops", "dsps", "brams")

ELEMENTS = (
    *((group, 8, depth) for group in (1, 4, 8, 16) for depth in (2, 4)),
    *((1, 8, 8), (4, 8, 8), (8, 8, 8)),
    *((1, 16, 4), (8, 16, 4), (16, 16, 4), (8, 16, 8), (16, 16, 8)),
)
"""Group, bits of an operand, depth: interleaved sums and stationary words. A group of one is a dense PE."""

SORTERS = (
    *((4, 1, 16), (4, 2, 16), (8, 1, 16), (8, 2, 16), (8, 4, 16), (16, 2, 16), (16, 4, 16), (16, 8, 16)),
    *((4, 2, 8), (16, 4, 8), (8, 2, 32)),
)
"""Group, kept, bits of an element."""

SEQUENCERS = (4, 16)
"""Depth: what a row's sequencer turns between. Its counters have 16 bits."""

DRAINS = ((16, 4), (32, 4), (32, 8))
"""Rows of a column, depth."""


def designs() -> Iterator[tuple[tuple[object, ...], dict[str, int]]]:
    """What the table says of each design, and its parameters."""
    for group, kept, width in SORTERS:
        yield ("sorter", group, kept, width, ""), {"GROUP": group, "KEPT": kept, "WIDTH": width}
    for depth in SEQUENCERS:
        yield ("moving_sequencer", "", "", 16, depth), {"COUNT_BITS": 16} | _bits_of(depth)
    for rows, depth in DRAINS:
        bits = {"ROWS": rows, "ROW_BITS": (rows - 1).bit_length(), "TURN_BITS": _bits_of(depth)["TURN_BITS"]}
        yield ("drain_column", rows, "", "", depth), {"TURNS": depth} | bits
    for group, width, depth in ELEMENTS:
        latencies = {"MAC_LATENCY": 4, "ACCUMULATE_LATENCY": 1}
        registers = {"GROUP": group, "DATA_BITS": width, "TURNS": depth, "WORDS": depth}
        yield ("processing_element", group, "", width, depth), registers | latencies


def _bits_of(depth: int) -> dict[str, int]:
    return {"TURN_BITS": (depth - 1).bit_length(), "WORD_BITS": depth.bit_length()}


def main() -> None:
    """Write the table, a row as soon as it is there."""
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="", buffering=1) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*KEYS, *COUNTS, "tool", "design_sha256"))
        for key, parameters in designs():
            module = str(key[0])
            found = cells(module, parameters, hard_multiplexers=module == "processing_element")
            writer.writerow((*key, *(getattr(found, each) for each in COUNTS), found.tool, design_sha256()))


if __name__ == "__main__":
    main()
