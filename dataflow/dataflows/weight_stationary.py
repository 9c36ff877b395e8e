"""Weight stationary: operand B stays in the PEs, loaded from the north, while A streams past it from the west.

A row of PEs holds g groups along k; sums pass south through all rows and are added up beyond the array, a fold along k
after another. Operand A is sent once for every fold along n, B once a tile. Where an array spreads groups, the kept
values of a stationary group lie in PEs of their own, one below the other, and each is sent the group's M values of A:
all is as if they were groups of one. Source: docs/hardware-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...accel import tensor_engine
from ...accel.specification import TensorEngine
from ...accel.tensor_engine import ArrayTiming, Count, ceil_div
from ...configs.arrays import BoolArray, FloatArray
from ..gemm import Operand
from .dataflow import Dataflow, Numbers, Passed, Sends
from .tile import ArrayTile, Sparsity, TileSums


def _spreads(array: ArrayTiming, sparsity: Sparsity) -> bool:
    """Whether the values of a group lie in PEs of their own: those of a compressed operand that stays."""
    return array.spread_groups and sparsity.compressed == "b"


def stationary_group(array: ArrayTiming, sparsity: Sparsity) -> tuple[int, int]:
    """Slots and stationary values of a group of operand B held in one PE: (1, 1) dense or spread, (N, N) or (N, M)."""
    pattern = sparsity.pattern
    if sparsity.compressed is None or _spreads(array, sparsity):
        return 1, 1
    return pattern.kept, pattern.kept if sparsity.compressed == "b" else pattern.group


def _held(array: ArrayTiming, tile: ArrayTile) -> Count:
    """Groups along k as PEs hold them."""
    return tile.slots if _spreads(array, tile.sparsity) else tile.groups


class WeightStationary(Dataflow):
    """Operand B lies along the columns, its groups along k down the rows.

    Its numbers: ``resident_groups``, g, groups of B that a PE holds, dense values as groups of one; ``interleave``, I,
    streamed vectors a PE turns between.
    """

    name, title = "ws", "weight stationary"
    parameters = ("resident_groups", "interleave")

    def selects(self, engine: TensorEngine, compressed: Operand) -> bool:
        """Of the stationary operand always; of the moving one as the engine says."""
        return compressed == "b" or engine.compressed_moving

    def legal(self, array: ArrayTiming, sparsity: Sparsity, numbers: Numbers, *, interleave: bool) -> bool | BoolArray:
        """A PE holds the values of its groups.

        An interleave below the accumulate latency is left out: with s = max(I, L) it makes the same steps in more
        batches, so min(L, D) is never slower. With one slot a PE has nothing to turn between.
        """
        slots, values = stationary_group(array, sparsity)
        resident, turns = numbers["resident_groups"], numbers["interleave"]
        most = array.register_depth if interleave else 1
        turning = (turns >= np.minimum(array.accumulate_latency, most)) & (turns <= most)
        fits = resident * values <= array.register_depth
        return np.asarray(fits & np.where(resident * slots == 1, turns == 1, turning))

    def repeats(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> bool | BoolArray:
        """Groups and vectors beyond what the tile offers are cut to that, where the latency does not ask for more."""
        least = np.minimum(array.accumulate_latency, array.register_depth)
        all_resident = numbers["resident_groups"] > ceil_div(_held(array, tile), array.rows)
        return np.asarray(all_resident | (numbers["interleave"] > np.maximum(tile.m, least)))

    def describe(self, numbers: Mapping[str, int]) -> str:
        """Such as ``2 resident, interleave 4``."""
        return f"{numbers['resident_groups']} resident, interleave {numbers['interleave']}"

    def cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Count:
        """See ``accel.tensor_engine.weight_stationary_cycles``."""
        slots, load = stationary_group(array, tile.sparsity)
        groups = _held(array, tile)
        return tensor_engine.weight_stationary_cycles(
            array, moving=tile.m, columns=tile.n, groups=groups, group_slots=slots, group_load=load, **numbers
        )

    def issue_and_bubble_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count]:
        """See ``accel.tensor_engine.weight_stationary_bubbles``."""
        slots, _ = stationary_group(array, tile.sparsity)
        return tensor_engine.weight_stationary_bubbles(
            array, moving=tile.m, columns=tile.n, groups=_held(array, tile), group_slots=slots, **numbers
        )

    def sends(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Sends:
        """What moves once for every fold of columns, what stays once, sums once for every fold along k."""
        lanes = tile.sparsity.pattern.kept if _spreads(array, tile.sparsity) else 1
        return Sends(
            west=lanes * ceil_div(tile.n, array.cols),
            north=1,
            sums=ceil_div(_held(array, tile), array.rows * numbers["resident_groups"]),
        )

    def hop_bytes(self, array: ArrayTiming, passed: Passed) -> Count:
        """What moves passes a row, what stays half a column on average, sums a whole column in every fold."""
        leaving = (passed.output_bytes + passed.result_bytes) // 2 * array.rows
        return passed.west_bytes * array.cols + passed.north_bytes * array.rows // 2 + leaving

    def floor(self, sums: TileSums) -> FloatArray:
        """Every fold full of work or of loading, whichever takes longer; the first load and the skew once a tile."""
        array, (slots, load) = sums.array, stationary_group(sums.array, sums.sparsity)
        held = replace(sums, groups=sums.slots) if _spreads(array, sums.sparsity) else sums
        folds = held.folds_of_groups(array.rows) * sums.folds("n", array.cols)
        ends = (array.rows - 1) * array.accumulate_latency + array.cols - 1 + array.mac_latency - 1
        streamed = folds * slots * sums.m_extent + sums.tiles * array.rows * load
        loaded = folds * sums.m.trips * array.rows * load
        return np.asarray(np.maximum(streamed, loaded) + sums.tiles * ends, dtype=np.float64)

    def least_sends(self, sums: TileSums) -> tuple[Count, Count]:
        """As ``sends`` has it: no number of a mapping makes them fewer."""
        lanes = sums.sparsity.pattern.kept if _spreads(sums.array, sums.sparsity) else 1
        return lanes * sums.folds("n", sums.array.cols), sums.m.trips


WEIGHT_STATIONARY = WeightStationary()
"""The dataflow ``ws``."""
