"""Runs killed at random moments and gone on with: the same tables, rows and weights, to the byte.

python -m tests.hostile.kills --kills 20 --seed 1

The moments are drawn over the time that a whole run takes. A run that comes to its end before it is killed is checked,
and the next one begins in an empty folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .corpus import make_corpus
from .running import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A command that goes on where it was.

    Attributes:
        name: as the table calls it.
        folder: of the corpus.
        words: of the command line.
        resume: what it needs beside them to go on.
        out: its directory.
        same: files of it that must be the same to the byte.
    """

    name: str
    folder: str
    words: Sequence[str]
    resume: Sequence[str]
    out: str
    same: Sequence[str]


COMMANDS = (
    Going(
        name="explore",
        folder="plain",
        words=["explore", "sweep.yaml", "--jobs", "1", "--out", "study"],
        resume=("--resume",),
        out="study",
        same=("designs.csv", "designs.parquet"),
    ),
    Going(
        name="train",
        folder="torch",
        words=["train", "--model", "mlp", "--data", "digits", "--epochs", "6", "--recipe", "bdwp", "--out", "run"],
        resume=(),
        out="run",
        same=("log.csv", "densities.csv", "graph.json", "weights.pt"),
    ),
)


def _started(words: Sequence[str], folder: Path) -> int:
    """A process that runs a command line; it has all that this one has imported."""
    child = os.fork()
    if child == 0:
        outcome = run(words, folder, seconds=300.0)
        os._exit(outcome.code if outcome.code is not None else 99)
    return child


def _ended(child: int, within: float) -> int | None:
    """The exit code of a process, or None where it had to be killed."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def check(going: Going, corpus: Path, work: Path, *, kills: int, draw: Random) -> tuple[int, int, list[str]]:
    """Kill a command so often; how many runs were ended after kills, and what of them differs."""
    shutil.copytree(corpus / going.folder, work)
    # Twice: the first one imports.
    for _ in range(2):
        shutil.rmtree(work / going.out, ignore_errors=True)
        began = time.monotonic()
        assert run(going.words, work, seconds=300.0).code == 0
        whole_seconds = time.monotonic() - began
    whole = {name: (work / going.out / name).read_bytes() for name in going.same}
    killed, ended, faults = 0, 0, []
    while killed < kills:
        shutil.rmtree(work / going.out, ignore_errors=True)
        kills_of_this = 0
        while True:
            words = [*going.words, *(going.resume if (work / going.out / "study.sqlite").exists() else ())]
            last = killed >= kills or kills_of_this >= 5
            code = _ended(_started(words, work), 300.0 if last else draw.uniform(0.0, whole_seconds))
            if code is not None:
                break
            killed, kills_of_this = killed + 1, kills_of_this + 1
        ended += 1
        if code != 0:
            faults.append(f"after {kills_of_this} kills: exit code {code}")
        for name, content in whole.items():
            there = work / going.out / name
            if not there.exists() or there.read_bytes() != content:
                faults.append(f"after {kills_of_this} kills: {name} differs")
    return killed, ended, faults


def main() -> int:
    """Check every command; 1 when one is at fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.kills", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/hostile"), help="keeps whole files")
    asked = parser.parse_args()
    corpus = (asked.work / "corpus").resolve()
    make_corpus(corpus, with_torch=True)
    failed = False
    print("| command | kills | runs ended after them | faults |\n|---|--:|--:|--:|")
    for going in COMMANDS:
        with tempfile.TemporaryDirectory(prefix="hostile-") as made:
            killed, ended, faults = check(
                going, corpus, Path(made) / "work", kills=asked.kills, draw=Random(f"{asked.seed}:{going.name}")
            )
        print(f"| {going.name} | {killed} | {ended} | {len(faults)} |", flush=True)
        print("\n".join(faults), file=sys.stderr)
        failed = failed or bool(faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
