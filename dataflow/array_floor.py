"""Floors of the array's time for every tile of the ladder on many designs, from a few numbers a GEMM axis.

A floor is what no array mapping of a dataflow and side can beat: every fold full of work, nothing waited for, skew and
drain paid once a tile, and each port's bytes at the fewest folds. It is a sum of products of one factor a GEMM axis, so
it takes an outer product where the exact time takes every kind of tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.specification import Dataflow
from ..configs.arrays import FloatArray, IntArray
from .design_table import DesignTable
from .gemm import SUM_BYTES, Operand
from .mapping import stationary_group
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
    def _tile_count(self) -> IntArray:
        tiles = self.tiles
        return tiles.m.trips * tiles.n.trips * tiles.k.trips

    @cached_property
    def _k(self) -> dict[str, IntArray]:
        """[J] sums over the tiles along k."""
        tiles = self.tiles
        return {
            "slots": (tiles.slots * tiles.count_k).sum(axis=1),
            "depth": (tiles.size_k * tiles.count_k).sum(axis=1),
        }

    def _folded(self, axis: str, extent: IntArray) -> IntArray:
        """[E, J] folds along an axis of the product, summed over its tiles, with ``extent`` [E, 1] a fold."""
        sizes = self.tiles.m if axis == "m" else self.tiles.n
        full, last = sizes.size[:, 0], sizes.size[:, 1]
        return np.asarray((sizes.trips - 1) * -(-full // extent) + -(-last // extent))

    def _folded_groups(self, rows: IntArray) -> IntArray:
        """[E, J] folds along k of the stationary operand's groups, ``rows`` [E, 1] a fold."""
        tiles = self.tiles
        groups, counts = tiles.groups, tiles.count_k
        return np.asarray((counts * -(-groups // rows[:, :, None])).sum(axis=2))

    def _operand_bytes(self, operand: Operand) -> IntArray:
        """[J] bytes of one element of the other side's extent, all tiles along k."""
        tiles = self.tiles
        if operand == tiles.gemm.compressed:
            return self._k["slots"] * tiles.pair_bits // 8
        return self._k["depth"] * tiles.value_bytes

    def cycles(self, dataflow: Dataflow, west: Operand) -> FloatArray:
        """[E, J] floor of all tiles of one repetition."""
        found = self._output_stationary(west) if dataflow == "os" else self._weight_stationary(dataflow)
        return np.maximum(found, self._ports(dataflow, west))

    def _output_stationary(self, west: Operand) -> FloatArray:
        tiles, array = self.tiles, self.table.first.tensor_engine
        rows, cols, latency = self._number("rows"), self._number("cols"), self._number("accumulate_latency")
        on_rows, on_cols = ("n", "m") if west == "b" else ("m", "n")
        folds = self._folded(on_rows, rows) * self._folded(on_cols, cols)
        # Where too few accumulations hide the latency, each waits its share of it.
        stretch = np.maximum(latency / self.deepest[:, None], 1.0)
        issue = folds * (self._k["slots"] * stretch - tiles.k.trips * (stretch - 1))
        ends = rows + cols - 2 + self._number("mac_latency") - 1 + (rows if array.drain == "shift" else 0)
        return np.asarray(issue + self._tile_count * ends)

    def _weight_stationary(self, dataflow: Dataflow) -> FloatArray:
        tiles = self.tiles
        rows, cols, latency = self._number("rows"), self._number("cols"), self._number("accumulate_latency")
        slots, load = stationary_group(tiles.gemm, dataflow)
        columns, moving = ("n", tiles.gemm.m) if dataflow == "ws" else ("m", tiles.gemm.n)
        sent = tiles.m.trips if dataflow == "ws" else tiles.n.trips
        folds = self._folded_groups(rows) * self._folded(columns, cols)
        ends = (rows - 1) * latency + cols - 1 + self._number("mac_latency") - 1
        streamed = folds * slots * moving + self._tile_count * rows * load
        loaded = folds * sent * rows * load
        return np.asarray(np.maximum(streamed, loaded) + self._tile_count * ends, dtype=np.float64)

    def _ports(self, dataflow: Dataflow, west: Operand) -> FloatArray:
        """[E, J] floor that the slowest port sets."""
        tiles, gemm = self.tiles, self.tiles.gemm
        rows, cols, deep = self._number("rows"), self._number("cols"), self.deepest[:, None]
        extent = {"a": gemm.m, "b": gemm.n}
        other = {"a": "n", "b": "m"}
        north: Operand = "b" if west == "a" else "a"
        if dataflow == "os":
            west_folds = self._folded(other[west], cols * deep)
            north_folds = self._folded(other[north], rows * deep)
        else:
            west_folds, north_folds = self._folded(other[west], cols), (tiles.m if north == "b" else tiles.n).trips
        in_west = extent[west] * self._operand_bytes(west) * west_folds / self._number("west_port")
        in_north = extent[north] * self._operand_bytes(north) * north_folds / self._number("north_port")
        sums = gemm.m * gemm.n * SUM_BYTES * (2 * tiles.k.trips - 1) / self._number("output_port")
        return np.maximum(np.maximum(in_west, in_north), sums)
