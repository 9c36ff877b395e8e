"""The file that ``bisparse recipes show`` reads: what pruning costs in accuracy, of the studies of docs/accuracy.md.

python examples/accuracy/shipped.py docs/accuracy/*.csv > configs/methods/accuracy.csv

A study's file begins with its data set's name. Of several runs of a recipe at a ratio the one with most seeds counts.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from bisparse.configs.library import names
from bisparse.training.recipes.measured import COLUMNS, MeasuredAccuracy

MODELS = {"mnist-5k": "convnet", "pydoc": "gpt"}
"""The network that was trained on each."""


def measured(files: Iterable[Path]) -> list[MeasuredAccuracy]:
    """Differences to dense training of every shipped recipe, in the order of recipes."""
    found: dict[tuple[str, str, str], MeasuredAccuracy] = {}
    shipped = names("recipes")
    for file in sorted(files):
        data = next((name for name in MODELS if file.name.startswith(f"{name}-")), None)
        if data is None:
            raise SystemExit(f"{file}: got a study of unknown data, need one of {', '.join(MODELS)}; add it to MODELS")
        with file.open(newline="", encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                key = (row["recipe"], data, row["sparsity"])
                if row["recipe"] not in shipped or not row["accuracy_difference_half_width"]:
                    continue
                if key in found and found[key].seeds >= int(row["seeds"]):
                    continue
                found[key] = MeasuredAccuracy(
                    recipe=row["recipe"],
                    data=data,
                    model=MODELS[data],
                    sparsity=row["sparsity"],
                    steps=int(row["steps"]),
                    seeds=int(row["seeds"]),
                    difference_points=round(100 * float(row["accuracy_difference_mean"]), 2),
                    half_width_points=round(100 * float(row["accuracy_difference_half_width"]), 2),
                    verdict=row["verdict"],
                )
    return [found[key] for key in sorted(found)]


def main() -> None:
    """Print it."""
    rows = measured(map(Path, sys.argv[1:]))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(astuple(row))


if __name__ == "__main__":
    main()
