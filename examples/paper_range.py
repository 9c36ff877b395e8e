"""How far BDWP's speedup at 2:8 on the paper's five networks moves within what the design's assumptions leave open.

    python examples/paper_range.py [--sparsity 2:8]

Prints the Markdown tables of docs/validation.md: the interval of each network, what moves it most, and the average over
the five as the processing elements to a vector lane go from 16x16 to 64x64 over 32 lanes. Takes some minutes.
"""

from __future__ import annotations

import argparse
from statistics import mean

from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from paper_networks import NETWORKS

import bisparse

DESIGN = "sat-vcu1525"
SIDES = (16, 32, 64)
PORTS = {"west.port_bytes_per_cycle": 8, "north.port_bytes_per_cycle": 4, "output.port_bytes_per_cycle": 4}
"""Bytes a cycle to a row or column, as the design has them: a larger array is not judged by a small one's ports."""


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparsity", default="2:8")
    sparsity = parser.parse_args().sparsity
    print("| network | speedup | interval | energy ratio | interval | what moves the speedup most |")
    print("|---|---|---|---|---|---|")
    for network in NETWORKS:
        result = bisparse.simulate(network, DESIGN, "bdwp", sparsity, with_range=True)
        found = result.range
        assert found is not None, "it was asked for"
        movers = ", ".join(f"`{swing.parameter.partition('.')[2]}`" for swing in found.swings[:3])
        print(
            f"| {network} | {result.speedup_vs_dense:.2f} | {found.speedup.low:.2f} to {found.speedup.high:.2f} "
            f"| {result.energy_ratio_vs_dense:.2f} | {found.energy_ratio.low:.2f} to {found.energy_ratio.high:.2f} "
            f"| {movers} |"
        )
    print("\n| array, 32 vector lanes | average speedup |\n|---|---|")
    for side in SIDES:
        words = [f"tensor_engine.rows={side}", f"tensor_engine.cols={side}"]
        words += [f"buffers.{name}={side * each}" for name, each in PORTS.items()]
        design = set_fields(load_hardware(DESIGN), words)
        average = mean(bisparse.simulate(network, design, "bdwp", sparsity).speedup_vs_dense for network in NETWORKS)
        print(f"| {side}x{side} | {average:.3f} |")


if __name__ == "__main__":
    main()
