"""A loop nest of tiles walked position by position, for a compiler; see ``steps``."""

from __future__ import annotations

from ...accel.tensor_engine import Handover, cycles_to_next
from ...configs.arrays import IntArray
from ..pipeline import dma_cycles
from .case import Record, Tables
from .steps import Room


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
    tables: Tables, design: Record, tile: Record, order: int, room: Room, mapping: int, tile_overlap: bool
) -> int:
    """Cycles of all tiles of a product, one after another, DMA one ahead; and of the first load and last store.

    Args:
        tables: its loop nests.
        design: the design.
        tile: the tile.
        order: the loop order.
        room: cycles of its kinds on the array.
        mapping: under which array mapping.
        tile_overlap: whether it matters which tile comes next.
    """
    starts, positions, latency = tables.starts, tables.positions, design.latency
    cycles, handovers = room.cycles[mapping], room.handovers[mapping]
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
