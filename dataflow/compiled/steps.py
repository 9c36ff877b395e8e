"""The steps of a compiled search that ask no dataflow: what fits, what is kept, what moves, what a loop nest takes.

Formulas are not written here: they are those that numpy broadcasts elsewhere, called with one number at a time. Records
are those of ``case``; m, n, k, a, b and c are of one tile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...accel.dram import paced_cycles
from ...accel.engines import reduction_cycles
from ...accel.tensor_engine import ArrayTiming
from ...configs.arrays import FloatArray, IntArray
from ..dataflows.tile import folds_along
from ..gemm import AXES, PLACES, Axis
from ..holding import AXES_OF, bytes_to_keep, bytes_to_work, turning_inside
from ..loop_nest import RUN
from ..mapping import LOOP_ORDERS
from ..objective import NEVER
from ..traffic import distinct_orders, fetches, moved_in_all, repeated
from .case import Kind, Product, Record, Records, Tables

_TURNING: dict[Axis, IntArray] = {axis: 1 + (np.arange(8) >> bit & 1) for bit, axis in enumerate(AXES)}
"""Two tiles along each axis that turns, by which of m, n, k turn (bits)."""

_INSIDE = np.array(
    [
        [sum(1 << AXES_OF[place].index(axis) for axis in turning_inside(order, place)) for place in PLACES]
        for order in LOOP_ORDERS
    ]
)
"""[6, 3] of A, B and C which of its axes turn inside of its free loop, by loop order: bits 0 and 1."""

_TURNS = np.stack(
    [
        np.stack([np.broadcast_to(repeated(_TURNING, order, place), 8) for place in PLACES], axis=1)
        for order in LOOP_ORDERS
    ],
    axis=1,
)
"""[8, 6, 3] whether its blocks are fetched at every turn of that loop, by which of m, n, k turn."""

_DISTINCT = distinct_orders(_TURNING, LOOP_ORDERS)
"""[8, 6] which loop orders differ, likewise."""

_ORDERS = _DISTINCT.sum(axis=1)
"""[8] how many."""


class Room(NamedTuple):
    """Where a kernel puts what it finds of a design.

    Attributes:
        kept_a: [M, K] of A: -1 where a tile does not fit, else a bit a set of loops across which it is kept.
        kept_b: [N, K] of B.
        kept_c: [M, N] of C.
        folds: [4, T] folds along m, as deep as registers allow along m; the same along n.
        once_a: [M, K] cycles on all blocks of A, each loaded once.
        once_b: [N, K] of B.
        results: [M, N] of finished blocks.
        sums: [M, N] of partial sums, each stored and loaded once.
        first_a: [M, K] of the first block of A.
        first_b: [N, K] of B.
        last_c: [M, N] of the last result.
        floors: [M, N, K] cycles that no mapping of a tile beats.
        cycles: [A + 1, 12] of a tile's kinds on the array under every mapping; the last is the fastest of each kind.
        handovers: [A + 1, 12, 7] of a tile's kinds, where tiles overlap: cycles of the slowest port, of the array with
            the tile alone, and what ``Handover`` says.
        total: [A] of all tiles; NEVER under a mapping that is not worth trying.
    """

    kept_a: IntArray
    kept_b: IntArray
    kept_c: IntArray
    folds: IntArray
    once_a: FloatArray
    once_b: FloatArray
    results: FloatArray
    sums: FloatArray
    first_a: FloatArray
    first_b: FloatArray
    last_c: FloatArray
    floors: FloatArray
    cycles: IntArray
    handovers: IntArray
    total: IntArray


def new_room(tables: Tables, mappings: int) -> Room:
    """Room for any design of a search."""
    m, n, k = tables.m.shape[1], tables.n.shape[1], tables.k.shape[1]
    return Room(
        np.zeros((m, k), dtype=np.int64),
        np.zeros((n, k), dtype=np.int64),
        np.zeros((m, n), dtype=np.int64),
        np.zeros((4, max(m, n)), dtype=np.int64),
        np.zeros((m, k)),
        np.zeros((n, k)),
        np.zeros((m, n)),
        np.zeros((m, n)),
        np.zeros((m, k)),
        np.zeros((n, k)),
        np.zeros((m, n)),
        np.zeros((m, n, k)),
        np.zeros((mappings + 1, 12), dtype=np.int64),
        np.zeros((mappings + 1, 12, 7), dtype=np.int64),
        np.zeros(mappings, dtype=np.int64),
    )


def array_of(design: Record, kind: Kind) -> ArrayTiming:
    """The array of a design."""
    numbers = design.array
    return ArrayTiming(
        numbers[0],
        numbers[1],
        numbers[2],
        numbers[3],
        numbers[4],
        kind.overlapped,
        kind.shifted_drain,
        kind.chained_load,
        kind.spread_groups,
        kind.tile_overlap,
    )


def keep(blocks: Records, first: int, second: int, capacity: int, tiles_held: int, count: int, kept: IntArray) -> None:
    """Put into ``kept`` [X, Y] of an operand what ``Room`` says.

    Args:
        blocks: [X, Y] tiles of it.
        first: sizes along X.
        second: along Y.
        capacity: bytes of its buffer.
        tiles_held: tiles that the buffer holds of what is replaced.
        count: repetitions.
        kept: the result.
    """
    for x in range(first):
        for y in range(second):
            held, found = blocks[x, y].held, -1
            if bytes_to_work(held[0], held[3], tiles_held, count) <= capacity:
                found = 0
                for inside in range(4):
                    if bytes_to_keep(held[inside], held[0], held[3], tiles_held, count) <= capacity:
                        found += 1 << inside
            kept[x, y] = found


def keep_all(product: Product, tables: Tables, kind: Kind, design: Record, room: Room) -> None:
    """Put into the room what each buffer holds."""
    ladder, held, count = design.ladder, design.tiles_held, product.repetitions
    m, n, k = tables.sizes[ladder, 0], tables.sizes[ladder, 1], tables.sizes[ladder, 2]
    of_a = design.buffers[1 if kind.exchanged else 0]
    of_b = design.buffers[0 if kind.exchanged else 1]
    keep(tables.a[ladder], m, k, of_a, held, count, room.kept_a)
    keep(tables.b[ladder], n, k, of_b, held, count, room.kept_b)
    keep(tables.c[ladder], m, n, design.buffers[2], held, count, room.kept_c)


def fold_all(tables: Tables, kind: Kind, design: Record, room: Room) -> None:
    """Put into the room the folds along m and n: the dataflow's rows lie along m, or along n where operands change."""
    ladder, deepest, folds = design.ladder, design.deepest, room.folds
    rows, cols = design.array[0], design.array[1]
    on_m, on_n = (cols, rows) if kind.exchanged else (rows, cols)
    for at in range(tables.sizes[ladder, 0]):
        m = tables.m[ladder, at]
        folds[0, at] = folds_along(m.fulls, m.extent[0], m.lasts, m.extent[1], on_m)
        folds[1, at] = folds_along(m.fulls, m.extent[0], m.lasts, m.extent[1], on_m * deepest)
    for at in range(tables.sizes[ladder, 1]):
        n = tables.n[ladder, at]
        folds[2, at] = folds_along(n.fulls, n.extent[0], n.lasts, n.extent[1], on_n)
        folds[3, at] = folds_along(n.fulls, n.extent[0], n.lasts, n.extent[1], on_n * deepest)


def place_of(number: int, room: Room) -> tuple[int, int, int]:
    """Sizes along m, n and k of a tile, by its number."""
    columns, depths = room.floors.shape[1], room.floors.shape[2]
    return number // depths // columns, number // depths % columns, number % depths


def loop_orders(m: Record, n: Record, k: Record) -> int:
    """Loop orders of a tile that differ."""
    return int(_ORDERS[turning(m, n, k)])


def full_tiles(axis: Record, kinds: int) -> int:
    """Tiles along an axis that are as long as a full one."""
    found = 0
    for number in range(kinds):
        if axis.extent[number] == axis.extent[0]:
            found += axis.count[number]
    return found


def turning(m: Record, n: Record, k: Record) -> int:
    """Which of m, n and k turn, a bit each."""
    return (1 if m.trips > 1 else 0) + (2 if n.trips > 1 else 0) + (4 if k.trips > 1 else 0)


def once(product: Product, design: Record, operand: int, blocks: Record) -> float:
    """Cycles of DRAM, or of the reduction engine, on all blocks of A (0) or B (1), each loaded once."""
    cycles = design.cycles_a_work * blocks.all_work
    return float(max(cycles, blocks.all_elements / design.lanes) if product.reduced == operand else cycles)


def first_request(product: Product, design: Record) -> float:
    """Cycles before the first byte arrives."""
    return float(design.latency) if product.requests else 0.0


def price_blocks(product: Product, tables: Tables, design: Record, room: Room) -> None:
    """Put into the room what floors of DRAM are made of: cycles of all blocks each moved once, and of single ones."""
    ladder, pace = design.ladder, design.cycles_a_work
    m, n, k = tables.sizes[ladder, 0], tables.sizes[ladder, 1], tables.sizes[ladder, 2]
    for x in range(m):
        for z in range(k):
            a = tables.a[ladder, x, z]
            room.once_a[x, z], room.first_a[x, z] = once(product, design, 0, a), pace * a.first_work
        for y in range(n):
            c = tables.c[ladder, x, y]
            room.results[x, y], room.last_c[x, y] = pace * c.all_work, pace * c.last_work
            room.sums[x, y] = pace * c.sums_work
    for z in range(k):
        for y in range(n):
            b = tables.b[ladder, y, z]
            room.once_b[y, z], room.first_b[y, z] = once(product, design, 1, b), pace * b.first_work


def moved_again(
    code: int,
    more_a: float,
    more_b: float,
    more_c: float,
    kept_a: int,
    kept_b: int,
    kept_c: int,
) -> float:
    """Cycles, in the best loop order, of what is fetched again or leaves unfinished and comes back.

    Args:
        code: which of m, n, k turn.
        more_a: cycles on all blocks of A in every turn of its free loop but the first.
        more_b: of B.
        more_c: of partial sums.
        kept_a: what ``Room`` says is kept of A.
        kept_b: of B.
        kept_c: of C.
    """
    least = np.inf
    for order in range(6):
        total = 0.0
        if _TURNS[code, order, 0] and (kept_a >> _INSIDE[order, 0]) & 1 == 0:
            total += more_a
        if _TURNS[code, order, 1] and (kept_b >> _INSIDE[order, 1]) & 1 == 0:
            total += more_b
        if _TURNS[code, order, 2] and (kept_c >> _INSIDE[order, 2]) & 1 == 0:
            total += more_c
        least = min(least, total)
    return least


def time_transfers(
    product: Product, tables: Tables, timed: bool, design: Record, x: int, y: int, z: int, tile: Record
) -> tuple[int, int, int, int]:
    """Put into a tile the cycles of its transfers; those of all blocks of A, B, partial sums and results, each once.

    Args:
        product: the product.
        tables: its tiles.
        timed: whether DRAM is the timed one.
        design: the design.
        x: size along m.
        y: along n.
        z: along k.
        tile: the result.
    """
    ladder = design.ladder
    m, n, k = tables.m[ladder, x], tables.n[ladder, y], tables.k[ladder, z]
    a, b, c = tables.a[ladder, x, z], tables.b[ladder, y, z], tables.c[ladder, x, y]
    pace, clocks = design.bytes_per_cycle, design.clocks_to_cycles
    all_a = all_b = all_sums = all_results = 0
    for at in range(6):
        cycles = int(paced_cycles(a.work[at], a.each[at], pace, clocks, timed))
        if product.reduced == 0:
            cycles = max(cycles, int(reduction_cycles(design.lanes, a.elements[at], product.group)))
        tile.load_a[at] = cycles
        all_a += cycles * m.count[at // 3] * k.count[at % 3]
        cycles = int(paced_cycles(b.work[at], b.each[at], pace, clocks, timed))
        if product.reduced == 1:
            cycles = max(cycles, int(reduction_cycles(design.lanes, b.elements[at], product.group)))
        tile.load_b[at] = cycles
        all_b += cycles * k.count[at // 2] * n.count[at % 2]
    for at in range(4):
        load = int(paced_cycles(c.load_work[at], c.load_each[at], pace, clocks, timed))
        store = int(paced_cycles(c.store_work[at], c.store_each[at], pace, clocks, timed))
        result = int(paced_cycles(c.work[at], c.each[at], pace, clocks, timed))
        tile.load_sums[at], tile.store[at], tile.store[4 + at] = load, result, store
        blocks = m.count[at // 2] * n.count[at % 2]
        all_sums += (load + store) * blocks
        all_results += result * blocks
    return all_a, all_b, all_sums, all_results


def look(
    product: Product, tables: Tables, kind: Kind, design: Record, x: int, y: int, z: int, room: Room, tile: Record
) -> None:
    """Put into a tile what moves and what its loop nest stands for; arguments as for ``time_transfers``."""
    all_a, all_b, all_sums, all_results = time_transfers(product, tables, kind.timed, design, x, y, z, tile)
    ladder = design.ladder
    m, n, k = tables.m[ladder, x], tables.n[ladder, y], tables.k[ladder, z]
    a, b, c = tables.a[ladder, x, z], tables.b[ladder, y, z], tables.c[ladder, x, y]
    first = tile.load_a[0 if m.trips > 1 else 3] + tile.load_b[0 if n.trips > 1 else 1]
    latency = design.latency if first > 0 else 0
    tile.unhidden = latency + first + tile.store[3]
    code = turning(m, n, k)
    for order in range(6):
        stays_a = (room.kept_a[x, z] >> _INSIDE[order, 0]) & 1
        stays_b = (room.kept_b[y, z] >> _INSIDE[order, 1]) & 1
        stays_c = (room.kept_c[x, y] >> _INSIDE[order, 2]) & 1
        tile.stays[order, 0], tile.stays[order, 1], tile.stays[order, 2] = stays_a, stays_b, stays_c
        of_a = fetches(stays_a > 0, _TURNS[code, order, 0], n.trips)
        of_b = fetches(stays_b > 0, _TURNS[code, order, 1], m.trips)
        of_c = fetches(stays_c > 0, _TURNS[code, order, 2], k.trips)
        cycles = moved_in_all(of_a, of_b, of_c, all_a, all_b, all_sums, all_results)
        tile.memory[order] = latency + product.repetitions * cycles if _DISTINCT[code, order] else NEVER
        sums = 2 * c.sums_bytes
        tile.moved[order] = moved_in_all(of_a, of_b, of_c, a.all_bytes, b.all_bytes, sums, c.all_bytes)
    weigh(product, m, n, k, tile)


def weigh(product: Product, m: Record, n: Record, k: Record, tile: Record) -> None:
    """Put into a tile how many tiles the positions of its loop nest stand for, and the walk of its first loop order."""
    weights = tile.weights
    for axis in range(4):
        for at in range(6):
            weights[axis, at] = 1
    if product.repetitions > product.repeats:
        weights[0, 1] = product.repetitions - product.repeats + 1
    walk = weigh_axis(0, product.runs_m, m, weights[1])
    walk = weigh_axis(walk, product.runs_n, n, weights[2])
    tile.walk = weigh_axis(walk, product.runs_k, k, weights[3])


def weigh_axis(walk: int, runs: int, axis: Record, weights: IntArray) -> int:
    """The same along an axis; the walk of the axes so far.

    Args:
        walk: of the axes before.
        runs: last tiles that stand for any number.
        axis: the tile size.
        weights: [6] of its positions.
    """
    weights[1] = max(axis.fulls - RUN + 1, 1)
    if runs == RUN:
        weights[RUN + 1] = max(axis.lasts - RUN + 1, 1)
    return int((walk * runs + min(axis.lasts, RUN) - 1) * (RUN + 1) + min(axis.fulls, RUN))


def is_before(side: int, mapping: int, tile: int, order: int, best: Record) -> bool:
    """Whether a candidate stands before the best."""
    if side != best.side:
        return bool(side < best.side)
    if mapping != best.mapping:
        return bool(mapping < best.mapping)
    if tile != best.tile:
        return bool(tile < best.tile)
    return bool(order < best.order)


def take(best: Record, cycles: int, moved: int, side: int, mapping: int, tile: int, order: int) -> None:
    """Make a candidate the best."""
    best.cycles, best.moved = cycles, moved
    best.side, best.mapping, best.tile, best.order = side, mapping, tile, order
