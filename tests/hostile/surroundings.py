"""The same results wherever a command runs: hash seeds, time zones, languages, numbers of workers, Pythons.

python -m tests.hostile.surroundings
python -m tests.hostile.surroundings --no-torch --python .venv-3.13/bin/python    another Python, with the same packages
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from .corpus import make_corpus

VARIED: dict[str, tuple[str, ...]] = {
    "PYTHONHASHSEED": ("0", "1", "2", "3", "4"),
    "TZ": ("UTC", "Asia/Kolkata", "America/St_Johns"),
    "LC_ALL": ("C", "C.UTF-8"),
    "jobs": ("1", "2"),
}

_LOOSE = ("seconds", "started", "python", "torch", "elapsed")
"""Fields of documents that say when and how long, not what."""


def surroundings(pythons: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """The first of each, and each other one alone; this Python, and the others."""
    varied = {"python": (sys.executable, *pythons), **VARIED}
    usual = {name: values[0] for name, values in varied.items()}
    yield usual
    for name, values in varied.items():
        for value in values[1:]:
            yield usual | {name: value}


def results(corpus: Path, given: Mapping[str, str], *, with_training: bool) -> dict[str, str]:
    """Hashes of what commands make, in these surroundings."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as made:
        folder = Path(made) / "work"
        shutil.copytree(corpus / "plain", folder)
        shutil.rmtree(folder / "study")
        environment = os.environ | {name: value for name, value in given.items() if name not in ("jobs", "python")}

        def ran(words: str) -> bytes:
            command = [given["python"], "-m", "bisparse", *words.split()]
            return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True).stdout

        found = {
            "simulate --json": ran("simulate mlp.json --batch 8 --json"),
            "simulate --engine event --json": ran("simulate mlp.json --batch 8 --engine event --json"),
            "compare --json": ran("compare resnet9-cifar10 --batch 8 --json"),
            "ablate --json": ran("ablate mlp.json --batch 8 --json"),
            "gemm --json": ran("gemm 100x200x300 --sparsity 2:8 --json"),
            "gemm --from": ran("gemm --from products.csv"),
        }
        ran("simulate resnet9-cifar10 --batch 8 --training-steps 100 --out run")
        for name in ("result.json", "operators.csv", "report.html", "report.md"):
            found[f"simulate --out: {name}"] = (folder / "run" / name).read_bytes()
        ran(f"explore sweep.yaml --jobs {given['jobs']} --out study")
        for name in ("designs.csv", "report.html"):
            # The page tells the command that makes it again, with as many workers.
            content = (folder / "study" / name).read_bytes()
            found[f"explore: {name}"] = content.replace(f"--jobs {given['jobs']}".encode(), b"--jobs N")
        if with_training:
            ran("train --model mlp --data digits --epochs 1 --recipe bdwp --out trained")
            for name in ("weights.pt", "log.csv", "densities.csv", "graph.json"):
                found[f"train: {name}"] = (folder / "trained" / name).read_bytes()
            summary = json.loads((folder / "trained" / "summary.json").read_bytes())
            kept = {name: value for name, value in summary.items() if not any(each in name for each in _LOOSE)}
            found["train: summary.json"] = json.dumps(kept, sort_keys=True).encode()
    return {name: sha256(content).hexdigest() for name, content in found.items()}


def main() -> int:
    """Compare; 1 when something differs."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile.surroundings", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--work", type=Path, default=Path("runs/hostile"), help="keeps whole files")
    parser.add_argument("--no-torch", action="store_true", help="leave out training")
    parser.add_argument("--python", action="append", default=[], metavar="FILE", help="of another Python; repeatable")
    asked = parser.parse_args()
    corpus, failed = (asked.work / "corpus").resolve(), False
    make_corpus(corpus, with_torch=False)
    usual: dict[str, str] = {}
    for given in surroundings(asked.python):
        found = results(corpus, given, with_training=not asked.no_torch)
        usual = usual or found
        differing = [name for name in found if found[name] != usual[name]]
        told = ", ".join(f"{name} {value}" for name, value in given.items())
        print(
            f"{told}: {'differs in ' + ', '.join(differing) if differing else f'{len(found)} results alike'}",
            flush=True,
        )
        failed = failed or bool(differing)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
