"""How long the tensor engine is busy with one tile, and what passes its ports meanwhile.

Tile time is the longest of the array's own cycles and each port's bytes over its width; fill and drain are paid by
every tile, unless tiles overlap (see ``tile_overlap``). Arrays are [A, J, 2, 2, 3]: array mappings of one dataflow and
side, candidate tiles, tile kinds along m, n and k (see ``tile_grid``). What the array does with a tile its dataflow
says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..accel.tensor_engine import ArrayTiming, Count, Handover, ceil_div
from ..configs.arrays import BoolArray, IntArray
from .dataflows.dataflow import Dataflow, Sends
from .dataflows.tile import ArrayTile, Sparsity
from .design_view import per_candidate
from .formats.stored import Stored, stored_bytes
from .gemm import SUM_BYTES, Operand
from .mapping import ArrayMapping
from .shares import array_for, tile_on_array
from .tile_grid import TileGrid
from .tile_overlap import least_of_kind, numbers_of_kind


@dataclass(frozen=True, kw_only=True)
class TileTime:
    """Times of candidate tiles under array mappings that share a dataflow and a side.

    Attributes:
        tiles: the candidate tiles.
        lying: the dataflow that all mappings share, as it lies.
        numbers: of the mappings by name: [A, 1, 1, 1, 1] of mappings that every tile meets, [1, J, 1, 1, 1] of a
            mapping a tile.
    """

    tiles: TileGrid
    lying: Dataflow
    numbers: dict[str, IntArray]

    @classmethod
    def of(cls, tiles: TileGrid, mappings: Sequence[ArrayMapping]) -> TileTime:
        """Every tile under every mapping."""
        lying = mappings[0].lying
        numbers = {
            name: np.array([mapping.number(name) for mapping in mappings], dtype=np.int64)[:, None, None, None, None]
            for name in lying.parameters
        }
        return cls(tiles=tiles, lying=lying, numbers=numbers)

    @classmethod
    def in_turn(cls, tiles: TileGrid, lying: Dataflow, parameters: IntArray) -> TileTime:
        """A mapping a tile; ``parameters`` [P, J] in the order of the dataflow's. A is 1 then."""
        return cls(tiles=tiles, lying=lying, numbers=lying.named(parameters[:, None, :, None, None, None]))

    @property
    def west(self) -> Operand:
        """The operand in the west buffer."""
        return self.lying.west

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
    def _tile(self) -> ArrayTile:
        """What the array sees of every tile kind."""
        m, n, _, slots = self._sizes
        groups = _kinds_apart(self.tiles.groups)[None, :, None, None, :]
        return tile_on_array(self.tiles.gemm, m=m, n=n, slots=slots, groups=groups)

    @property
    def _array(self) -> ArrayTiming:
        return array_for(self.tiles.gemm, self.tiles.design.array)

    @property
    def _sparsity(self) -> Sparsity:
        return Sparsity.of(self.tiles.gemm)

    def total(self, per_tile: IntArray) -> IntArray:
        """[A, J] sum of a per-tile quantity over all tiles of one repetition."""
        alike = tuple(axis - 1 for axis in (2, 3, 4) if per_tile.shape[axis] == 1)
        counts = self.tiles.counts.sum(axis=alike, keepdims=True)
        return np.asarray((per_tile * counts).sum(axis=(2, 3, 4)))

    @cached_property
    def of_kind(self) -> IntArray:
        """Cycles of every tile kind; where tiles overlap their ``tile_overlap.NUMBERS``, on one more axis."""
        if not self.tiles.design.array.tile_overlap:
            return self.cycles
        return numbers_of_kind(self.array_cycles, self.handover, self.port_cycles)

    def of_kind_at(self, mapping: IntArray, tile: IntArray) -> IntArray:
        """The same of chosen candidates: [K, 2, 2, 3] or [K, 2, 2, 3, ``tile_overlap.NUMBERS``]."""
        found = self.of_kind[mapping, tile]
        return np.broadcast_to(found, (len(mapping), 2, 2, 3, *found.shape[4:]))

    @cached_property
    def _full(self) -> tuple[ArrayTiming, ArrayTile, dict[str, IntArray]]:
        """What asks the dataflow of full tiles: the array, the tiles [J], the numbers of mappings [A, 1] or [1, J]."""
        tiles = self.tiles
        full = tile_on_array(
            tiles.gemm,
            m=tiles.size_m[:, 0],
            n=tiles.size_n[:, 0],
            slots=tiles.slots[:, 0],
            groups=tiles.groups[:, 0],
        )
        numbers = {name: values[:, :, 0, 0, 0] for name, values in self.numbers.items()}
        return timing_per_candidate(tiles.design.array), full, numbers

    @property
    def repeats(self) -> BoolArray:
        """[A, J] where a mapping, cut to what the tile offers, is one that stands already with smaller numbers."""
        found = self.lying.repeats(*self._full)
        shape = np.broadcast_shapes((1, len(self.tiles)), *(values.shape for values in self._full[2].values()))
        return np.broadcast_to(found, shape)

    @property
    def least_of_full(self) -> IntArray:
        """[A, J] cycles of all tiles that are full ones, no port in the way: less than of all, and soon known."""
        m, n, k = (
            np.where(axis.size[:, 0] == axis.size[:, 1], axis.trips, axis.fulls)
            for axis in (self.tiles.m, self.tiles.n, self.tiles.k)
        )
        return np.asarray(m * n * k * self.lying.least_cycles(*self._full))

    # Cycles ----------------------------------------------------------------------------------------------------------

    @cached_property
    def array_cycles(self) -> IntArray:
        """Cycles of the array alone."""
        return self._apart(self.lying.cycles(self._array, self._tile, self.numbers))

    @cached_property
    def handover(self) -> Handover:
        """When tiles let the next one in."""
        found = self.lying.handover(self._array, self._tile, self.numbers)
        return Handover(*(self._apart(each) for each in found))

    @staticmethod
    def _apart(count: Count) -> IntArray:
        """A count with all five axes, however few of them it depends on."""
        found = np.asarray(count)
        return found.reshape((1,) * (5 - found.ndim) + found.shape)

    @cached_property
    def cycles(self) -> IntArray:
        """Cycles of a tile alone: the array or the port that holds it up."""
        return np.maximum(self.array_cycles, self.port_cycles)

    @property
    def least_cycles(self) -> IntArray:
        """Cycles to the next tile that no neighbours make fewer."""
        return least_of_kind(self.of_kind)

    @property
    def slowest_port(self) -> IntArray:
        """Which of the ports is, its place in ``SIDES``; of equals the first.

        Where both operands wait for what they share, the one that takes more of it.
        """
        slowest = np.broadcast_to(self.port_cycles, self.cycles.shape)
        found = np.where(self.west_cycles == slowest, 0, np.where(self.north_cycles == slowest, 1, 2))
        if self.tiles.design.operand_port_bytes is None:
            return found
        own = np.maximum(np.maximum(self.west_cycles, self.north_cycles), self.output_cycles)
        return np.where(own == slowest, found, np.where(self.west_bytes >= self.north_bytes, 0, 1))

    @cached_property
    def port_cycles(self) -> IntArray:
        """Cycles of the slowest port."""
        found = np.maximum(np.maximum(self.west_cycles, self.north_cycles), self.output_cycles)
        return found if self.tiles.design.operand_port_bytes is None else np.maximum(found, self.shared_cycles)

    @cached_property
    def shared_cycles(self) -> IntArray:
        """Cycles that both operands need of the port that they share."""
        shared = self.tiles.design.operand_port_bytes
        assert shared is not None, "asked where they share one"
        return np.asarray(ceil_div(self.west_bytes + self.north_bytes, shared))

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
        m, n, k, _ = self._sizes
        sides: dict[Operand, IntArray] = {"a": m, "b": n}

        def passed(operand: Operand) -> Count:
            kept = _kinds_apart(tiles.kept_k(operand))[None, :, None, None, :]
            stored, compressed = tiles.stored(operand), operand in tiles.gemm.compressed
            return operand_bytes(sides[operand], kept, k, stored, tiles.value_bytes, compressed)

        return {operand: np.asarray(passed(operand)) for operand in sides}

    @cached_property
    def _sends(self) -> Sends:
        return self.lying.sends(self._array, self._tile, self.numbers)

    @cached_property
    def west_bytes(self) -> IntArray:
        """Bytes through the west port for a tile."""
        return self._operand_bytes[self.lying.west] * self._sends.west

    @cached_property
    def north_bytes(self) -> IntArray:
        """Bytes through the north port for a tile."""
        return self._operand_bytes[self.lying.north] * self._sends.north

    @cached_property
    def output_bytes(self) -> IntArray:
        """Bytes through the output port: every fold along k writes its sums, all but the first read them."""
        m, n, _, _ = self._sizes
        return np.asarray(output_bytes(m, n, self._sends.sums, np.array([0, 1, 1])))

    # Where the array's cycles go -------------------------------------------------------------------------------------

    @cached_property
    def issue_and_bubble_cycles(self) -> tuple[IntArray, IntArray]:
        """Of the array's cycles: those in which PEs issue, and those lost to the accumulate latency."""
        issue, bubble = self.lying.issue_and_bubble_cycles(self._array, self._tile, self.numbers)
        return self._apart(issue), self._apart(bubble)

    @property
    def imbalance_cycles(self) -> IntArray:
        """Of the cycles in which PEs issue those in which lanes wait for the fullest; none where zeros have a rule."""
        issue, _ = self.issue_and_bubble_cycles
        if not self._sparsity.waits:
            return np.zeros_like(issue)
        balanced = replace(self._tile, slots=_kinds_apart(self.tiles.balanced_slots)[None, :, None, None, :])
        alone, _ = self.lying.issue_and_bubble_cycles(self._array, balanced, self.numbers)
        return issue - self._apart(alone)


def operand_bytes(side: Count, kept: Count, k: Count, stored: Stored, value_bytes: int, compressed: bool) -> Count:
    """Bytes of an operand of a tile as the array takes it once.

    Args:
        side: its m or n.
        kept: elements kept along k, times ``kept_scale``.
        k: depth.
        stored: how it is stored where it travels as pairs.
        value_bytes: of a dense value.
        compressed: whether it travels as pairs.
    """
    if compressed:
        found: Count = stored_bytes(side * kept, side * k, stored)
        return found
    return side * k * value_bytes


def output_bytes(m: Count, n: Count, sums: Count, later: Count) -> Count:
    """Bytes through the output port for a tile.

    Args:
        m: rows of C.
        n: columns.
        sums: times that its sums leave.
        later: 1 for a tile that goes on with sums that are there; 0 for the first along k.
    """
    return m * n * SUM_BYTES * (2 * sums - 1 + later)


def timing_per_candidate(array: ArrayTiming) -> ArrayTiming:
    """The timing of a view with each count flat: a number, or [K]."""
    return array._replace(
        rows=per_candidate(array.rows),
        cols=per_candidate(array.cols),
        mac_latency=per_candidate(array.mac_latency),
        accumulate_latency=per_candidate(array.accumulate_latency),
        register_depth=per_candidate(array.register_depth),
    )


def _kinds_apart(sizes: IntArray) -> IntArray:
    """[J, kinds], or [J, 1] when full tiles and last ones are alike everywhere."""
    return sizes[:, :1] if (sizes == sizes[:, :1]).all() else sizes
