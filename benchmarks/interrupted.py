"""A study killed again and again without warning and resumed, against one that was not: the same table, row for row.

The study is that of space.yaml on ResNet-9: 28,431 training steps. ``bisparse explore`` runs once
to its end; then again in another directory, where the process is killed with SIGKILL at random moments (its workers
have to notice by themselves), started again with ``--resume`` each time, and left to end after the last. Compared
byte by byte: ``designs.csv``, ``designs.parquet`` and every row of both stores. Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from bisparse.configs.strict_yaml import parse
from measuring import BenchmarkError, markdown_table, provenance, three_digits

import bisparse

HERE = Path(__file__).parent
RESULT = HERE / "results" / "interrupted.md"
SOONEST, LATEST = 1.0, 16.0
"""Seconds after which a run is killed, at random in between: before its first row, and while it writes."""


def main() -> int:
    """Interrupt as often as the command line asks; give the exit code."""
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            return _compare(folder, options.times, options.seed)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, metavar="N", help="interruptions (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    return parser.parse_args()


def _compare(folder: Path, times: int, seed: int) -> int:
    sweep = dict(parse(HERE / "space.yaml").data)
    sweep["base"]["workload"] = "resnet9-cifar10"
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep, sort_keys=False), encoding="utf-8")
    start = time.perf_counter()
    _finish(_start(folder, "whole"))
    uninterrupted = time.perf_counter() - start
    draw, rows, lives = random.Random(seed), [0], []
    start = time.perf_counter()
    while len(lives) < times:
        process, moment = _start(folder, "cut"), draw.uniform(SOONEST, LATEST)
        try:
            process.wait(timeout=moment)
            print(f"it ended by itself after {len(lives)} interruptions", file=sys.stderr)
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        rows.append(_count(folder / "cut" / "study.sqlite"))
        lives.append(moment)
        print(f"killed after {moment:.2f} s: {rows[-1]:,} rows", file=sys.stderr)
    _finish(_start(folder, "cut"))
    interrupted = time.perf_counter() - start
    same = {
        name: (folder / "cut" / name).read_bytes() == (folder / "whole" / name).read_bytes()
        for name in ("designs.csv", "designs.parquet")
    }
    same["rows of study.sqlite"] = _rows(folder / "cut") == _rows(folder / "whole")
    same["no row written was lost"] = rows == sorted(rows)
    total = _count(folder / "cut" / "study.sqlite")
    text = _report(lives, rows, same, total, uninterrupted, interrupted)
    print(text)
    if len(lives) == times:
        RESULT.write_text(text + "\n", encoding="utf-8")
    return 0 if all(same.values()) else 1


def _start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    program = shutil.which("bisparse") or str(Path(sys.executable).with_name("bisparse"))
    return subprocess.Popen(
        [program, "explore", "sweep.yaml", "--out", name, "--resume"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        raise BenchmarkError(f"bisparse explore: exit code {process.returncode}")


def _count(store: Path) -> int:
    if not store.exists():
        return 0
    with sqlite3.connect(store) as database:
        try:
            return int(database.execute("SELECT count(*) FROM run").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def _rows(study: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(study / "study.sqlite") as database:
        return database.execute("SELECT * FROM run ORDER BY key").fetchall()


def _report(
    lives: list[float], rows: list[int], same: dict[str, bool], total: int, uninterrupted: float, interrupted: float
) -> str:
    table = [
        [str(number), f"{moment:.2f}", f"{after:,}", f"{after - before:,}"]
        for number, (moment, before, after) in enumerate(zip(lives, rows, rows[1:], strict=False), start=1)
    ]
    return "\n\n".join(
        [
            "# A study interrupted and resumed",
            provenance({"bisparse": bisparse.__version__}),
            f"{total:,} designs. Uninterrupted {three_digits(uninterrupted)} s; killed {len(lives)} times "
            f"and resumed {three_digits(interrupted)} s, the reports of both included.",
            markdown_table(["the same", ""], [[name, "yes" if each else "NO"] for name, each in same.items()]),
            markdown_table(["interruption", "after s", "rows kept", "of them new"], table),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
