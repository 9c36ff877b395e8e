"""The tables of docs/accuracy.md, out of the codesign.csv of each study.

python examples/accuracy/tables.py docs/accuracy/*.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

HEADER = "| point | seeds | test accuracy, % | against dense, points | the interval says | test loss | time | energy |"
RULE = "|---|--:|--:|--:|---|--:|--:|--:|"


def main() -> None:
    """Print a table for each file that is named."""
    for name in sys.argv[1:]:
        print(f"{Path(name).stem}\n\n{HEADER}\n{RULE}")
        with Path(name).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                print(line(row))
        print()


def line(row: dict[str, str]) -> str:
    """One point as a row of the table."""
    cells = [
        row["point"],
        row["seeds"],
        f"{100 * float(row['accuracy_mean']):.2f}",
        _difference(row),
        row["verdict"],
        f"{float(row['loss_mean']):.3f}",
        f"{1 / float(row['speedup_vs_dense']):.2f}",
        f"{float(row['energy_ratio_vs_dense']):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _difference(row: dict[str, str]) -> str:
    if not row["accuracy_difference_half_width"]:
        return ""
    mean, half = (100 * float(row[f"accuracy_difference_{name}"]) for name in ("mean", "half_width"))
    return f"{mean:+.2f} ± {half:.2f}".replace("-", "−")


if __name__ == "__main__":
    main()
