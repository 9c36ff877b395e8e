"""What a study of ``size_and_length.py`` says: the tables of docs/accuracy.md, and a law fitted to what pruning costs.

python examples/accuracy/size_and_length_law.py docs/accuracy/size-and-length/kjv.csv

The law is a power of the weights and of the symbols trained on: loss above dense's = c * weights^a * symbols^b, fitted
to logarithms by least squares, each point the mean over its seeds. Its standard errors are of the fit: they know
nothing of another text or learning rate.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

SYMBOLS, CONTEXT = 65, 64
"""Of the text: rows of the tables of symbols and of positions."""
BATCH_SYMBOLS = 64 * CONTEXT
REFERENCE_WEIGHTS, REFERENCE_SYMBOLS = 1e6, 1e7

Row = dict[str, str]
Setting = tuple[int, int]
"""Width and passes."""


def main() -> None:
    """Print tables and laws."""
    with Path(sys.argv[1]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    dense = {key(row): row for row in rows if row["recipe"] == "dense"}
    print("| network, weights | passes | dense |" + "".join(f" {name} |" for name in names(rows)))
    print("|---|--:|--:|" + "--:|" * len(names(rows)))
    for setting in sorted({key(row)[0] for row in rows}):
        print(f"| {' | '.join(line(setting, rows, dense))} |")
    print("\n| | loss above dense's at 10^6 weights, 10^7 symbols | power of weights | of symbols | fit is off by |")
    print("|---|--:|--:|--:|--:|")
    for name in names(rows):
        print(f"| {name} | {' | '.join(law(gaps(name, rows, dense, 'test_loss'), rows))} |")


def key(row: Row) -> tuple[Setting, str]:
    """What a run shares with its dense partner."""
    return (int(row["width"]), int(row["epochs"])), row["seed"]


def name_of(row: Row) -> str:
    """``bdwp 2:8``."""
    return f"{row['recipe']} {row['sparsity']}"


def names(rows: list[Row]) -> list[str]:
    """Of what is pruned, in the file's order."""
    return list(dict.fromkeys(name_of(row) for row in rows if row["recipe"] != "dense"))


def weights(rows: list[Row], width: int) -> int:
    """In the blocks of a network: all but its embeddings, vectors included."""
    row = next(row for row in rows if int(row["width"]) == width)
    return int(row["parameters"]) - width * (SYMBOLS + CONTEXT)


def gaps(name: str, rows: list[Row], dense: dict[tuple[Setting, str], Row], field: str) -> dict[Setting, list[float]]:
    """Differences from the dense run of the same seed, by setting."""
    found: dict[Setting, list[float]] = defaultdict(list)
    for row in rows:
        if name_of(row) == name and key(row) in dense:
            found[key(row)[0]].append(float(row[field]) - float(dense[key(row)][field]))
    return found


def line(setting: Setting, rows: list[Row], dense: dict[tuple[Setting, str], Row]) -> list[str]:
    """A row of the table of accuracies: dense's, and points from it."""
    width, epochs = setting
    own = [float(row["test_accuracy"]) for each, row in dense.items() if each[0] == setting]
    cells = [f"width {width}, {weights(rows, width) / 1e6:.2f} M", str(epochs), f"{100 * fmean(own):.1f}%"]
    for name in names(rows):
        points = gaps(name, rows, dense, "test_accuracy")[setting]
        cells.append(f"{100 * fmean(points):+.2f}".replace("-", "−") if points else "")
    return cells


def law(gap: dict[Setting, list[float]], rows: list[Row]) -> list[str]:
    """The fit to a recipe's losses above dense's."""
    steps = {int(row["epochs"]): int(row["steps"]) for row in rows}
    sizes = np.array([weights(rows, width) / REFERENCE_WEIGHTS for width, _ in gap])
    lengths = np.array([steps[epochs] * BATCH_SYMBOLS / REFERENCE_SYMBOLS for _, epochs in gap])
    losses = np.log([fmean(each) for each in gap.values()])
    known: NDArray[np.float64] = np.stack([np.ones_like(sizes), np.log(sizes), np.log(lengths)], axis=1)
    powers, *_ = np.linalg.lstsq(known, losses, rcond=None)
    left = losses - known @ powers
    freedom = len(losses) - known.shape[1]
    errors = np.sqrt(np.diag(np.linalg.inv(known.T @ known)) * (left @ left) / freedom)
    told = [f"{np.exp(powers[0]):.3f}"]
    told += [
        f"{power:.2f} ± {error:.2f}".replace("-", "−") for power, error in zip(powers[1:], errors[1:], strict=True)
    ]
    return [*told, f"{100 * (np.exp(np.sqrt(left @ left / freedom)) - 1):.0f}%"]


if __name__ == "__main__":
    main()
