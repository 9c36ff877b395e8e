"""A dataflow of one's own: output stationary with operands that are broadcast, so that nothing enters skewed.

Every row has a wire that brings its value of A to all PEs of the row in the cycle in which it enters, every column one
for B. Sums stay in their PE; a PE turns between ``turns`` outputs of its row. Results leave down their column, I * R
shifts, or by a wire a PE. What broadcasting costs in wire and clock is not modelled.

    bos = output stationary, broadcast:   fold = (S - 1) * max(I, L) + I  +  P - 1  +  I * R (shifted)
"""

from __future__ import annotations

import numpy as np
from bisparse.accel.specification import TensorEngine
from bisparse.accel.tensor_engine import ArrayTiming, Count, ceil_div
from bisparse.configs.arrays import BoolArray, FloatArray
from bisparse.dataflow.dataflows.dataflow import Dataflow, Numbers, Passed, Sends
from bisparse.dataflow.dataflows.tile import ArrayTile, Sparsity, TileSums
from bisparse.dataflow.gemm import Operand


class BroadcastOutputStationary(Dataflow):
    """A lies along the rows, B along the columns; a fold is R x (C * turns) outputs."""

    name, title = "bos", "output stationary, broadcast"
    parameters = ("turns",)

    def swaps(self, engine: TensorEngine) -> bool:
        """As output stationary does."""
        return engine.swap_operands

    def selects(self, engine: TensorEngine, compressed: Operand) -> bool:
        """A pair on a column's wire selects among the values of a group on the row's, not the other way about."""
        return compressed == "b"

    def legal(self, array: ArrayTiming, sparsity: Sparsity, numbers: Numbers, *, interleave: bool) -> bool | BoolArray:
        """A sum of each output that a PE turns between."""
        return numbers["turns"] <= (array.register_depth if interleave else 1)

    def repeats(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> bool | BoolArray:
        """Turns beyond the columns that there are."""
        return numbers["turns"] > ceil_div(tile.n, array.cols)

    def _folds(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count, Count]:
        """Folds, outputs a PE turns between in each, and cycles in which a fold holds the issue port."""
        turns = np.minimum(numbers["turns"], ceil_div(tile.n, array.cols))
        folds = ceil_div(tile.m, array.rows) * ceil_div(tile.n, array.cols * turns)
        return folds, turns, (tile.slots - 1) * np.maximum(turns, array.accumulate_latency) + turns

    def cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Count:
        """Issue, the pipeline, the drain; overlapped folds follow as the issue port or the drain lets them."""
        folds, turns, issue = self._folds(array, tile, numbers)
        drain = turns * array.rows if array.shifted_drain else 0 * turns
        ends = array.mac_latency - 1 + drain
        between = np.maximum(issue, drain) if array.overlapped else issue + ends
        return (folds - 1) * between + issue + ends

    def issue_and_bubble_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count]:
        """An issue a slot and turn; the rest of the issue port's time waits for adders."""
        folds, turns, issue = self._folds(array, tile, numbers)
        return folds * tile.slots * turns, folds * (issue - tile.slots * turns)

    def sends(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Sends:
        """Each operand once for every fold along the other's dimension."""
        return Sends(west=ceil_div(tile.n, array.cols * numbers["turns"]), north=ceil_div(tile.m, array.rows), sums=1)

    def hop_bytes(self, array: ArrayTiming, passed: Passed) -> Count:
        """A value drives a whole wire; shifted results pass half a column on average."""
        leaving = passed.result_bytes * passed.tiles_along_k * array.rows // 2 if array.shifted_drain else 0
        return passed.west_bytes * array.cols + passed.north_bytes * array.rows + leaving

    def floor(self, sums: TileSums) -> FloatArray:
        """Every fold full of work, one pipeline a tile."""
        array = sums.array
        folds = sums.folds("m", array.rows) * sums.folds("n", array.cols)
        return np.asarray(folds * sums.slots_along_k + sums.tiles * (array.mac_latency - 1), dtype=np.float64)

    def least_sends(self, sums: TileSums) -> tuple[Count, Count]:
        """Folds as large as registers allow."""
        array = sums.array
        return sums.folds("n", array.cols * sums.deepest), sums.folds("m", array.rows)


BROADCAST = BroadcastOutputStationary()
"""The dataflow ``bos``."""
