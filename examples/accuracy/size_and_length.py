"""How a recipe's loss depends on the size of the network and on the length of its training.

python examples/accuracy/size_and_length.py --device cuda --jobs 12 --seeds 2 --out runs/size-and-length

Each run is ``bisparse train``'s. The learning rate is 0.01 * 64 / width at its highest: 0.01 was chosen for the dense
network of width 64 on another text, and hidden weights under Adam want it to fall with the width (Yang et al., arXiv
2203.03466); no recipe was tuned. Run again, it goes on where it stopped; ``--minutes`` stops it. What is finished is
written to ``runs.csv`` in ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import bisparse

BATCH = 64
RATE_OF_WIDTH_64 = 0.01
COLUMNS = (
    "recipe",
    "sparsity",
    "width",
    "parameters",
    "epochs",
    "steps",
    "symbols",
    "seed",
    "test_accuracy",
    "test_loss",
    "seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of the study."""

    recipe: str
    sparsity: str
    width: int
    epochs: int
    seed: int

    @property
    def name(self) -> str:
        """Of its directory."""
        ratio = self.sparsity.replace(":", "of")
        return f"{self.recipe}-{ratio}-width-{self.width}-epochs-{self.epochs}-seed-{self.seed}"

    @property
    def work(self) -> int:
        """What its time grows with, roughly: the longest begins first."""
        return self.epochs * (self.width + 256) * (1 if self.recipe == "dense" else 2)


def main() -> None:
    """Train what is missing, and write what is there."""
    told = arguments()
    out = Path(told.out)
    points = [
        Point(recipe=recipe, sparsity=ratio or "2:8", width=width, epochs=epochs, seed=seed)
        for recipe, _, ratio in (each.partition("@") for each in told.recipes.split(","))
        for width in whole_numbers(told.widths)
        for epochs in whole_numbers(told.epochs)
        for seed in range(told.seeds)
    ]
    # Seed by seed, so that what is finished when time is up can be compared; of one seed the longest first.
    points.sort(key=lambda point: (point.seed, -point.work))
    stopped = train_all(points, out, device=told.device, jobs=told.jobs, minutes=told.minutes)
    write_runs(points, out)
    if stopped:
        sys.stdout.flush()
        # Runs that are under way keep their checkpoints.
        os._exit(0)


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="64,256,512")
    parser.add_argument("--epochs", default="1,3,6", help="lengths, in passes over the text")
    parser.add_argument("--recipes", default="dense,sr-ste@2:8,bdwp@2:4,bdwp@2:8")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="after which nothing new is waited for")
    parser.add_argument("--out", default="runs/size-and-length")
    return parser.parse_args()


def whole_numbers(text: str) -> list[int]:
    """``64,256`` as numbers."""
    return [int(each) for each in text.split(",")]


def train_all(points: list[Point], out: Path, *, device: str, jobs: int, minutes: float | None) -> bool:
    """Train every point that is not finished, several at a time; whether time was up before."""
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    missing = [point for point in points if not (out / point.name / "summary.json").exists()]
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    under_way: dict[Future[float], Point] = {
        pool.submit(train, point, str(out / point.name), device): point for point in missing
    }
    done = 0
    while under_way:
        left = None if ends is None else max(ends - time.monotonic(), 0.0)
        finished, _ = wait(under_way, timeout=left, return_when=FIRST_COMPLETED)
        if not finished:
            print(f"time is up: {done} of {len(missing)} runs were finished, {len(under_way)} were not", flush=True)
            for process in multiprocessing.active_children():
                process.kill()
            return True
        for future in finished:
            done += 1
            point = under_way.pop(future)
            print(f"{done} of {len(missing)}: {point.name}, test loss {future.result():.4f}", flush=True)
    pool.shutdown()
    return False


def train(point: Point, directory: str, device: str) -> float:
    """One run; its test loss in nats a symbol."""
    summary = bisparse.train(
        f"{Path(__file__).parent / 'sized_gpt.py'}:width_{point.width}",
        "kjv",
        point.recipe,
        point.sparsity,
        out=directory,
        device=device,
        epochs=point.epochs,
        batch=BATCH,
        optimizer="adam",
        learning_rate=RATE_OF_WIDTH_64 * 64 / point.width,
        weight_decay=0.01,
        warmup_epochs=0.25,
        seed=point.seed,
    )
    return summary.test_loss


def write_runs(points: list[Point], out: Path) -> None:
    """The finished runs as a table, a row each."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "runs.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        rows.writeheader()
        for point in points:
            path = out / point.name / "summary.json"
            if not path.exists():
                continue
            summary = json.loads(path.read_text(encoding="utf-8"))
            rows.writerow(
                {
                    "recipe": point.recipe,
                    "sparsity": "" if point.recipe == "dense" else point.sparsity,
                    "width": point.width,
                    "parameters": summary["parameters"],
                    "epochs": point.epochs,
                    "steps": summary["steps"],
                    "symbols": summary["steps"] * BATCH * 64,
                    "seed": point.seed,
                    "test_accuracy": f"{summary['test_accuracy']:.6f}",
                    "test_loss": f"{summary['test_loss']:.6f}",
                    "seconds": f"{summary['train_seconds']:.1f}",
                }
            )


if __name__ == "__main__":
    main()
