"""What each optimisation of SAT buys: on every shipped workload, at small batches, on other designs.

Prints the Markdown tables of docs/ablation.md. Takes half a minute.

    python examples/ablate_networks.py                      # all three tables
    python examples/ablate_networks.py resnet9-cifar10 1    # one row
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from bisparse.configs.library import names

import bisparse

HEADINGS = (
    "workload, batch",
    "all on",
    "interleave",
    "dataflow choice, against OS",
    "against WS",
    "pre-generation",
    "update overlap",
    "BDWP over dense, all off",
    "all on",
)
SMALL = ("resnet9-cifar10", "vgg19-cifar100", "resnet50-imagenet", "bert-base")
SMALL_BATCHES = (1, 16)
OTHER_DESIGNS = ("edge-16x16", "datacenter-128x128")


def cells(workload: str, batch: int | None, hardware: str) -> list[str]:
    """A row: speedup of all on over all off with OS only, then each gain, the others off / the others on."""
    ablation = bisparse.ablate(workload, hardware=hardware, batch=batch)

    def gain(switch: str, against: str = "") -> str:
        (alone,) = ablation.of("alone", switch)
        last = next(row for row in ablation.of("all but", switch) if against in ("", *row.setting.dataflows))
        first = alone.gain
        if against and against != ablation.base_dataflow:
            (before,) = (row for row in ablation.of("all off") if row.setting.dataflows == (against,))
            first = before.speedup and alone.speedup and alone.speedup / before.speedup
        return " / ".join("–" if each is None else f"{each:.3f}" for each in (first, last.gain))

    base, on = ablation.base.figures, ablation.all_on.figures
    return [
        f"{workload}, {ablation.batch}",
        f"{ablation.all_on.speedup:.2f}",
        gain("interleave"),
        gain("dataflow_choice", "os"),
        gain("dataflow_choice", "ws"),
        gain("pre_generation"),
        gain("overlap_update"),
        f"{base.speedup_vs_dense:.2f}",
        f"{on.speedup_vs_dense:.2f}",
    ]


def table(rows: Iterable[list[str]]) -> None:
    """Print a Markdown table."""
    print(f"| {' | '.join(HEADINGS)} |")
    print("|---" * len(HEADINGS) + "|")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Print the table of one workload, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="?")
    parser.add_argument("batch", nargs="?", type=int)
    parser.add_argument("--hardware", default="sat-vcu1525")
    asked = parser.parse_args()
    if asked.workload:
        table([cells(asked.workload, asked.batch, asked.hardware)])
        return
    table(cells(workload, None, asked.hardware) for workload in names("workloads"))
    print()
    table(cells(workload, batch, asked.hardware) for batch in SMALL_BATCHES for workload in SMALL)
    print()
    table(cells("resnet18-tinyimagenet", None, design) for design in OTHER_DESIGNS)


if __name__ == "__main__":
    main()
