"""How long the tensor engine is busy with one tile, and what passes its ports meanwhile.

Tile time is the longest of the array's own cycles and each port's bytes over its width; fill and drain are paid by
every tile. Arrays are [A, J, 2, 2, 3]: array mappings of one dataflow and side, candidate tiles, tile kinds along m,
n and k (see ``tile_grid``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.specification import Dataflow
from ..accel.tensor_engine import (
    ceil_div,
    output_stationary_bubbles,
    output_stationary_cycles,
    weight_stationary_bubbles,
    weight_stationary_cycles,
)
from ..configs.arrays import BoolArray, IntArray
from .design_view import per_candidate
from .gemm import SUM_BYTES, Operand
from .mapping import ArrayMapping, stationary_group
from .tile_grid import TileGrid

PARAMETERS = ("interleave_m", "interleave_n", "resident_groups", "interleave")
"""The numbers of an array mapping."""


def parameters_of(mappings: Sequence[ArrayMapping]) -> IntArray:
    """[4, A] the numbers of array mappings, in the order of ``PARAMETERS``."""
    return np.array([[getattr(mapping, name) for mapping in mappings] for name in PARAMETERS], dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class TileTime:
    """Times of candidate tiles under array mappings that share a dataflow and a side.

    Attributes:
        tiles: the candidate tiles.
        dataflow: that all mappings share.
        west: the operand in the west buffer.
        parameters: of the mappings by name, see ``ArrayMapping``: [A, 1, 1, 1, 1] of mappings that every tile meets,
            [1, J, 1, 1, 1] of a mapping a tile.
    """

    tiles: TileGrid
    dataflow: Dataflow
    west: Operand
    parameters: dict[str, IntArray]

    @classmethod
    def of(cls, tiles: TileGrid, mappings: Sequence[ArrayMapping]) -> TileTime:
        """Every tile under every mapping."""
        values = parameters_of(mappings)[:, :, None, None, None, None]
        first = mappings[0]
        return cls(
            tiles=tiles, dataflow=first.dataflow, west=first.west, parameters=dict(zip(PARAMETERS, values, strict=True))
        )

    @classmethod
    def in_turn(cls, tiles: TileGrid, dataflow: Dataflow, west: Operand, parameters: IntArray) -> TileTime:
        """A mapping a tile; ``parameters`` [4, J] as ``parameters_of`` gives them. A is 1 then."""
        values = parameters[:, None, :, None, None, None]
        return cls(tiles=tiles, dataflow=dataflow, west=west, parameters=dict(zip(PARAMETERS, values, strict=True)))

    def _parameter(self, name: str) -> IntArray:
        return self.parameters[name]

    @cached_property
    def _sizes(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """m, n, k and slots of every tile kind, shaped to broadcast against [A, J, 2, 2, 3].

        An axis has length 1 where the last tile of every candidate is a full one: the usual case, and twelve times less
        work.
        """
        tiles = self.tiles
        return (
            _kinds_apart(tiles.size_m)[None, :, :, None, None],
            _kinds_apart(tiles.size_n)[None, :, None, :, None],
            _kinds_apart(tiles.size_k)[None, :, None, None, :],
            _kinds_apart(tiles.slots)[None, :, None, None, :],
        )

    @cached_property
    def _groups(self) -> IntArray:
        return _kinds_apart(self.tiles.groups)[None, :, None, None, :]

    def total(self, per_tile: IntArray) -> IntArray:
        """[A, J] sum of a per-tile quantity over all tiles of one repetition."""
        alike = tuple(axis - 1 for axis in (2, 3, 4) if per_tile.shape[axis] == 1)
        counts = self.tiles.counts.sum(axis=alike, keepdims=True)
        return np.asarray((per_tile * counts).sum(axis=(2, 3, 4)))

    def cycles_at(self, mapping: IntArray, tile: IntArray) -> IntArray:
        """[K, 2, 2, 3] cycles of every tile kind of chosen candidates."""
        return np.broadcast_to(self.cycles[mapping, tile], (len(mapping), 2, 2, 3))

    @property
    def repeats(self) -> BoolArray:
        """[A, J] where a mapping, cut to what the tile offers, is one that stands already with smaller numbers."""
        engine, tiles = self.tiles.design.array, self.tiles
        full = {"m": tiles.size_m[:, 0], "n": tiles.size_n[:, 0]}
        if self.dataflow == "os":
            rows, cols = (full["n"], full["m"]) if self.west == "b" else (full["m"], full["n"])
            on_rows, on_cols = (each[:, :, 0, 0, 0] for each in self._interleaves)
            return np.asarray(
                (on_rows > ceil_div(rows, per_candidate(engine.rows)))
                | (on_cols > ceil_div(cols, per_candidate(engine.cols)))
            )
        resident = self._parameter("resident_groups")[:, :, 0, 0, 0]
        interleave = self._parameter("interleave")[:, :, 0, 0, 0]
        moving = full["m" if self.dataflow == "ws" else "n"]
        least = np.minimum(per_candidate(engine.accumulate_latency), per_candidate(engine.register_depth))
        all_resident = resident > ceil_div(tiles.groups[:, 0], per_candidate(engine.rows))
        return np.asarray(all_resident | (interleave > np.maximum(moving, least)))

    # Cycles ----------------------------------------------------------------------------------------------------------

    @cached_property
    def array_cycles(self) -> IntArray:
        """Cycles of the array alone."""
        timing = self.tiles.design.array
        m, n, _, slots = self._sizes
        if self.dataflow == "os":
            rows, cols = (n, m) if self.west == "b" else (m, n)
            on_rows, on_cols = self._interleaves
            return np.asarray(
                output_stationary_cycles(
                    timing, m=rows, n=cols, slots=slots, interleave_m=on_rows, interleave_n=on_cols
                )
            )
        moving, columns = (m, n) if self.dataflow == "ws" else (n, m)
        group_slots, group_load = stationary_group(self.tiles.gemm, self.dataflow)
        return np.asarray(
            weight_stationary_cycles(
                timing,
                moving=moving,
                columns=columns,
                groups=self._groups,
                group_slots=group_slots,
                group_load=group_load,
                resident_groups=self._parameter("resident_groups"),
                interleave=self._parameter("interleave"),
            )
        )

    @cached_property
    def _interleaves(self) -> tuple[IntArray, IntArray]:
        return self._parameter("interleave_m"), self._parameter("interleave_n")

    @cached_property
    def cycles(self) -> IntArray:
        """Cycles of a tile: the array or the port that holds it up."""
        ports = np.maximum(np.maximum(self.west_cycles, self.north_cycles), self.output_cycles)
        return np.maximum(self.array_cycles, ports)

    @cached_property
    def west_cycles(self) -> IntArray:
        """Cycles that the west port needs."""
        return np.asarray(ceil_div(self.west_bytes, self.tiles.design.west_port_bytes))

    @cached_property
    def north_cycles(self) -> IntArray:
        """Cycles that the north port needs."""
        return np.asarray(ceil_div(self.north_bytes, self.tiles.design.north_port_bytes))

    @cached_property
    def output_cycles(self) -> IntArray:
        """Cycles that the output port needs."""
        return np.asarray(ceil_div(self.output_bytes, self.tiles.design.output_port_bytes))

    # Bytes through the ports -----------------------------------------------------------------------------------------

    @cached_property
    def _operand_bytes(self) -> dict[Operand, IntArray]:
        """Bytes of each operand of a tile as the array takes it once: expanded patches, pairs where compressed."""
        tiles = self.tiles
        m, n, k, slots = self._sizes
        compressed = tiles.gemm.compressed
        sides: dict[Operand, IntArray] = {"a": m, "b": n}
        return {
            operand: -(-side * slots * tiles.pair_bits // 8) if operand == compressed else side * k * tiles.value_bytes
            for operand, side in sides.items()
        }

    @cached_property
    def _folds(self) -> tuple[IntArray, IntArray]:
        """Times that the west and the north operand are sent: folds along the other operand's dimension."""
        engine = self.tiles.design.array
        m, n, _, _ = self._sizes
        if self.dataflow == "os":
            rows, cols = (n, m) if self.west == "b" else (m, n)
            on_rows, on_cols = self._interleaves
            return (
                np.asarray(ceil_div(cols, engine.cols * on_cols)),
                np.asarray(ceil_div(rows, engine.rows * on_rows)),
            )
        columns = n if self.dataflow == "ws" else m
        return np.asarray(ceil_div(columns, engine.cols)), np.ones_like(columns)

    @cached_property
    def west_bytes(self) -> IntArray:
        """Bytes through the west port for a tile."""
        return self._operand_bytes[self.west] * self._folds[0]

    @cached_property
    def north_bytes(self) -> IntArray:
        """Bytes through the north port for a tile."""
        north: Operand = "a" if self.west == "b" else "b"
        return self._operand_bytes[north] * self._folds[1]

    @cached_property
    def output_bytes(self) -> IntArray:
        """Bytes through the output port: every fold along k writes its sums, all but the first read them."""
        m, n, _, _ = self._sizes
        later_tile = np.array([0, 1, 1])
        if self.dataflow == "os":
            folds: IntArray = np.ones_like(m)
        else:
            rows = self.tiles.design.array.rows
            folds = np.asarray(ceil_div(self._groups, rows * self._parameter("resident_groups")))
        return np.asarray(m * n * SUM_BYTES * (2 * folds - 1 + later_tile))

    # Where the array's cycles go -------------------------------------------------------------------------------------

    @cached_property
    def issue_and_bubble_cycles(self) -> tuple[IntArray, IntArray]:
        """Of the array's cycles: those in which PEs issue, and those lost to the accumulate latency."""
        timing = self.tiles.design.array
        m, n, _, slots = self._sizes
        if self.dataflow == "os":
            rows, cols = (n, m) if self.west == "b" else (m, n)
            on_rows, on_cols = self._interleaves
            split = output_stationary_bubbles(
                timing, m=rows, n=cols, slots=slots, interleave_m=on_rows, interleave_n=on_cols
            )
        else:
            moving, columns = (m, n) if self.dataflow == "ws" else (n, m)
            split = weight_stationary_bubbles(
                timing,
                moving=moving,
                columns=columns,
                groups=self._groups,
                group_slots=stationary_group(self.tiles.gemm, self.dataflow)[0],
                resident_groups=self._parameter("resident_groups"),
                interleave=self._parameter("interleave"),
            )
        return np.asarray(split[0]), np.asarray(split[1])


def _kinds_apart(sizes: IntArray) -> IntArray:
    """[J, kinds], or [J, 1] when full tiles and last ones are alike everywhere."""
    return sizes[:, :1] if (sizes == sizes[:, :1]).all() else sizes
