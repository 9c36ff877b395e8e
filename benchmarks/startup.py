"""Whole-process time and peak memory of the commands that a user waits for. Nothing is asserted about time.

Every run is a new process in an empty folder with an empty cache of captured graphs; Python's own bytecode is there, as
after an installation. The median of five runs; one run before them, not counted, writes the bytecode.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
from pathlib import Path

from measuring import BenchmarkError, Cost, markdown_table, provenance, run_measured, three_digits

RESULT = Path(__file__).parent / "results" / "startup.md"
COMMANDS = (
    "--help",
    "simulate resnet50-imagenet",
    "compare resnet18-tinyimagenet --recipes dense,sr-ste,sdgp,sdwp,bdwp --sparsity 2:8",
)


def main() -> int:
    """Time every command; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="processes a command (default: %(default)s)")
    runs = parser.parse_args().runs
    if runs < 1:
        parser.error(f"argument --runs: got {runs}, need at least 1")
    commands = {"`python -c pass`": [sys.executable, "-c", "pass"]}
    commands |= {f"`bisparse {line}`": [sys.executable, "-m", "bisparse", *line.split()] for line in COMMANDS}
    try:
        costs = {name: _median(command, runs) for name, command in commands.items()}
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    bare = next(iter(costs.values()))
    rows = [_row(name, cost, bare) for name, cost in costs.items()]
    header = ["command", "wall s", "CPU s", "peak MB", "CPU times bare Python's"]
    versions = {name: importlib.metadata.version(name) for name in ("bisparse", "numpy")}
    text = "\n\n".join(
        ["# Start-up", provenance(versions), markdown_table(header, rows), f"Whole processes, medians of {runs}."]
    )
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")
    return 0


def _row(name: str, cost: Cost, bare: Cost) -> list[str]:
    figures = (cost.wall_seconds, cost.cpu_seconds, cost.peak_bytes / 1e6, cost.cpu_seconds / bare.cpu_seconds)
    return [name, *map(three_digits, figures)]


def _median(command: list[str], runs: int) -> Cost:
    costs = []
    for _ in range(runs + 1):
        with tempfile.TemporaryDirectory() as temporary:
            cost, _ = run_measured(
                command,
                folder=Path(temporary),
                environment={"BISPARSE_CACHE": f"{temporary}/cache"},
                timeout_seconds=120,
            )
        costs.append(cost)
    return Cost.median(costs[1:])


if __name__ == "__main__":
    sys.exit(main())
