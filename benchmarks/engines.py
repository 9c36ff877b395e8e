"""What playing events costs: the event engine against the closed forms, and against itself without fast-forward.

One schedule of each network, made once; each engine then runs it, the fastest of a few runs. Whole processes of the
commands that use the event engine follow, with their peak memory. Nothing is asserted about time; steps must agree.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.schedule import Schedule
from bisparse.sim.event.engine import time_step as play
from bisparse.sim.event.machine import Play
from bisparse.sim.event.recorder import Recorder
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.step.analytic import time_step
from bisparse.sim.step.step_time import StepTime
from bisparse.training.recipes.declaration import load_recipe
from measuring import BenchmarkError, markdown_table, provenance, run_measured, three_digits

from bisparse.api import load_workload

RESULT = Path(__file__).parent / "results" / "engines.md"
COMMANDS = (
    "simulate resnet50-imagenet",
    "simulate resnet50-imagenet --engine event",
    "simulate resnet50-imagenet --engine event --out run",
)


def main() -> int:
    """Time both engines; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default="resnet18-tinyimagenet,resnet50-imagenet,bert-base,vit-cifar10")
    parser.add_argument("--hardware", default="sat-vcu1525,edge-16x16")
    arguments = parser.parse_args()
    try:
        # First, for a process starts at the peak memory of the one that started it.
        processes = [_process(line) for line in COMMANDS]
        rows = [
            _engines(design, workload)
            for design in arguments.hardware.split(",")
            for workload in arguments.workloads.split(",")
        ]
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    header = ["step", "tiles", "closed form s", "events s", "with timeline s", "every tile s", "events / closed form"]
    header += ["every tile / events", "steps differ"]
    versions = {name: importlib.metadata.version(name) for name in ("bisparse", "numpy", "simpy")}
    text = "\n\n".join(
        [
            "# Engines",
            provenance(versions),
            "BDWP 2:8, each workload at its own batch; one step, its schedule made before; in process.",
            markdown_table(header, rows),
            "Whole processes, the dense step included:",
            markdown_table(["command", "wall s", "CPU s", "peak MB"], processes),
        ]
    )
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")
    return 0


def _process(line: str) -> list[str]:
    with tempfile.TemporaryDirectory() as temporary:
        cost, _ = run_measured([sys.executable, "-m", "bisparse", *line.split()], folder=Path(temporary))
    return [f"`bisparse {line}`", *map(three_digits, (cost.wall_seconds, cost.cpu_seconds, cost.peak_bytes / 1e6))]


def _engines(design: str, workload: str) -> list[str]:
    simulator = Simulator(
        workload=load_workload(workload), hardware=load_hardware(design), options=Options(), version="benchmark"
    )
    schedule = simulator.schedule(load_recipe("bdwp"), Pattern(2, 8))
    closed, closed_seconds = _fastest(lambda: time_step(schedule), 3)
    events, event_seconds = _fastest(lambda: play(schedule), 3)
    _, recorded_seconds = _fastest(lambda: play(schedule, recorder=Recorder()), 1)
    every, every_seconds = _fastest(lambda: play(schedule, play=Play(fast_forward=False)), 1)
    if every != events:
        raise BenchmarkError(f"{design}, {workload}: fast-forward changes the step")
    apart = abs(events.total_cycles - closed.total_cycles) / closed.total_cycles
    seconds = (closed_seconds, event_seconds, recorded_seconds, every_seconds)
    ratios = (event_seconds / closed_seconds, every_seconds / event_seconds)
    name = f"{workload}, {schedule.batch}, {design}"
    return [name, f"{_tiles(schedule):,}", *map(three_digits, (*seconds, *ratios)), f"{apart:.5%}"]


def _tiles(schedule: Schedule) -> int:
    def along(extent: int, tile: int) -> int:
        return -(-extent // tile)

    return sum(
        planned.gemm.count
        * along(planned.gemm.m, planned.mapping.tile_m)
        * along(planned.gemm.n, planned.mapping.tile_n)
        * along(planned.gemm.k, planned.mapping.tile_k)
        for planned in schedule.products
    )


def _fastest(run: Callable[[], StepTime], times: int) -> tuple[StepTime, float]:
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        step = run()
        best = min(best, time.perf_counter() - started)
    return step, best


if __name__ == "__main__":
    sys.exit(main())
