"""A loop nest of tiles walked position by position, for a compiler; see ``steps``."""

from __future__ import annotations

from ...accel.tensor_engine import Handover, cycles_to_next
from ...configs.arrays import IntArray
from ..pipeline import dma_cycles
from .case import Record, Records


def hand_over(found: IntArray, whole: int, own: Handover) -> None:
    """Put into a row of ``Room.handovers`` all but what ports take.

    Args:
        found: [7] the row.
        whole: cycles of the array, the tile alone.
        own: when the tile lets the next one in.
    """
    found[1], found[2], found[3], found[4], found[5], found[6] = (
        whole,
        own.interval,
        own.hold,
        own.lead,
        own.first,
        own.second,
    )


def until_next(handovers: IntArray, here: int, following: int) -> int:
    """Cycles until the next tile enters, by the kinds of both; 12 for none.

    Args:
        handovers: [12, 7] see ``Room``.
        here: kind of the tile.
        following: of the next one.
    """
    own, whole = handovers[here], handovers[here, 1]
    if following < 12:
        after = handovers[following]
        tile = Handover(own[2], own[3], own[4], own[5], own[6])
        whole = cycles_to_next(whole, tile, after[2], after[4], after[5], after[6])
    return int(max(whole, own[0]))


def walked(
    starts: IntArray,
    positions: Records,
    latency: int,
    tile: Record,
    order: int,
    cycles: IntArray,
    handovers: IntArray,
    tile_overlap: bool,
) -> int:
    """Cycles of all tiles of a product, one after another, DMA one ahead; and of the first load and last store.

    Args:
        starts: of its loop nests, see ``Tables``.
        positions: likewise.
        latency: of a request to DRAM.
        tile: the tile.
        order: the loop order.
        cycles: [12] of each kind of tile on the array.
        handovers: [12, 7] see ``Room``; asked for only where tiles overlap.
        tile_overlap: whether it matters which tile comes next.
    """
    walk = order * ((len(starts) - 1) // 6) + tile.walk
    stays_a, stays_b, stays_c = tile.stays[order, 0], tile.stays[order, 1], tile.stays[order, 2]
    load_a, load_b, load_sums, store, weights = tile.load_a, tile.load_b, tile.load_sums, tile.store, tile.weights
    total = 0
    for number in range(starts[walk], starts[walk + 1]):
        here = positions[number]
        load = load_a[here.load_a[stays_a]] + load_b[here.load_b[stays_b]] + load_sums[here.load_sums[stays_c]]
        beside = dma_cycles(load, store[here.store[stays_c]], latency)
        at = here.at
        stands_for = weights[0, at[0]] * weights[1, at[1]] * weights[2, at[2]] * weights[3, at[3]]
        on_array = until_next(handovers, here.tile, here.next) if tile_overlap else cycles[here.tile]
        total += stands_for * max(on_array, beside)
    return int(tile.unhidden + total)
