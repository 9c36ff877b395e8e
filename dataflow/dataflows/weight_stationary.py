"""Weight stationary: operand B stays in the PEs, loaded from the north, while A streams past it from the west.

A row of PEs holds g groups along k; sums pass south through all rows and are added up beyond the array, a fold along k
after another. Operand A is sent once for every fold along n, B once a tile. Where an array spreads groups, the kept
values of a stationary group lie in PEs of their own, one below the other, and each is sent the group's M values of A:
all is as if they were groups of one. Source: docs/hardware-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...accel import tensor_engine
from ...accel.specification import TensorEngine
from ...accel.tensor_engine import ArrayTiming, Count, Handover, ceil_div
from ...configs.arrays import BoolArray, Counts
from ...configs.pattern import Pattern
from ..gemm import Operand
from .dataflow import Numbers, Passed, Sends
from .formulas import FormulaDataflow, Formulas, Grouping
from .tile import ArrayTile, Folds, Sparsity, Tiling, folds_along


def tile_cycles(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, held: Count, turns: Count
) -> Count:
    """See ``accel.tensor_engine.weight_stationary_cycles``."""
    return tensor_engine.weight_stationary_cycles(array, m, n, groups, grouping.slots, grouping.values, held, turns)


def tile_handover(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, held: Count, turns: Count
) -> Handover:
    """See ``accel.tensor_engine.weight_stationary_handover``."""
    return tensor_engine.weight_stationary_handover(array, m, n, groups, grouping.slots, grouping.values, held, turns)


def tile_sends(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, held: Count, turns: Count
) -> Sends:
    """What moves once for every fold of columns, what stays once, sums once for every fold along k."""
    west = grouping.lanes * ceil_div(n, array.cols)
    return Sends(west=west, north=1, sums=ceil_div(groups, array.rows * held))


def tile_repeats(
    array: ArrayTiming, grouping: Grouping, m: Count, n: Count, slots: Count, groups: Count, held: Count, turns: Count
) -> Counts:
    """Groups and vectors beyond what the tile offers are cut to that, where the latency does not ask for more."""
    least = np.minimum(array.accumulate_latency, array.register_depth)
    return (held > ceil_div(groups, array.rows)) | (turns > np.maximum(m, least))


def all_sends(array: ArrayTiming, grouping: Grouping, tiling: Tiling, held: int, turns: int) -> Sends:
    """As ``tile_sends``, of all tiles."""
    m, n, k, groups, on_rows = tiling.m, tiling.n, tiling.k, tiling.groups, array.rows * held
    west = grouping.lanes * folds_along(n[0], n[1], n[2], n[3], array.cols)
    sums = (
        k[0] * ceil_div(groups[0], on_rows) + k[1] * ceil_div(groups[1], on_rows) + k[2] * ceil_div(groups[2], on_rows)
    )
    return Sends(west=west, north=m[0] + m[2], sums=sums)


def least_cycles(array: ArrayTiming, grouping: Grouping, deepest: Count, folds: Folds) -> Counts:
    """Every fold full of work or of loading, whichever takes longer; first load and skew once a tile, or hidden."""
    stationary = folds.groups * folds.cols
    tiles = 0 if array.tile_overlap else folds.trips_m * folds.trips_n * folds.trips_k
    load = array.rows * grouping.values
    ends = (array.rows - 1) * array.accumulate_latency + array.cols - 1 + array.mac_latency - 1
    streamed = stationary * grouping.slots * folds.extent_m + tiles * load
    loaded = stationary * folds.trips_m * load
    return np.maximum(streamed, loaded) + tiles * ends


def least_sends(array: ArrayTiming, grouping: Grouping, deepest: Count, folds: Folds) -> tuple[Count, Count]:
    """As ``tile_sends`` has it: no number of a mapping makes them fewer."""
    return grouping.lanes * folds.cols, folds.trips_m


def hop_bytes(array: ArrayTiming, passed: Passed) -> Count:
    """What moves passes a row, what stays half a column on average, sums a whole column in every fold."""
    leaving = (passed.output_bytes + passed.result_bytes) // 2 * array.rows
    return passed.west_bytes * array.cols + passed.north_bytes * array.rows // 2 + leaving


class WeightStationary(FormulaDataflow):
    """Operand B lies along the columns, its groups along k down the rows.

    Its numbers: ``resident_groups``, g, groups of B that a PE holds, dense values as groups of one; ``interleave``, I,
    streamed vectors a PE turns between.
    """

    name, title = "ws", "weight stationary"
    parameters = ("resident_groups", "interleave")
    shares_depth = True
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

    def grouping(self, array: ArrayTiming, sparsity: Sparsity) -> Grouping:
        """In one PE N values of a group that stays, its M values where the stream is compressed; or spread over N."""
        if sparsity.compressed is None:
            return Grouping()
        assert isinstance(sparsity.pattern, Pattern), "what stays is N:M: nothing waits here"
        kept, group = sparsity.pattern.kept, sparsity.pattern.group
        if sparsity.compressed == "b" and array.spread_groups:
            return Grouping(lanes=kept, apart=True)
        return Grouping(slots=kept, values=kept if sparsity.compressed == "b" else group)

    def selects(self, engine: TensorEngine, compressed: Operand) -> bool:
        """Of the stationary operand always; of the moving one as the engine says."""
        return compressed == "b" or engine.compressed_moving

    def legal(self, array: ArrayTiming, sparsity: Sparsity, numbers: Numbers, *, interleave: bool) -> bool | BoolArray:
        """A PE holds the values of its groups.

        An interleave below the accumulate latency is left out: with s = max(I, L) it makes the same steps in more
        batches, so min(L, D) is never slower. With one slot a PE has nothing to turn between.
        """
        grouping = self.grouping(array, sparsity)
        resident, turns = numbers["resident_groups"], numbers["interleave"]
        most = array.register_depth if interleave else 1
        turning = (turns >= np.minimum(array.accumulate_latency, most)) & (turns <= most)
        fits = resident * grouping.values <= array.register_depth
        return np.asarray(fits & np.where(resident * grouping.slots == 1, turns == 1, turning))

    def describe(self, numbers: Mapping[str, int]) -> str:
        """Such as ``2 resident, interleave 4``."""
        return f"{numbers['resident_groups']} resident, interleave {numbers['interleave']}"

    def issue_and_bubble_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count]:
        """See ``accel.tensor_engine.weight_stationary_bubbles``."""
        grouping = self.grouping(array, tile.sparsity)
        held, turns = numbers["resident_groups"], numbers["interleave"]
        return tensor_engine.weight_stationary_bubbles(
            array, tile.m, tile.n, grouping.held(tile), grouping.slots, held, turns
        )


WEIGHT_STATIONARY = WeightStationary()
"""The dataflow ``ws``."""
