"""Floors of the array's time for every combination of tile sizes on many designs, from a few numbers a GEMM axis.

A floor is what no array mapping of a dataflow and side can beat, as the dataflow says it, and each port's bytes at the
fewest sends. It is a sum of products of one factor a GEMM axis, so it takes an outer product where the exact time takes
every kind of tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..accel.specification import SIDES
from ..accel.tensor_engine import Count
from ..configs.arrays import FloatArray, IntArray
from .actions import actions_on_array
from .dataflows.dataflow import Dataflow
from .dataflows.tile import Sparsity, TileSums
from .design_table import DesignTable
from .formats.stored import least_stored_bytes
from .gemm import SUM_BYTES, Operand
from .shares import array_for, groups_of_share, on_array, sizes_on_array, slots_of_share
from .side_mappings import timing_of_each
from .tile_pairs import Combinations


@dataclass(frozen=True, kw_only=True)
class ArrayFloor:
    """Floors for combinations of tile sizes on designs, [E, M, N, K] or shapes that broadcast to it.

    Attributes:
        tiles: the combinations.
        table: of the designs.
        index: which of the table's designs, [E].
        interleave: whether a PE may turn between accumulations.
    """

    tiles: Combinations
    table: DesignTable
    index: IntArray
    interleave: bool

    def _number(self, name: str) -> IntArray:
        return np.asarray(self.table.numbers[name][self.index][:, None, None, None])

    @cached_property
    def _sums(self) -> TileSums:
        tiles, gemm = self.tiles, self.tiles.gemm
        depth = self._number("register_depth")
        return TileSums(
            array=array_for(gemm, timing_of_each(self.table, self.index, beside=3)),
            deepest=depth if self.interleave else np.ones_like(depth),
            m=sizes_on_array(gemm, tiles.m, "m"),
            n=sizes_on_array(gemm, tiles.n, "n"),
            k=tiles.k,
            slots=np.asarray(slots_of_share(gemm, tiles.slots, tiles.groups)),
            groups=np.asarray(groups_of_share(gemm, tiles.groups)),
            count_k=tiles.count_k,
            m_extent=on_array(gemm, "m", gemm.m),
            n_extent=on_array(gemm, "n", gemm.n),
            sparsity=Sparsity.of(gemm),
        )

    @cached_property
    def _operand_bytes(self) -> dict[Operand, Count]:
        """Bytes of each whole operand as the array takes it once: all tiles along k."""
        gemm = self.tiles.gemm
        sides: dict[Operand, int] = {"a": gemm.m, "b": gemm.n}
        kept, stored, dense = self.tiles.kept_along_k, self.tiles.stored, gemm.k * self.table.value_bytes
        return {
            operand: least_stored_bytes(side * kept[operand], stored[operand])
            if operand in gemm.compressed
            else side * dense
            for operand, side in sides.items()
        }

    def cycles(self, lying: Dataflow) -> FloatArray:
        """Floor of all tiles of one repetition."""
        passed = self.least_port_bytes(lying)
        west, north, output = (passed[f"{side}_bytes"] / self._number(f"{side}_port") for side in SIDES)
        if self.table.shares_port:
            shared = (passed["west_bytes"] + passed["north_bytes"]) / self._number("operand_port")
            north = np.maximum(north, shared)
        # Each port depends on two axes: the small arrays first.
        return np.maximum(np.maximum(lying.floor(self._sums), np.maximum(west, output)), north)

    def least_actions(self, lying: Dataflow) -> dict[str, Any]:
        """Actions of the array that no mapping makes fewer, all repetitions; as ``actions.actions_on_array``."""
        gemm = self.tiles.gemm
        passed = {name: gemm.count * each for name, each in self.least_port_bytes(lying).items()}
        return actions_on_array(gemm, self._sums.array, lying, trips_k=self.tiles.k.trips, **passed)

    def least_port_bytes(self, lying: Dataflow) -> dict[str, IntArray]:
        """Bytes that pass each port at the fewest sends: ``west_bytes``, ``north_bytes``, ``output_bytes``."""
        gemm = self.tiles.gemm
        west_sends, north_sends = lying.least_sends(self._sums)
        return {
            "west_bytes": np.asarray(self._operand_bytes[lying.west] * west_sends),
            "north_bytes": np.asarray(self._operand_bytes[lying.north] * north_sends),
            "output_bytes": gemm.m * gemm.n * SUM_BYTES * (2 * self._sums.k.trips - 1),
        }
