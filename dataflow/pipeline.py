"""The time of a whole product: tiles computed one after another while DMA fetches exactly one tile ahead.

    begun(d(1))
    + sum over tiles of max(c(i), begun(d(i+1)), d(i+1) + o(i-1), v(i-1))
    + max(o(last), v(last)),                                   begun(d) = d and latency, or 0

c: tile time, until the next one enters where tiles overlap; d: cycles to load what the next tile changes (operand
blocks, partial sums); o: cycles to store what the tile before last left; v: cycles of the vector lanes on those results
(see ``epilogue``). Repetitions of the product (groups, heads) form one more, outermost loop. The sum is exact:
positions in the loop nest that look alike (same tile kinds, same neighbours, see ``loop_nest``) are counted, not
walked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.tensor_engine import Count
from ..configs.arrays import BoolArray, Counts, IntArray, choose
from .epilogue import NO_EPILOGUE, Epilogue
from .gemm import Axis
from .loop_nest import Kinds, Shape, loop_nest
from .mapping import LOOP_ORDERS
from .tile_grid import TileGrid
from .tile_overlap import at_pair, cycles_by_next, overlaps
from .tiling import AxisTiles


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Candidate mappings of one product, one loop order each, with their tile times.

    Attributes:
        tiles: [K] candidate tiles.
        orders: [K] block loop orders, outermost first: names, or their numbers in ``LOOP_ORDERS``.
        tile_cycles: [K, 2, 2, 3] time of each kind of tile; where tiles overlap, [..., ``tile_overlap.NUMBERS``].
        count: repetitions of the product.
        a_in_west: whether A lies in the west buffer, or B; [K] of each candidate.
        epilogue: what is done with results on their way out.
    """

    tiles: TileGrid
    orders: Sequence[str] | IntArray
    tile_cycles: IntArray
    count: int
    a_in_west: bool | BoolArray
    epilogue: Epilogue = NO_EPILOGUE

    @cached_property
    def _orders(self) -> IntArray:
        """[K] numbers in ``LOOP_ORDERS``."""
        orders = self.orders
        return orders if isinstance(orders, np.ndarray) else np.array([LOOP_ORDERS.index(order) for order in orders])

    @cached_property
    def terms(self) -> Terms:
        """Every term of the sum, by representative position."""
        tiles = self.tiles
        axes: dict[Axis, AxisTiles] = {"m": tiles.m, "n": tiles.n, "k": tiles.k}
        shape = Shape.of(self.count, axes)
        nest, walk = loop_nest(shape), shape.walk(self._orders, axes)
        weight = np.where(nest.present[walk], shape.weights(self.count, axes), 0)
        stays = {
            place: np.choose(self._orders, kept).astype(np.intp) for place, kept in tiles.kept(self.a_in_west).items()
        }
        next_a, next_b = nest.load_a[stays["a"], walk], nest.load_b[stays["b"], walk]
        store = nest.store[stays["c"], walk]
        stores = np.concatenate([_flat(self.result_store_cycles), _flat(tiles.sum_store_cycles)], axis=1)
        here, following = nest.tile[walk], nest.next_tile[walk]
        return Terms(
            weight=weight,
            here=here,
            following=following,
            tile=self._tile_at(here, following),
            next_a=next_a,
            next_b=next_b,
            load_a=_at(tiles.a_load_cycles, next_a),
            load_b=_at(tiles.b_load_cycles, next_b),
            load_sums=_at(tiles.sum_load_cycles, nest.load_sums[stays["c"], walk]),
            store=_at(stores, store),
            lanes=_at(self.result_lane_cycles, np.minimum(store, 4)) if self.epilogue.passes_lanes else 0 * weight,
            latency_cycles=tiles.memory.latency_cycles,
        )

    def _tile_at(self, here: Kinds, following: Kinds) -> IntArray:
        """[K, P] time of the tiles at positions."""
        if not overlaps(self.tile_cycles):
            return _at(self.tile_cycles, here, spare=False)
        return at_pair(cycles_by_next(self.tile_cycles)[1], here, following)

    @cached_property
    def result_store_cycles(self) -> IntArray:
        """[K, 2, 2] DRAM cycles in which a finished tile leaves, fused operators' bytes included."""
        if self.epilogue.nothing:
            return self.tiles.result_cycles
        return np.asarray(self.epilogue.store_cycles(self.tiles.bare_result_cycles))

    @cached_property
    def result_lane_cycles(self) -> IntArray:
        """[K, 2, 2] cycles of the vector lanes on a finished tile."""
        lanes = np.reshape(self.tiles.design.vector_lanes, (-1, 1, 1))
        return np.asarray(self.epilogue.lane_cycles(lanes, self.tiles.result_elements))

    @property
    def first_load_cycles(self) -> IntArray:
        """[K] latency and load of the first tile."""
        return first_load_cycles(self.tiles)

    @property
    def last_store_cycles(self) -> IntArray:
        """[K] the last tile's results on their way out: stored, and through the lanes."""
        return np.maximum(self.result_store_cycles, self.result_lane_cycles)[:, 1, 1]

    @cached_property
    def cycles(self) -> IntArray:
        """[K] cycles of the product, all repetitions."""
        return np.asarray(self.first_load_cycles + self.terms.total + self.last_store_cycles)


def _flat(cycles: IntArray) -> IntArray:
    return cycles.reshape(len(cycles), math.prod(cycles.shape[1:]))


def _at(cycles: IntArray, kind: Kinds, *, spare: bool = True) -> IntArray:
    """[K, P] cycles of the kind at each position, kinds numbered flat; 0 for the number after the last."""
    flat = _flat(cycles)
    if spare:
        flat = np.concatenate([flat, np.zeros((len(flat), 1), dtype=np.int64)], axis=1)
    return np.take_along_axis(flat, kind.astype(np.intp), axis=1)


def dma_cycles(load: Counts, store: Counts, latency: Counts) -> Counts:
    """Cycles that DMA needs beside a tile: what the next one changes, and what the one before it left.

    Args:
        load: cycles of the first.
        store: of the second.
        latency: of a request.
    """
    return load + np.maximum(choose(load > 0, latency, 0), store)


def first_load_cycles(tiles: TileGrid) -> IntArray:
    """[J] latency and load of the first tile."""
    loads = tiles.block_totals.first_a_cycles + tiles.block_totals.first_b_cycles
    # Operands that stay on chip are not asked for.
    return np.asarray(np.where(loads > 0, tiles.memory.latency_cycles + loads, 0))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The sum's terms at representative positions, [K, P] each.

    Attributes:
        weight: positions that each one stands for.
        here: kind of the tile, flat over [2, 2, 3].
        following: kind of the next one; 12 when there is none.
        tile: c, cycles of the tile itself.
        next_a: kind of the next tile's block of A, flat over [2, 3]; 6 when it is no new one.
        next_b: the same of B, flat over [3, 2].
        load_a: cycles to load the next tile's block of A, if it is a new one.
        load_b: the same for B.
        load_sums: the same for partial sums.
        store: cycles to store what the tile before this one left.
        lanes: cycles of the vector lanes on that.
        latency_cycles: of a DRAM request.
    """

    weight: IntArray
    here: Kinds
    following: Kinds
    tile: IntArray
    next_a: Kinds
    next_b: Kinds
    load_a: IntArray
    load_b: IntArray
    load_sums: IntArray
    store: IntArray
    lanes: IntArray
    latency_cycles: Count

    @cached_property
    def load(self) -> IntArray:
        """d(i+1)."""
        return self.load_a + self.load_b + self.load_sums

    @cached_property
    def memory(self) -> IntArray:
        """Cycles that DMA needs beside a tile."""
        return np.asarray(dma_cycles(self.load, self.store, np.reshape(self.latency_cycles, (-1, 1))))

    @cached_property
    def waiting(self) -> IntArray:
        """Cycles that the array waits after a tile, for DMA or for the lanes."""
        return np.asarray(np.maximum(np.maximum(self.memory, self.lanes) - self.tile, 0))

    @cached_property
    def total(self) -> IntArray:
        """[K] the sum."""
        return np.asarray((self.weight * (self.tile + self.waiting)).sum(axis=1))
