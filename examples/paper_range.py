"""How far BDWP's answer at 2:8 on the paper's five networks moves within what the design's assumptions leave open.

    python examples/paper_range.py [--sparsity 2:8]

Prints the Markdown tables of docs/validation.md: the interval of each network and what moves it most; how many of the
assumed parameters matter; what saves the energy, and the watts; and the average speedup over the five as the processing
elements to a vector lane go from 16x16 to 64x64 over 32 lanes. Takes some minutes.
"""

from __future__ import annotations

import argparse
from statistics import mean

from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.sim.results.simulation_result import SimulationResult
from paper_networks import NETWORKS

import bisparse

DESIGN = "sat-vcu1525"
SIDES = (16, 32, 64)
PORTS = {"west.port_bytes_per_cycle": 8, "north.port_bytes_per_cycle": 4, "output.port_bytes_per_cycle": 4}
"""Bytes a cycle to a row or column, as the design has them: a larger array is not judged by a small one's ports."""


SAVED = {
    "static time": ("static",),
    "fewer MACs": ("multiply", "accumulate", "selection", "registers", "links"),
    "less traffic": ("west buffer", "north buffer", "output buffer", "DRAM"),
    "all else": ("vector", "reduction", "update"),
}
"""What saves energy, and the components of energy that it is in; all else is more where masks are made."""


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparsity", default="2:8")
    sparsity = parser.parse_args().sparsity
    print("| network | speedup | interval | energy ratio | interval | what moves the speedup most |")
    print("|---|---|---|---|---|---|")
    results = []
    for network in NETWORKS:
        result = bisparse.simulate(network, DESIGN, "bdwp", sparsity, with_range=True)
        found = result.range
        assert found is not None, "it was asked for"
        movers = ", ".join(f"`{swing.parameter.partition('.')[2]}`" for swing in found.swings[:3])
        print(
            f"| {network} | {result.speedup_vs_dense:.2f} | {found.speedup.low:.2f} to {found.speedup.high:.2f} "
            f"| {result.energy_ratio_vs_dense:.2f} | {found.energy_ratio.low:.2f} to {found.energy_ratio.high:.2f} "
            f"| {movers} |",
            flush=True,
        )
        results.append(result)
    print_matter(results)
    print_energy(results)
    print("\n| array, 32 vector lanes | average speedup |\n|---|---|")
    for side in SIDES:
        words = [f"tensor_engine.rows={side}", f"tensor_engine.cols={side}"]
        words += [f"buffers.{name}={side * each}" for name, each in PORTS.items()]
        design = set_fields(load_hardware(DESIGN), words)
        average = mean(bisparse.simulate(network, design, "bdwp", sparsity).speedup_vs_dense for network in NETWORKS)
        print(f"| {side}x{side} | {average:.3f} |")


def print_matter(results: list[SimulationResult]) -> None:
    """How many of the parameters that are varied matter, to any of the networks."""
    print("\n| moved by 1% or more | of | parameters |\n|---|---|---|")
    moved: dict[str, set[str]] = {}
    of = 0
    for words, figure, name in (
        ("a speedup", "speedups", "speedup_vs_dense"),
        ("an energy ratio", "energy_ratios", "energy_ratio_vs_dense"),
    ):
        moved[words] = set()
        for result in results:
            assert result.range is not None, "it was asked for"
            of = len(result.range.swings)
            moved[words] |= {each.parameter for each in result.range.matter(figure, getattr(result, name))}
        named = ", ".join(f"`{each.partition('.')[2]}`" for each in sorted(moved[words]))
        print(f"| {words} | {len(moved[words])} of {of} | {named} |")
    either = set.union(*moved.values())
    print(f"| neither | {of - len(either)} of {of} | |")


def print_energy(results: list[SimulationResult]) -> None:
    """What saves the energy, in percent of the dense step's, and the mean power of both steps."""
    print(f"\n| network | energy ratio | {' | '.join(SAVED)} | dense | within | BDWP | within |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for result in results:
        dense, found = result.dense, result.range
        assert found is not None, "it was asked for"
        saved = {
            words: sum(dense.energy_by_component[each] - result.energy_by_component[each] for each in components)
            for words, components in SAVED.items()
        }
        parts = " | ".join(f"{100 * joules / dense.energy_joules:.1f}%" for joules in saved.values())
        watts = [
            f"{step.energy_joules / step.step_seconds:.1f} W | {within.low:.1f} to {within.high:.1f} W"
            for step, within in ((dense, found.beside["dense.watts"]), (result, found.beside["watts"]))
        ]
        name = result.inputs["workload"].name
        print(f"| {name} | {result.energy_ratio_vs_dense:.3f} | {parts} | {' | '.join(watts)} |")


if __name__ == "__main__":
    main()
