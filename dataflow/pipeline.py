"""The time of a whole product: tiles computed one after another while DMA fetches exactly one tile ahead.

    begun(d(1))
    + sum over tiles of max(c(i), begun(d(i+1)), d(i+1) + o(i-1), v(i-1))
    + max(o(last), v(last)),                                   begun(d) = d and latency, or 0

c: tile time; d: cycles to load what the next tile changes (operand blocks, partial sums); o: cycles to store what the
tile before last left; v: cycles of the vector lanes on those results (see ``way_out``). Repetitions of the product
(groups, heads) form one more, outermost loop. The sum is exact: positions in the loop nest that look alike (same tile
kinds, same neighbours) are counted, not walked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..accel.tensor_engine import Count
from .mapping import LOOP_ORDERS
from .tile_grid import TileGrid
from .way_out import NOTHING, WayOut

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_SPECIAL_LAST = 2
"""Positions at the end of a loop that differ from those before: the last, and the one whose next is the last. At the
start only the first differs."""


_AXES_OF_ORDER = np.array([["mnk".index(axis) for axis in order] for order in LOOP_ORDERS], dtype=np.int64)
"""[6, 3] which of m, n, k (0, 1, 2) each loop of each order turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Block indices of one position (or of its neighbour) in every candidate's loop nest, [K, P] each."""

    repeat: IntArray
    m: IntArray
    n: IntArray
    k: IntArray


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Candidate mappings of one product, one loop order each, with their tile times.

    Attributes:
        tiles: [K] candidate tiles.
        orders: [K] block loop orders, outermost first: names, or their numbers in ``LOOP_ORDERS``.
        tile_cycles: [K, 2, 2, 3] time of each kind of tile.
        count: repetitions of the product.
        way_out: what rides on the write-back of results.
    """

    tiles: TileGrid
    orders: Sequence[str] | IntArray
    tile_cycles: IntArray
    count: int
    way_out: WayOut = NOTHING

    # Positions
    # ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _trips(self) -> IntArray:
        """[K, 4] trip counts, outermost first: repetitions, then the three block loops."""
        trips = self.tiles.trips
        of_axis = np.stack([trips["m"], trips["n"], trips["k"]], axis=1)
        of_loop = np.take_along_axis(of_axis, self._axis_of_loop, axis=1)
        return np.concatenate([np.full((len(of_loop), 1), self.count), of_loop], axis=1)

    @cached_property
    def _axis_of_loop(self) -> IntArray:
        """[K, 3] which of m, n, k (0, 1, 2) each block loop turns."""
        orders = self.orders
        return _AXES_OF_ORDER[
            orders if isinstance(orders, np.ndarray) else [LOOP_ORDERS.index(order) for order in orders]
        ]

    def _loop_positions(self, trips: IntArray) -> tuple[IntArray, IntArray]:
        """[K, p] representative indices of one loop, and how many positions each stands for.

        Zero where a loop is too short to have the position.
        """
        places = min(int(trips.max()), 2 + _SPECIAL_LAST)
        index = np.broadcast_to(np.arange(places), (len(trips), places)).copy()
        weight = (index < trips[:, None]).astype(np.int64)
        long = trips > 2 + _SPECIAL_LAST
        if long.any():
            index[long, 2:] = trips[long, None] - _SPECIAL_LAST + np.arange(_SPECIAL_LAST)
            weight[long, 1] = trips[long] - 1 - _SPECIAL_LAST
        return index, weight

    @cached_property
    def _positions(self) -> tuple[IntArray, IntArray]:
        """[K, P, 4] loop indices of the representative positions, and [K, P] how many positions each stands for."""
        loops = [self._loop_positions(self._trips[:, loop]) for loop in range(4)]
        grid = np.indices([index.shape[1] for index, _ in loops]).reshape(4, -1)
        index = np.stack([loops[loop][0][:, grid[loop]] for loop in range(4)], axis=2)
        weight = np.ones(index.shape[:2], dtype=np.int64)
        for loop in range(4):
            weight *= loops[loop][1][:, grid[loop]]
        return index, weight

    def _neighbour(self, step: int) -> tuple[IntArray, BoolArray]:
        """The position after (+1) or before (-1) each one, and whether there is one."""
        index = self._positions[0].copy()
        trips = self._trips[:, None, :]
        carry = np.ones(index.shape[:2], dtype=bool)
        for loop in reversed(range(4)):
            moved = index[:, :, loop] + step
            wraps = (moved < 0) | (moved >= trips[:, :, loop])
            target = np.where(wraps, 0 if step > 0 else trips[:, :, loop] - 1, moved)
            index[:, :, loop] = np.where(carry, target, index[:, :, loop])
            carry = carry & wraps
        return index, ~carry

    def _place(self, index: IntArray) -> _Place:
        """Loop indices, sorted from loop order to axes."""
        rows = np.arange(len(index))[:, None]
        loop_of_axis = np.argsort(self._axis_of_loop, axis=1) + 1
        columns = np.arange(index.shape[1])[None, :]
        m, n, k = (index[rows, columns, loop_of_axis[:, axis][:, None]] for axis in range(3))
        return _Place(repeat=index[:, :, 0], m=m, n=n, k=k)

    def _kind(self, place: _Place) -> tuple[IntArray, IntArray, IntArray]:
        """Tile kinds along m, n and k: see ``tile_grid``."""
        trips = self.tiles.trips
        last = {axis: trips[axis][:, None] - 1 for axis in trips}
        m = (place.m == last["m"]).astype(np.int64)
        n = (place.n == last["n"]).astype(np.int64)
        k = np.where(place.k == 0, 0, np.where(place.k == last["k"], 2, 1))
        return m, n, k

    # Terms of the sum
    # --------------------------------------------------------------------------------------------------

    @cached_property
    def terms(self) -> Terms:
        """Every term of the sum, by representative position."""
        here_index, weight = self._positions
        next_index, has_next = self._neighbour(+1)
        before_index, has_before = self._neighbour(-1)
        here, following, before = (self._place(index) for index in (here_index, next_index, before_index))
        rows = np.arange(len(weight))[:, None]
        zero = np.zeros_like(weight)
        new_repeat = following.repeat != here.repeat
        m, n, k = self._kind(following)
        new_a = has_next & (new_repeat | (following.m != here.m) | (following.k != here.k))
        new_b = has_next & (new_repeat | (following.k != here.k) | (following.n != here.n))
        new_c = has_next & (new_repeat | (following.m != here.m) | (following.n != here.n))
        tiles = self.tiles
        load_a = np.where(new_a, tiles.a_load_cycles[rows, m, k], zero)
        load_b = np.where(new_b, tiles.b_load_cycles[rows, k, n], zero)
        load_sums = np.where(new_c & (following.k > 0), tiles.sum_load_cycles[rows, m, n], zero)
        left_c = has_before & ((before.repeat != here.repeat) | (before.m != here.m) | (before.n != here.n))
        m, n, _ = self._kind(before)
        finished = before.k == tiles.trips["k"][:, None] - 1
        store = np.where(
            left_c, np.where(finished, self.result_store_cycles[rows, m, n], tiles.sum_store_cycles[rows, m, n]), zero
        )
        lanes = np.where(left_c & finished, self.result_lane_cycles[rows, m, n], zero)
        next_kind = self._kind(following)
        m, n, k = self._kind(here)
        return Terms(
            weight=weight,
            tile=self.tile_cycles[rows, m, n, k],
            next_kind=next_kind,
            load_a=load_a,
            load_b=load_b,
            load_sums=load_sums,
            store=store,
            lanes=lanes,
            latency_cycles=tiles.memory.latency_cycles,
        )

    @cached_property
    def result_store_cycles(self) -> IntArray:
        """[K, 2, 2] DRAM cycles in which a finished tile leaves, riders' bytes included."""
        if self.way_out.nothing:
            return self.tiles.result_cycles
        return self.way_out.store_cycles(self.tiles.bare_result_cycles)

    @cached_property
    def result_lane_cycles(self) -> IntArray:
        """[K, 2, 2] cycles of the vector lanes on a finished tile."""
        elements = self.tiles.size_m[:, :, None] * self.tiles.size_n[:, None, :]
        return self.way_out.lane_cycles(self.tiles.design.vector_lanes, elements)

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


def first_load_cycles(tiles: TileGrid) -> IntArray:
    """[J] latency and load of the first tile."""
    only_m, only_n = (tiles.trips["m"] == 1).astype(np.int64), (tiles.trips["n"] == 1).astype(np.int64)
    rows = np.arange(len(tiles))
    loads = tiles.a_load_cycles[rows, only_m, 0] + tiles.b_load_cycles[rows, 0, only_n]
    # Operands that stay on chip are not asked for.
    return np.asarray(np.where(loads > 0, tiles.memory.latency_cycles + loads, 0))


def last_store_cycles(tiles: TileGrid) -> IntArray:
    """[J] store of the last tile's results."""
    return tiles.result_cycles[:, 1, 1]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The sum's terms at representative positions, [K, P] each.

    Attributes:
        weight: positions that each one stands for.
        tile: c, cycles of the tile itself.
        next_kind: kinds along m, n and k of the tile after this one.
        load_a: cycles to load the next tile's block of A, if it is a new one.
        load_b: the same for B.
        load_sums: the same for partial sums.
        store: cycles to store what the tile before this one left.
        lanes: cycles of the vector lanes on that.
        latency_cycles: of a DRAM request.
    """

    weight: IntArray
    tile: IntArray
    next_kind: tuple[IntArray, IntArray, IntArray]
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
        latency = np.where(self.load > 0, np.reshape(self.latency_cycles, (-1, 1)), 0)
        return np.asarray(self.load + np.maximum(latency, self.store))

    @cached_property
    def waiting(self) -> IntArray:
        """Cycles that the array waits after a tile, for DMA or for the lanes."""
        return np.asarray(np.maximum(np.maximum(self.memory, self.lanes) - self.tile, 0))

    @cached_property
    def total(self) -> IntArray:
        """[K] the sum."""
        return np.asarray((self.weight * (self.tile + self.waiting)).sum(axis=1))
