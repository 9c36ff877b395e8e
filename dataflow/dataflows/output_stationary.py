"""Output stationary: sums stay in their PE, operand A passes from the west, B from the north, each lane skewed.

A fold is (R * Im) x (C * In) outputs. Operand A is sent once for every fold along n, B once for every fold along m;
results leave once a tile along k, down their column or by a wire. Source: docs/hardware-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...accel import tensor_engine
from ...accel.specification import TensorEngine
from ...accel.tensor_engine import ArrayTiming, Count, ceil_div
from ...configs.arrays import BoolArray, FloatArray
from ..gemm import Operand
from .dataflow import Dataflow, Numbers, Passed, Sends
from .tile import ArrayTile, Sparsity, TileSums


class OutputStationary(Dataflow):
    """Operand A lies along the rows, B along the columns.

    Its numbers: ``interleave_m``, Im, outputs a PE turns between along m; ``interleave_n``, In, along n.
    """

    name, title = "os", "output stationary"
    parameters = ("interleave_m", "interleave_n")

    def swaps(self, engine: TensorEngine) -> bool:
        """As the engine says."""
        return engine.swap_operands

    def selects(self, engine: TensorEngine, compressed: Operand) -> bool:
        """Of the operand from the north always; of that from the west as the engine says."""
        return compressed == "b" or engine.compressed_west

    def legal(self, array: ArrayTiming, sparsity: Sparsity, numbers: Numbers, *, interleave: bool) -> bool | BoolArray:
        """A PE holds a sum of each output that it turns between."""
        held = numbers["interleave_m"] * numbers["interleave_n"]
        return held <= (array.register_depth if interleave else 1)

    def repeats(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> bool | BoolArray:
        """An interleave beyond what the tile offers is cut to that."""
        return (numbers["interleave_m"] > ceil_div(tile.m, array.rows)) | (
            numbers["interleave_n"] > ceil_div(tile.n, array.cols)
        )

    def describe(self, numbers: Mapping[str, int]) -> str:
        """Such as ``interleave 4x2``."""
        return f"interleave {numbers['interleave_m']}x{numbers['interleave_n']}"

    def cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Count:
        """See ``accel.tensor_engine.output_stationary_cycles``."""
        return tensor_engine.output_stationary_cycles(array, m=tile.m, n=tile.n, slots=tile.slots, **numbers)

    def issue_and_bubble_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count]:
        """See ``accel.tensor_engine.output_stationary_bubbles``."""
        return tensor_engine.output_stationary_bubbles(array, m=tile.m, n=tile.n, slots=tile.slots, **numbers)

    def sends(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Sends:
        """Each operand once for every fold along the other's dimension."""
        return Sends(
            west=ceil_div(tile.n, array.cols * numbers["interleave_n"]),
            north=ceil_div(tile.m, array.rows * numbers["interleave_m"]),
            sums=1,
        )

    def hop_bytes(self, array: ArrayTiming, passed: Passed) -> Count:
        """Operands pass a row or a column; results that are shifted leave down half a column on average."""
        # Every tile along k sends its own sums out.
        leaving = passed.result_bytes * passed.tiles_along_k * array.rows // 2 if array.drain == "shift" else 0
        return passed.west_bytes * array.cols + passed.north_bytes * array.rows + leaving

    def floor(self, sums: TileSums) -> FloatArray:
        """Every fold full of work, its latency hidden as far as registers go; skew and drain once a tile."""
        array = sums.array
        folds = sums.folds("m", array.rows) * sums.folds("n", array.cols)
        # Where too few accumulations hide the latency, each waits its share of it.
        stretch = np.maximum(array.accumulate_latency / sums.deepest, 1.0)
        issue = folds * (sums.slots_along_k * stretch - sums.k.trips * (stretch - 1))
        drain = array.rows if array.drain == "shift" else 0
        ends = array.rows + array.cols - 2 + array.mac_latency - 1 + drain
        return np.asarray(issue + sums.tiles * ends)

    def least_sends(self, sums: TileSums) -> tuple[Count, Count]:
        """Folds as large as registers allow."""
        array = sums.array
        return sums.folds("n", array.cols * sums.deepest), sums.folds("m", array.rows * sums.deepest)


OUTPUT_STATIONARY = OutputStationary()
"""The dataflow ``os``."""
