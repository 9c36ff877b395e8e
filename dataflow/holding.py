"""What the buffers hold while a product is worked on: one tile of an operand, or all that a loop comes back to.

Each operand has a buffer of its own, so each holds as much as fits, and it never hurts. A tile that is replaced is held
``tiles_held`` times, so that the next is loaded beside it; where the whole product has fewer tiles of an operand than
that, each is held once. Beyond that, an operand is *kept* across the loop that it does not depend on (n for A, m for B,
k for C) where all its tiles that turn inside that loop fit, and the next one beside them: they are loaded once and not
once a turn, and sums of C never leave unfinished. What is kept follows from tiles, loop order and capacities; a mapping
does not name it. Source: docs/hardware-model.md, "Memory".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..accel.tensor_engine import Count
from ..configs.arrays import BoolArray, Counts, IntArray
from .gemm import PLACES, Axis, Gemm, Place
from .mapping import LOOP_ORDERS

AXES_OF: dict[Place, tuple[Axis, Axis]] = {"a": ("m", "k"), "b": ("k", "n"), "c": ("m", "n")}
"""The axes that each operand, and the result, depends on."""

FREE_AXIS: dict[Place, Axis] = {"a": "n", "b": "m", "c": "k"}
"""The axis that it does not depend on."""


@cache
def turning_inside(order: str, place: Place) -> tuple[Axis, ...]:
    """The loops inside of an operand's free one, in a loop order."""
    free = order.index(FREE_AXIS[place])
    return tuple(axis for axis in AXES_OF[place] if order.index(axis) > free)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Bytes that an operand's tiles take of its buffer, [J] tilings.

    Attributes:
        tile_bytes: a full tile.
        row_bytes: by axis: full tiles, all that lie side by side along it.
        all_bytes: the whole operand, in tiles.
    """

    tile_bytes: IntArray
    row_bytes: Mapping[Axis, IntArray]
    all_bytes: IntArray

    def take(self, chosen: IntArray | BoolArray) -> Held:
        """Those of some tilings."""
        rows = {axis: size[chosen] for axis, size in self.row_bytes.items()}
        return Held(tile_bytes=self.tile_bytes[chosen], row_bytes=rows, all_bytes=self.all_bytes[chosen])

    def inside(self, order: str, place: Place) -> IntArray:
        """[J] bytes of the tiles that turn inside the free loop of a loop order."""
        turning = turning_inside(order, place)
        if len(turning) == 2:
            return self.all_bytes
        return self.row_bytes[turning[0]] if turning else self.tile_bytes


class HeldByPlace(dict[Place, Held]):
    """That of A, B and C."""

    def take(self, chosen: IntArray | BoolArray) -> HeldByPlace:
        """Those of some tilings."""
        return HeldByPlace({place: held.take(chosen) for place, held in self.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The buffers of a design, or of many: counts that broadcast.

    Attributes:
        tiles_held: tiles that each buffer holds of what is replaced.
        west_bytes: capacity of the west buffer.
        north_bytes: of the north buffer.
        output_bytes: of the output buffer.
    """

    tiles_held: Count
    west_bytes: Count
    north_bytes: Count
    output_bytes: Count

    def of(self, place: Place, a_in_west: bool | BoolArray) -> Count:
        """Bytes of the buffer that an operand lies in, A in the west or B."""
        if place == "c":
            return self.output_bytes
        in_west = a_in_west if place == "a" else np.logical_not(a_in_west)
        if np.ndim(in_west) == 0:
            return self.west_bytes if in_west else self.north_bytes
        return np.where(in_west, self.west_bytes, self.north_bytes)


def fits(held: Mapping[Place, Held], gemm: Gemm, room: Room, a_in_west: bool | BoolArray) -> BoolArray:
    """Whether tiles of all three fit their buffers; [J], or as tiles and capacities broadcast.

    Args:
        held: the tiles.
        gemm: the product.
        room: in the buffers.
        a_in_west: whether A lies in the west buffer, or B.
    """
    fitting = [least_bytes(held[place], gemm, room) <= room.of(place, a_in_west) for place in PLACES]
    return np.asarray(fitting[0] & fitting[1] & fitting[2])


def least_bytes(held: Held, gemm: Gemm, room: Room) -> IntArray:
    """[J] bytes of a buffer without which an operand cannot be worked on."""
    return np.asarray(bytes_to_work(held.tile_bytes, held.all_bytes, room.tiles_held, gemm.count))


def bytes_to_work(tile_bytes: Counts, all_bytes: Counts, tiles_held: Counts, count: int) -> Counts:
    """Bytes of a buffer without which an operand cannot be worked on.

    Args:
        tile_bytes: a full tile.
        all_bytes: the whole operand.
        tiles_held: tiles that the buffer holds of what is replaced.
        count: repetitions of the product.
    """
    several = tiles_held * tile_bytes
    return np.minimum(several, all_bytes) if count == 1 else several


def bytes_to_keep(
    inside_bytes: Counts, tile_bytes: Counts, all_bytes: Counts, tiles_held: Counts, count: int
) -> Counts:
    """Bytes of a buffer with which an operand is kept across its free loop; ``inside_bytes`` turn inside it."""
    beside = (tiles_held - 1) * tile_bytes
    return np.minimum(inside_bytes + beside, all_bytes + (0 if count == 1 else beside))


def kept(held: Mapping[Place, Held], gemm: Gemm, room: Room, a_in_west: bool | BoolArray) -> dict[Place, BoolArray]:
    """[6, J] for A, B and C each whether it is kept across its free loop, by loop order; arguments as for ``fits``."""
    return {place: _needed_bytes(held[place], gemm, room, place) <= room.of(place, a_in_west) for place in PLACES}


def taken_bytes(
    held: Mapping[Place, Held],
    gemm: Gemm,
    room: Room,
    a_in_west: bool | BoolArray,
    *,
    trips: Mapping[Axis, IntArray],
    orders: IntArray,
) -> IntArray:
    """[J] bytes of all three buffers that a product takes.

    What is kept across a loop that turns once takes no more than what is not: it saves nothing.

    Args:
        held: the tiles.
        gemm: the product.
        room: in the buffers.
        a_in_west: whether A lies in the west buffer, or B.
        trips: tiles along each axis.
        orders: [J] loop orders, numbers in ``LOOP_ORDERS``.
    """
    total = np.zeros(len(orders), dtype=np.int64)
    for place in PLACES:
        needed = np.choose(orders, _needed_bytes(held[place], gemm, room, place))
        stays = (needed <= room.of(place, a_in_west)) & (trips[FREE_AXIS[place]] > 1)
        total += np.where(stays, needed, least_bytes(held[place], gemm, room))
    return total


def _needed_bytes(tiles: Held, gemm: Gemm, room: Room, place: Place) -> IntArray:
    """[6, J] bytes of its buffer with which an operand is kept across its free loop, by loop order."""
    # Loop orders with the same loops inside ask for the same.
    orders, which = _inside_of(place)
    inside = np.stack(np.broadcast_arrays(*(tiles.inside(order, place) for order in orders)))
    needed = bytes_to_keep(inside, tiles.tile_bytes, tiles.all_bytes, room.tiles_held, gemm.count)
    return np.asarray(needed[which])


@cache
def _inside_of(place: Place) -> tuple[tuple[str, ...], IntArray]:
    """A loop order of each set with the same loops inside an operand's free one, and the set of every order."""
    inside = [turning_inside(order, place) for order in LOOP_ORDERS]
    sets = list(dict.fromkeys(inside))
    first = tuple(LOOP_ORDERS[inside.index(each)] for each in sets)
    return first, np.array([sets.index(each) for each in inside])
