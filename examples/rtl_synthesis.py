"""What a PE and a sorter of accel/rtl take of an FPGA, as Yosys maps them: a row for each group, width and depth.

    python examples/rtl_synthesis.py docs/rtl-synthesis.csv

Needs Yosys (Debian's yosys); some 10 seconds of processor time a row.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from bisparse.sim.witness.rtl.synthesis import cells, design_sha256

KEYS = ("module", "group", "kept", "width", "depth")
COUNTS = ("luts", "memory_luts", "flip_flops", "dsps", "brams")

ELEMENTS = ((1, 8, 4), (4, 8, 4), (8, 8, 4), (1, 16, 4))
"""Group, bits of an operand, depth: interleaved sums and stationary words. A group of one is a dense PE."""

SORTERS = ((4, 2, 16), (8, 2, 16), (8, 1, 16), (16, 4, 16), (8, 2, 32))
"""Group, kept, bits of an element."""


def designs() -> Iterator[tuple[tuple[object, ...], dict[str, int]]]:
    """What the table says of each design, and its parameters."""
    for group, kept, width in SORTERS:
        yield ("sorter", group, kept, width, ""), {"GROUP": group, "KEPT": kept, "WIDTH": width}
    for group, width, depth in ELEMENTS:
        latencies = {"MAC_LATENCY": 4, "ACCUMULATE_LATENCY": 1}
        registers = {"GROUP": group, "DATA_BITS": width, "TURNS": depth, "WORDS": depth}
        yield ("processing_element", group, "", width, depth), registers | latencies


def main() -> None:
    """Write the table, a row as soon as it is there."""
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="", buffering=1) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*KEYS, *COUNTS, "tool", "design_sha256"))
        for key, parameters in designs():
            found = cells(str(key[0]), parameters)
            writer.writerow((*key, *(getattr(found, each) for each in COUNTS), found.tool, design_sha256()))


if __name__ == "__main__":
    main()
