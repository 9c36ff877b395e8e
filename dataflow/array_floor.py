"""Floors of the array's time for every tile of the ladder on many designs, from a few numbers a GEMM axis.

A floor is what no array mapping of a dataflow and side can beat, as the dataflow says it, and each port's bytes at the
fewest sends. It is a sum of products of one factor a GEMM axis, so it takes an outer product where the exact time takes
every kind of tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.specification import SIDES
from ..configs.arrays import FloatArray, IntArray
from .dataflows.dataflow import Dataflow
from .dataflows.tile import Sparsity, TileSums
from .design_table import DesignTable
from .gemm import SUM_BYTES, Operand
from .side_mappings import timing_of_each
from .tile_grid import TileGrid


@dataclass(frozen=True, kw_only=True)
class ArrayFloor:
    """Floors for candidate tiles [J] on designs [E].

    Attributes:
        tiles: the candidates.
        table: of the designs.
        index: which of the table's designs, [E].
        deepest: accumulations that a PE may turn between at most, [E].
    """

    tiles: TileGrid
    table: DesignTable
    index: IntArray
    deepest: IntArray

    def _number(self, name: str) -> IntArray:
        return self.table.numbers[name][self.index][:, None]

    @cached_property
    def _sums(self) -> TileSums:
        tiles, gemm = self.tiles, self.tiles.gemm
        return TileSums(
            array=timing_of_each(self.table, self.index),
            deepest=self.deepest[:, None],
            m=tiles.m,
            n=tiles.n,
            k=tiles.k,
            slots=tiles.slots,
            groups=tiles.groups,
            count_k=tiles.count_k,
            m_extent=gemm.m,
            n_extent=gemm.n,
            sparsity=Sparsity.of(gemm),
        )

    @cached_property
    def _operand_bytes(self) -> dict[Operand, IntArray]:
        """[J] bytes of each whole operand as the array takes it once: all tiles along k."""
        tiles, gemm = self.tiles, self.tiles.gemm
        pairs = self._sums.slots_along_k * tiles.pair_bits // 8
        dense = (tiles.size_k * tiles.count_k).sum(axis=1) * tiles.value_bytes
        sides: dict[Operand, int] = {"a": gemm.m, "b": gemm.n}
        return {operand: side * (pairs if operand == gemm.compressed else dense) for operand, side in sides.items()}

    def cycles(self, lying: Dataflow) -> FloatArray:
        """[E, J] floor of all tiles of one repetition."""
        return np.maximum(lying.floor(self._sums), self._ports(lying))

    def least_port_bytes(self, lying: Dataflow) -> dict[str, FloatArray]:
        """[E, J] bytes that pass each port at the fewest sends: ``west_bytes``, ``north_bytes``, ``output_bytes``."""
        gemm = self.tiles.gemm
        west_sends, north_sends = lying.least_sends(self._sums)
        return {
            "west_bytes": np.atleast_2d(self._operand_bytes[lying.west] * west_sends),
            "north_bytes": np.atleast_2d(self._operand_bytes[lying.north] * north_sends),
            "output_bytes": np.atleast_2d(gemm.m * gemm.n * SUM_BYTES * (2 * self.tiles.k.trips - 1)),
        }

    def _ports(self, lying: Dataflow) -> FloatArray:
        """[E, J] floor that the slowest port sets."""
        passed = self.least_port_bytes(lying)
        cycles = [passed[f"{side}_bytes"] / self._number(f"{side}_port") for side in SIDES]
        return np.maximum(np.maximum(cycles[0], cycles[1]), cycles[2])
