"""Output stationary: sums stay in their PE, operand A passes from the west, B from the north, each lane skewed.

A fold is (R * Im) x (C * In) outputs. Operand A is sent once for every fold along n, B once for every fold along m;
results leave once a tile along k, down their column or by a wire. Source: docs/hardware-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...accel import tensor_engine
from ...accel.specification import TensorEngine
from ...accel.tensor_engine import ArrayTiming, Count, Handover, ceil_div
from ...configs.arrays import BoolArray, Counts
from ..gemm import Operand
from .dataflow import Numbers, Passed, Sends
from .formulas import FormulaDataflow, Formulas, Grouping
from .tile import ArrayTile, Folds, Sparsity, Tiling, folds_along


def tile_cycles(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, on_m: Count, on_n: Count
) -> Count:
    """See ``accel.tensor_engine.output_stationary_cycles``."""
    return tensor_engine.output_stationary_cycles(array, m, n, slots, on_m, on_n)


def tile_handover(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, on_m: Count, on_n: Count
) -> Handover:
    """See ``accel.tensor_engine.output_stationary_handover``."""
    return tensor_engine.output_stationary_handover(array, m, n, slots, on_m, on_n)


def tile_sends(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, on_m: Count, on_n: Count
) -> Sends:
    """Each operand once for every fold along the other's dimension."""
    return Sends(west=ceil_div(n, array.cols * on_n), north=ceil_div(m, array.rows * on_m), sums=1)


def tile_repeats(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, on_m: Count, on_n: Count
) -> Counts:
    """An interleave beyond what the tile offers is cut to that."""
    return (on_m > ceil_div(m, array.rows)) | (on_n > ceil_div(n, array.cols))


def all_sends(array: ArrayTiming, grouping: Grouping, tiling: Tiling, on_m: int, on_n: int) -> Sends:
    """As ``tile_sends``, of all tiles."""
    m, n, k = tiling.m, tiling.n, tiling.k
    west = folds_along(n[0], n[1], n[2], n[3], array.cols * on_n)
    north = folds_along(m[0], m[1], m[2], m[3], array.rows * on_m)
    return Sends(west=west, north=north, sums=k[0] + k[1] + k[2])


def least_cycles(array: ArrayTiming, grouping: Grouping, deepest: Count, folds: Folds) -> Counts:
    """Every fold full of work, its latency hidden as far as registers go; skew and drain once a tile, or hidden."""
    # Where too few accumulations hide the latency, each waits its share of it.
    stretch = np.maximum(array.accumulate_latency / deepest, 1.0)
    issue = folds.rows * folds.cols * (folds.slots * stretch - folds.trips_k * (stretch - 1))
    drain = array.rows if array.shifted_drain else 0 * array.rows
    ends = array.rows + array.cols - 2 + array.mac_latency - 1 + drain
    return issue + (0 if array.tile_overlap else folds.trips_m * folds.trips_n * folds.trips_k) * ends


def least_sends(array: ArrayTiming, grouping: Grouping, deepest: Count, folds: Folds) -> tuple[Count, Count]:
    """Folds as large as registers allow."""
    return folds.deep_cols, folds.deep_rows


def hop_bytes(array: ArrayTiming, passed: Passed) -> Count:
    """Operands pass a row or a column; results that are shifted leave down half a column on average."""
    # Every tile along k sends its own sums out.
    leaving = passed.result_bytes * passed.tiles_along_k * array.rows // 2 if array.shifted_drain else 0
    return passed.west_bytes * array.cols + passed.north_bytes * array.rows + leaving


class OutputStationary(FormulaDataflow):
    """Operand A lies along the rows, B along the columns.

    Its numbers: ``interleave_m``, Im, outputs a PE turns between along m; ``interleave_n``, In, along n.
    """

    name, title = "os", "output stationary"
    parameters = ("interleave_m", "interleave_n")
    lanes_wait = shares_depth = True
    formulas = Formulas(
        cycles=tile_cycles,
        handover=tile_handover,
        sends=tile_sends,
        repeats=tile_repeats,
        all_sends=all_sends,
        least_cycles=least_cycles,
        least_sends=least_sends,
        hops=hop_bytes,
    )

    def swaps(self, engine: TensorEngine) -> bool:
        """As the engine says."""
        return engine.swap_operands

    def selects(self, engine: TensorEngine, compressed: Operand) -> bool:
        """Of the operand from the north always; of that from the west as the engine says."""
        return compressed == "b" or engine.compressed_west

    def legal(self, array: ArrayTiming, sparsity: Sparsity, numbers: Numbers, *, interleave: bool) -> bool | BoolArray:
        """A PE holds a sum of each output that it turns between; of columns, or rows, that wait it takes one."""
        held = numbers["interleave_m"] * numbers["interleave_n"]
        fits = held <= (array.register_depth if interleave and not sparsity.both else 1)
        return fits & (numbers["interleave_n"] == 1) if sparsity.waits else fits

    def describe(self, numbers: Mapping[str, int]) -> str:
        """Such as ``interleave 4x2``."""
        return f"interleave {numbers['interleave_m']}x{numbers['interleave_n']}"

    def issue_and_bubble_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count]:
        """See ``accel.tensor_engine.output_stationary_bubbles``."""
        on_m, on_n = numbers["interleave_m"], numbers["interleave_n"]
        return tensor_engine.output_stationary_bubbles(array, tile.m, tile.n, tile.slots, on_m, on_n)


OUTPUT_STATIONARY = OutputStationary()
"""The dataflow ``os``."""
