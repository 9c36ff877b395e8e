"""The analytic and the event engine on every shipped workload and design: the agreement table of docs/validation.md.

    python examples/engines.py [--hardware NAME,...] [--workload NAME,...]

For each design and ratio: cases, how far apart the steps are, and the operator that is furthest apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import median

from bisparse.accel.specification import load_hardware
from bisparse.configs import library
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.witness.engines_compared import Comparison, compare_engines
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

RECIPES = ("sr-ste", "sdgp", "bdwp")
RATIOS = ("2:4", "2:8")


def compared(design: str, workload: str) -> Iterator[tuple[str, Comparison]]:
    """Every recipe and ratio that a design has, on one workload; dense comes first."""
    hardware = load_hardware(design)
    simulator = Simulator(workload=load_workload(workload), hardware=hardware, options=Options(), version="")
    ratios = [ratio for ratio in RATIOS if hardware.model.tensor_engine.supports(Pattern.parse(ratio))]
    for recipe, ratio in [("dense", "dense"), *((recipe, ratio) for ratio in ratios for recipe in RECIPES)]:
        pattern = Pattern(1, 1) if ratio == "dense" else Pattern.parse(ratio)
        yield ratio, compare_engines(simulator.schedule(load_recipe(recipe), pattern))


def rows(design: str, workloads: list[str]) -> Iterator[str]:
    """A Markdown row for each ratio of a design."""
    by_ratio: dict[str, list[tuple[str, Comparison]]] = {}
    for workload in workloads:
        for ratio, found in compared(design, workload):
            by_ratio.setdefault(ratio, []).append((workload, found))
    for ratio, cases in by_ratio.items():
        shares = [found.step_share for _, found in cases]
        workload, worst = max(cases, key=lambda case: case[1].worst_share)
        operator = f"{workload} `{worst.worst_operator}`" if worst.worst_operator else "none"
        update = max(found.worst_update_cycles for _, found in cases)
        roofline = "none" if all(found.above_roofline for _, found in cases) else "SOME"
        yield (
            f"| {design} | {ratio} | {len(cases)} | {100 * median(shares):.4f}% | {100 * max(shares):.4f}% "
            f"| {100 * worst.worst_share:.4f}% | {operator} | {update} | {roofline} |"
        )


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hardware", default=",".join(library.names("hardware")))
    parser.add_argument("--workload", default=",".join(library.names("workloads")))
    arguments = parser.parse_args()
    headings = ("design", "N:M", "steps", "median difference", "largest", "worst operator's", "which")
    headings += ("worst update's, cycles", "below the roofline")
    print(f"| {' | '.join(headings)} |\n{'|---' * len(headings)}|")
    for design in arguments.hardware.split(","):
        for line in rows(design, arguments.workload.split(",")):
            print(line, flush=True)


if __name__ == "__main__":
    main()
