"""Predicted throughput and efficiency of SAT beside training accelerators as they were published.

python examples/beside_accelerators.py

Published cells are printed as they stand in their source: another network, precision, process and way to count each.
Nothing is brought to a common footing; a row says what it is, not who is better.
"""

from __future__ import annotations

import csv

from bisparse.configs import library
from bisparse.reports.run.throughput import Throughput, dense_throughput, throughput

import bisparse

WORKLOADS = ("resnet9-cifar10", "resnet18-tinyimagenet", "vit-cifar10")


def main() -> None:
    """Print the table."""
    print("| design | platform | precision | work | throughput | efficiency | seen in | source |")
    print("|---|---|---|---|--:|--:|---|---|")
    for workload in WORKLOADS:
        result = bisparse.simulate(workload, hardware="sat-vcu1525", recipe="bdwp", sparsity="2:8")
        for name, of, counted in (
            ("dense", dense_throughput(result), "kept"),
            ("BDWP 2:8", throughput(result), "effective"),
        ):
            print(f"| {' | '.join(predicted(workload, name, of, counted))} |")
    with library.find("peers", "training-accelerators").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            print(f"| {' | '.join(published(row))} |")


def predicted(workload: str, name: str, of: Throughput, counted: str) -> list[str]:
    """A row of ours."""
    return [
        f"SAT, {name} (predicted)",
        "sat-vcu1525, 200 MHz (assumed)",
        "FP16, sums FP32",
        workload,
        f"{of.effective_per_second / 1e9:.0f} GFLOPS {counted}",
        f"{of.effective_per_joule / 1e9:.0f} GFLOPS/W at {of.watts:.1f} W",
        "",
        "this simulator",
    ]


def published(row: dict[str, str]) -> list[str]:
    """A row of the file."""
    return [
        f"{row['design']} {row['year']}".strip(),
        row["platform"],
        row["precision"],
        row["work"],
        f"{row['throughput']} {row['throughput_unit']}".strip(),
        f"{row['efficiency']} {row['efficiency_unit']}".strip(),
        row["seen"],
        row["source"],
    ]


if __name__ == "__main__":
    main()
