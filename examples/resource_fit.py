"""What the resource model's look-up tables are fitted to, and what the fit leaves, from the counts of rtl_synthesis.py.

    python examples/resource_fit.py docs/rtl-synthesis.csv            # weights, as they stand in accel/resources
    python examples/resource_fit.py docs/rtl-synthesis.csv --table    # counts beside the model, for the docs

Least squares of relative errors. Registers and distributed memories are not fitted: they are counted, and exact.
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bisparse.accel.resources import processing_element, sorter
from bisparse.accel.resources.processing_element import ElementShape, element, element_features
from bisparse.accel.resources.sorter import sorter_features

Row = dict[str, str]


def rows_of(path: Path, module: str) -> list[Row]:
    """Counts of one module."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["module"] == module]


def shape_of(row: Row) -> ElementShape:
    """What a counted PE is built for."""
    return ElementShape(group=int(row["group"]), data_bits=int(row["width"]), depth=int(row["depth"]))


def features_of(row: Row) -> tuple[float, ...]:
    """What a row is fitted to."""
    if row["module"] == "sorter":
        return sorter_features(int(row["group"]), int(row["kept"]), int(row["width"]))
    return element_features(shape_of(row))


def logic_luts(row: Row) -> int:
    """LUTs that are no memory."""
    return int(row["luts"]) - int(row["memory_luts"])


def fitted(rows: Sequence[Row]) -> np.ndarray:
    """Weights of the features."""
    features = np.array([features_of(row) for row in rows], dtype=float)
    counted = np.array([logic_luts(row) for row in rows], dtype=float)
    whole = np.array([int(row["luts"]) for row in rows], dtype=float)
    weights, *_ = np.linalg.lstsq(features / whole[:, None], counted / whole, rcond=None)
    return weights


def predicted(row: Row, weights: Sequence[float]) -> float:
    """LUTs of a module, memories included."""
    logic = sum(weight * feature for weight, feature in zip(weights, features_of(row), strict=True))
    return logic + int(row["memory_luts"])


def model(row: Row) -> tuple[float, float]:
    """LUTs and flip-flops as accel/resources has them, of a PE with the integer arithmetic that was counted."""
    if row["module"] == "sorter":
        found = sorter.sorter(int(row["group"]), int(row["kept"]), int(row["width"]))
        return found.luts, found.flip_flops
    shape = shape_of(row)
    parts = element(shape).values()
    product_bits = 2 * shape.data_bits * shape.multiplier_stages
    luts = sum(each.luts for each in parts) + processing_element.SUM_BITS
    return luts, sum(each.flip_flops for each in parts) + product_bits


WEIGHTS = {"sorter": sorter.LUTS_PER_FEATURE, "processing_element": processing_element.LUTS_PER_FEATURE}


def main() -> None:
    """Print the weights, or the table."""
    path = Path(sys.argv[1])
    if "--table" not in sys.argv:
        for module in WEIGHTS:
            print(module, tuple(round(float(each), 3) for each in fitted(rows_of(path, module))))
        return
    print("| module | group | kept | bits | depth | LUTs | model | off | flip-flops | model | DSPs |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for module in WEIGHTS:
        for row in rows_of(path, module):
            luts, flip_flops = model(row)
            keys = [row[name] or "-" for name in ("module", "group", "kept", "width", "depth")]
            off = f"{100 * (luts / int(row['luts']) - 1):+.1f}%"
            counts = [row["luts"], f"{luts:.0f}", off, row["flip_flops"], f"{flip_flops:.0f}", row["dsps"]]
            print(f"| {' | '.join([*keys, *counts])} |")


if __name__ == "__main__":
    main()
