"""How often each operand's blocks cross between DRAM and the buffers, in closed form.

``fetches(X)`` is the product of the trip counts from the outermost loop through the innermost loop that X depends on
and that turns more than once: inside of it the block stays. An operand that is kept (see ``holding``) is fetched once.
Witnessed by the walker in ``sim.witness.machines``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from ..configs.arrays import BoolArray, Counts, IntArray, choose
from .gemm import AXES, Axis, Place
from .holding import FREE_AXIS, turning_inside
from .mapping import LOOP_ORDERS
from .tile_grid import TileGrid


def repeated(trips: Mapping[Axis, IntArray], order: str, place: Place) -> BoolArray:
    """Whether every turn of its free loop fetches the blocks of an operand again (of ``c``: visits them), if not kept.

    So it is once a loop that the operand depends on turns inside the free one.

    Args:
        trips: [J] tiles along each axis.
        order: block loop order, outermost first.
        place: the operand.

    >>> trips = {"m": np.array([4]), "n": np.array([3]), "k": np.array([2])}
    >>> repeated(trips, "mnk", "a").tolist()  # A is loaded again for every n
    [True]
    >>> repeated(trips, "mnk", "c").tolist()  # sums stay until finished
    False
    """
    turned = np.asarray(False)
    for axis in turning_inside(order, place):
        turned = turned | (trips[axis] > 1)
    return turned


def fetches(stays: Counts, turns: Counts, trips: Counts) -> Counts:
    """Times that each block of an operand is fetched; of C, visited.

    Args:
        stays: whether it is kept across its free loop.
        turns: whether every turn of that loop fetches it again, if not.
        trips: turns.
    """
    return choose(stays, 1, choose(turns, trips, 1))


def moved_in_all(
    a_fetches: Counts, b_fetches: Counts, c_visits: Counts, a: Counts, b: Counts, sums: Counts, results: Counts
) -> Counts:
    """What all blocks come to: bytes, or cycles of DRAM.

    Args:
        a_fetches: times that each block of A is fetched.
        b_fetches: of B.
        c_visits: times that each block of C is visited.
        a: of all blocks of A, each once.
        b: of B.
        sums: of all blocks of partial sums written and read back, each once.
        results: of all finished blocks.
    """
    return a_fetches * a + b_fetches * b + (c_visits - 1) * sums + results


def distinct_orders(trips: dict[Axis, IntArray], orders: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """[J, orders] one of each set of equal orders: loops that turn once may stand anywhere."""
    return np.asarray(_distinct_by_code(orders)[_turning_code(trips)])


def count_distinct_orders(trips: Mapping[Axis, IntArray]) -> IntArray:
    """[J] how many loop orders differ from one another."""
    return np.asarray(_distinct_by_code(LOOP_ORDERS).sum(axis=1)[_turning_code(trips)])


def _turning_code(trips: Mapping[Axis, IntArray]) -> IntArray:
    """[J] which of m, n, k turn: bits 0, 1, 2."""
    turning = [(trips[axis] > 1).astype(np.int64) for axis in AXES]
    return turning[0] + 2 * turning[1] + 4 * turning[2]


@cache
def _distinct_by_code(orders: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """[8, orders] which orders to keep, by which of m, n, k turn (bits 0, 1, 2)."""
    keep = np.zeros((8, len(orders)), dtype=bool)
    for code in range(8):
        turning = {axis for position, axis in enumerate("mnk") if code >> position & 1}
        essences = ["".join(axis for axis in order if axis in turning) for order in orders]
        keep[code] = [essence not in essences[:column] for column, essence in enumerate(essences)]
    return keep


@cache
def _repeated_by_code(place: Place) -> npt.NDArray[np.bool_]:
    """[6, 8] what ``repeated`` says in each loop order, by which of m, n, k turn."""
    turning = {axis: 1 + (np.arange(8) >> bit & 1) for bit, axis in enumerate(AXES)}
    return np.stack([np.broadcast_to(repeated(turning, order, place), 8) for order in LOOP_ORDERS])


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes and cycles of DRAM for candidate tiles, one repetition of the product; of every loop order, [6, J] each.

    Attributes:
        tiles: the candidate tiles, [J].
        a_in_west: whether A lies in the west buffer, or B; [J] of each tile.
        order: block loop order, outermost first, for [J] figures; or the number of a tile's own in ``LOOP_ORDERS``,
            [J]; all of them when None.
    """

    tiles: TileGrid
    a_in_west: bool | BoolArray
    order: str | IntArray | None = None

    @cached_property
    def _kept(self) -> dict[Place, BoolArray]:
        return self.tiles.kept(self.a_in_west)

    def _fetches(self, place: Place) -> IntArray:
        trips, stays = self.tiles.trips, self._kept[place]
        if isinstance(self.order, str):
            turns = repeated(trips, self.order, place)
            return np.asarray(fetches(stays[LOOP_ORDERS.index(self.order)], turns, trips[FREE_AXIS[place]]))
        turns = _repeated_by_code(place)[:, _turning_code(trips)]
        again = fetches(stays, turns, trips[FREE_AXIS[place]])
        return again if self.order is None else np.choose(self.order, again)

    @cached_property
    def a_fetches(self) -> IntArray:
        """[J] times each block of A is fetched."""
        return self._fetches("a")

    @cached_property
    def b_fetches(self) -> IntArray:
        """[J] times each block of B is fetched."""
        return self._fetches("b")

    @cached_property
    def c_visits(self) -> IntArray:
        """[J] times each block of C is visited: one finished write, the rest partial, each of those read back."""
        return self._fetches("c")

    @cached_property
    def a_bytes(self) -> IntArray:
        """[J] bytes of A read."""
        return self.a_fetches * self.tiles.block_totals.a_bytes

    @cached_property
    def b_bytes(self) -> IntArray:
        """[J] bytes of B read."""
        return self.b_fetches * self.tiles.block_totals.b_bytes

    @cached_property
    def partial_sum_bytes(self) -> IntArray:
        """[J] bytes of partial sums written, and as many read back."""
        return (self.c_visits - 1) * self.tiles.block_totals.sum_bytes

    @cached_property
    def result_bytes(self) -> IntArray:
        """[J] bytes of finished results written to DRAM."""
        return self.tiles.block_totals.result_bytes

    @cached_property
    def reduced_elements(self) -> IntArray:
        """[J] elements that pass the reduction engine on their way in."""
        fetches = self.a_fetches if self.tiles.gemm.reduced_on_load == "a" else self.b_fetches
        return fetches * self.tiles.block_totals.reduced_elements

    @cached_property
    def read_bytes(self) -> IntArray:
        """[J] bytes read from DRAM."""
        return self.a_bytes + self.b_bytes + self.partial_sum_bytes

    @cached_property
    def write_bytes(self) -> IntArray:
        """[J] bytes written to DRAM."""
        return self.partial_sum_bytes + self.result_bytes

    @cached_property
    def dram_cycles(self) -> IntArray:
        """[J] cycles for which DRAM is busy: less than ``cycles`` where the reduction engine holds up its stream."""
        tiles = self.tiles
        held_up = self.a_fetches * tiles.sum_over_blocks(tiles.a_load_cycles - tiles.a_fetch_cycles, "mk")
        return np.asarray(
            self.cycles
            - held_up
            - self.b_fetches * tiles.sum_over_blocks(tiles.b_load_cycles - tiles.b_fetch_cycles, "kn")
        )

    @cached_property
    def cycles(self) -> IntArray:
        """[J] cycles for which DMA is busy: DRAM, or the reduction engine on its stream."""
        once = self.tiles.block_totals
        sums = once.sum_load_cycles + once.sum_store_cycles
        fetched = self.a_fetches, self.b_fetches, self.c_visits
        return np.asarray(moved_in_all(*fetched, once.a_cycles, once.b_cycles, sums, once.result_cycles))
