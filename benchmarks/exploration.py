"""Designs a second of ``bisparse explore``, and beside it what SCALE-Sim and ZigZag take for one design.

A design of bisparse here is a full training step: forward, backward, weight gradients and updates, once dense and once
under BDWP, every product's mapping searched as ``simulate`` searches it, time, traffic and energy. Stored and judged as
``bisparse explore`` does it, on all cores. Measured around the designs of space.yaml, in four spaces:

- *study*: all 9,477 designs of it with the whole array, its ratios and reduction lanes included: a study as it comes,
  in which many designs share their mappings.
- *grid*: all 3,159 arrays, buffers and memories of it at 2:8, in its order. Neighbours share one or the other,
  and what they share is searched once, which is what an exhaustive study meets.
- *sobol*: designs of the same axes from all over the space: less is shared.
- *apart*: no two designs have an array or a memory bandwidth in common: nothing is shared.

Some of the designs are simulated alone as well, and must have the same figures: exit code 1 if any differs.

The peers do less for a design: SCALE-Sim 3.0.0 counts the forward products of the same network at batch 1 in one
dataflow with no search (its time is that of its distinct products, times their occurrences); ZigZag maps the forward
convolutions of its own ResNet-18 (224x224 images) on its own 32x32 design at batch 1. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import scalesim_peer
import zigzag_peer
from bisparse.configs.strict_yaml import parse
from bisparse.sim.studies.explore.loading import space_of_data
from bisparse.sim.studies.explore.one_by_one import simulate_point
from bisparse.sim.studies.explore.running import run
from measuring import BenchmarkError, markdown_table, provenance, run_measured, three_digits

import bisparse

HERE = Path(__file__).parent
RESULT, PEERS = HERE / "results" / "exploration.md", HERE / "results" / "exploration-peers.md"
NETWORKS = ("resnet18-tinyimagenet", "resnet50-imagenet")
SPREAD, APART = 1024, 512
"""Designs of the spaces that have no end."""

ALONE = 4
"""Designs of each kind simulated alone and compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a space was explored.

    Attributes:
        network: what was trained.
        kind: of space.
        designs: evaluated.
        seconds: for all.
        alone_seconds: for one, simulated alone.
    """

    network: str
    kind: str
    designs: int
    seconds: float
    alone_seconds: float


def main() -> int:
    """Measure what the command line asks for; give the exit code."""
    options = _options()
    try:
        if options.setup:
            _set_up()
        if options.peers:
            return _write(PEERS, _peers_report([_scalesim(), _zigzag()]))
        paces = [_pace(network, kind) for network in NETWORKS for kind in ("study", "grid", "sobol", "apart")]
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    except DifferentError as error:
        print(error, file=sys.stderr)
        return 1
    return _write(RESULT, _report(paces))


def _write(result: Path, text: str) -> int:
    print(text)
    result.write_text(text + "\n", encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="first make the peers' environments with pip")
    parser.add_argument("--peers", action="store_true", help="measure the peers, and not bisparse")
    return parser.parse_args()


# bisparse -------------------------------------------------------------------------------------------------------------


def _sweep(network: str, kind: str) -> dict[str, Any]:
    sweep: dict[str, Any] = dict(parse(HERE / "space.yaml").data)
    sweep["base"]["workload"] = network
    if kind == "study":
        sweep["axes"]["pe_budget"] = [1024]
        return sweep
    del sweep["axes"]["sparsity"], sweep["axes"]["hardware.reduction_engine.lanes"]
    if kind == "sobol":
        sweep["strategy"] = {"name": "sobol", "points": SPREAD}
    if kind == "apart":
        sweep["axes"] = {"number": {"from": 0, "to": APART - 1, "step": 1}}
        sweep["derived"] |= {
            # 89 and 83 have no common factor: no pair comes back before 7,387 designs.
            "hardware.tensor_engine.rows": "8 + number * 37 % 89",
            "hardware.tensor_engine.cols": "8 + number * 53 % 83",
            "hardware.dram.channel_bytes_per_second": "(10 + number / 100) * GB",
            "hardware.buffers.west.capacity_bytes": "(32 + number % 97) * KiB * hardware.tensor_engine.rows",
            "hardware.buffers.north.capacity_bytes": "(32 + number % 61) * KiB * hardware.tensor_engine.cols",
            "hardware.buffers.output.capacity_bytes": "(64 + number % 89) * KiB * hardware.tensor_engine.cols",
        }
    return sweep


def _pace(network: str, kind: str) -> Pace:
    """Explore one space; check some of its designs against ``simulate``."""
    print(f"{network}, {kind} ...", file=sys.stderr)
    version = bisparse.__version__
    space = space_of_data(_sweep(network, kind), version=version)
    start = time.perf_counter()
    study = run(space, None, version=version)
    seconds = time.perf_counter() - start
    table = study.table[study.table["feasible"].astype(bool)]
    axes = [axis.name for axis in space.axes]
    points = [
        ({name: row[name] for name in axes}, dict(row)) for _, row in table.sample(ALONE, random_state=0).iterrows()
    ]
    start = time.perf_counter()
    outcomes = [simulate_point(space.point(settings), version) for settings, _ in points]
    alone_seconds = (time.perf_counter() - start) / ALONE
    for outcome, (settings, row) in zip(outcomes, points, strict=True):
        figures = outcome.figures or {}
        different = [name for name, value in figures.items() if row[name] != value]
        if different or not figures:
            raise DifferentError(f"{network}, {kind}, {settings}: {', '.join(different)} differ from simulate's")
    return Pace(network=network, kind=kind, designs=len(study.table), seconds=seconds, alone_seconds=alone_seconds)


class DifferentError(Exception):
    """Figures are not those of ``simulate``."""


# Peers ---------------------------------------------------------------------------------------------------------------


def _set_up() -> None:
    scalesim_peer.set_up()
    zigzag_peer.set_up()


def _scalesim() -> tuple[str, str, float]:
    """What SCALE-Sim takes for the network's forward products."""
    _, output = run_measured([sys.executable, HERE / "bisparse_driver.py", "list"])
    sizes = [(given["m"], given["n"], given["k"]) for given in json.loads(output)["products"]]
    distinct = list(dict.fromkeys(sizes))
    peer = scalesim_peer.run(distinct, rows=32, cols=32, dataflow="os")
    seconds = sum(
        product.cost.wall_seconds * sizes.count(size) for size, product in zip(distinct, peer.products, strict=True)
    )
    return f"SCALE-Sim {peer.versions['SCALE-Sim']}", f"{len(sizes)} forward products, batch 1, no search", seconds


def _zigzag() -> tuple[str, str, float]:
    """What ZigZag takes for its ResNet-18."""
    zigzag_peer.check()
    python = scalesim_peer.python_of(zigzag_peer.ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        _, output = run_measured([python, HERE / "zigzag_driver.py", folder], timeout_seconds=1800)
    found = json.loads(output.splitlines()[-1])
    return f"ZigZag {found['version']}", "forward convolutions, batch 1, mapping searched", found["wall_seconds"]


# The report -----------------------------------------------------------------------------------------------------------


def _report(paces: Sequence[Pace]) -> str:
    own = [
        [
            pace.network,
            pace.kind,
            f"{pace.designs:,}",
            three_digits(pace.seconds),
            three_digits(pace.designs / pace.seconds),
            three_digits(pace.alone_seconds * pace.designs / pace.seconds),
        ]
        for pace in paces
    ]
    return "\n\n".join(
        [
            "# Designs a second",
            provenance({"bisparse": bisparse.__version__, "numpy": numpy.__version__}),
            f"`bisparse explore` on {os.cpu_count()} cores. A design is a training step, dense and BDWP, every mapping "
            "searched. The ratio is over `simulate` called for one design after another in one process. What the "
            "spaces are is told in benchmarks/README.md.",
            markdown_table(
                ["network", "space", "designs", "seconds", "designs a second", "over one by one"], own, left_columns=2
            ),
        ]
    )


def _peers_report(peers: Sequence[tuple[str, str, float]]) -> str:
    return "\n\n".join(
        [
            "# One design of ResNet-18, by peers",
            provenance({name.split()[0]: name.split()[1] for name, _, _ in peers}),
            "On one core each. What is done for a design is less than bisparse does, and told in benchmarks/README.md.",
            markdown_table(
                ["", "what it does", "seconds a design"],
                [[name, what, three_digits(seconds)] for name, what, seconds in peers],
                left_columns=2,
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
