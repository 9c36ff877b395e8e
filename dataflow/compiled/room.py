"""What a kernel knows of a design before it looks at any tile: what fits, what is kept, what floors are made of.

Formulas are not written here: they are those that numpy broadcasts elsewhere, called with one number at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...accel.tensor_engine import ceil_div
from ...configs.arrays import BoolArray, FloatArray, IntArray
from ..dataflows.tile import folds_along
from ..formats.stored import least_stored_bytes
from ..holding import bytes_to_keep, bytes_to_work
from ..tile_time import output_bytes
from .case import Kind, Product, Record, Tables
from .steps import loop_orders


class Room(NamedTuple):
    """Where a kernel puts what it finds of a design; sizes as in its ladder.

    Attributes:
        kept_a: [M, K] of A: -1 where a tile does not fit, else a bit a set of loops across which it is kept.
        kept_b: [N, K] of B.
        kept_c: [M, N] of C.
        folds_m: [M, 3] folds along m, as deep as registers allow along m, and tiles.
        folds_n: [N, 3] the same along n.
        along_k: [K, 5] accumulations of an output in all tiles along k, folds of groups, tiles, elements that A and B
            keep, times ``kept_scale``.
        passed: [K, 3] bytes of the west and north operand sent once, and of sums.
        once_a: [M, K, 2] cycles on all blocks of A, each loaded once, and on the first.
        once_b: [N, K, 2] of B.
        results: [M, N, 3] of finished blocks, of the last, of partial sums each stored and loaded once.
        least_m: [K, 3] of the sizes along m of which A and a size along k fit the fewest ``folds_m``; -1 where none.
        least_n: [K, 3] the same along n.
        least_c: [M, 3] of the sizes along n of which C and a size along m fit the fewest ``folds_n``.
        least_a: [K, 2] of the sizes of ``least_m`` the least ``once_a``.
        least_b: [K, 2] of those of ``least_n`` the least ``once_b``.
        least_results: [M, 2] of those of ``least_c`` the least ``results``.
        within: [M * N * K] tiles whose floors are within a limit.
        floors: [M * N * K] their floors.
        cycles: [A + 1, 12] of a tile's kinds on the array under every mapping; the last is the fastest of each kind.
        handovers: [A + 1, 12, 7] of a tile's kinds, where tiles overlap: cycles of the slowest port, of the array with
            the tile alone, and what ``Handover`` says.
        total: [A] of all tiles; NEVER under a mapping that is not worth trying.
        joules: [A] on the array of all tiles.
        eligible: [A] mappings that are worth timing.
    """

    kept_a: IntArray
    kept_b: IntArray
    kept_c: IntArray
    folds_m: IntArray
    folds_n: IntArray
    along_k: IntArray
    passed: FloatArray
    once_a: FloatArray
    once_b: FloatArray
    results: FloatArray
    least_m: IntArray
    least_n: IntArray
    least_c: IntArray
    least_a: FloatArray
    least_b: FloatArray
    least_results: FloatArray
    within: IntArray
    floors: FloatArray
    cycles: IntArray
    handovers: IntArray
    total: IntArray
    joules: FloatArray
    eligible: BoolArray


def new_room(m: int, n: int, k: int, mappings: int) -> Room:
    """Room for any design of a search: sizes along each axis at most, and mappings."""
    return Room(
        np.zeros((m, k), dtype=np.int64),
        np.zeros((n, k), dtype=np.int64),
        np.zeros((m, n), dtype=np.int64),
        np.zeros((m, 3), dtype=np.int64),
        np.zeros((n, 3), dtype=np.int64),
        np.zeros((k, 5), dtype=np.int64),
        np.zeros((k, 3)),
        np.zeros((m, k, 2)),
        np.zeros((n, k, 2)),
        np.zeros((m, n, 3)),
        np.zeros((k, 3), dtype=np.int64),
        np.zeros((k, 3), dtype=np.int64),
        np.zeros((m, 3), dtype=np.int64),
        np.zeros((k, 2)),
        np.zeros((k, 2)),
        np.zeros((m, 2)),
        np.empty(m * n * k, dtype=np.int64),
        np.empty(m * n * k),
        np.zeros((mappings + 1, 12), dtype=np.int64),
        np.zeros((mappings + 1, 12, 7), dtype=np.int64),
        np.zeros(mappings, dtype=np.int64),
        np.zeros(mappings),
        np.zeros(mappings, dtype=np.bool_),
    )


def kept_of(blocks: Record, capacity: int, tiles_held: int, count: int) -> int:
    """Of an operand what ``Room`` says is kept.

    Args:
        blocks: of it.
        capacity: bytes of its buffer.
        tiles_held: tiles that the buffer holds of what is replaced.
        count: repetitions.
    """
    held, found = blocks.held, 0
    if bytes_to_work(held[0], held[3], tiles_held, count) > capacity:
        return -1
    for inside in range(4):
        if bytes_to_keep(held[inside], held[0], held[3], tiles_held, count) <= capacity:
            found += 1 << inside
    return found


def fold_all(tables: Tables, kind: Kind, design: Record, apart: bool, room: Room) -> None:
    """Put into the room folds along m, n and k: the dataflow's rows lie along m, or along n where operands change.

    Args:
        tables: of its tiles.
        kind: of the search.
        design: the design.
        apart: see ``Grouping``.
        room: the result.
    """
    ladder, deepest, rows, cols = design.ladder, design.deepest, design.array[0], design.array[1]
    on_m, on_n = (cols, rows) if kind.exchanged else (rows, cols)
    of_m, of_n, of_k, at_m, at_n, at_k = tables.m, tables.n, tables.k, tables.at_m, tables.at_n, tables.at_k
    folds_m, folds_n, along_k = room.folds_m, room.folds_n, room.along_k
    for x in range(tables.sizes[ladder, 0]):
        m = of_m[at_m[ladder, x]]
        full, last = m.laid[0], m.laid[1]
        folds_m[x, 0] = folds_along(m.fulls, full, m.lasts, last, on_m)
        folds_m[x, 1] = folds_along(m.fulls, full, m.lasts, last, on_m * deepest)
        folds_m[x, 2] = m.trips
    for y in range(tables.sizes[ladder, 1]):
        n = of_n[at_n[ladder, y]]
        full, last = n.laid[0], n.laid[1]
        folds_n[y, 0] = folds_along(n.fulls, full, n.lasts, last, on_n)
        folds_n[y, 1] = folds_along(n.fulls, full, n.lasts, last, on_n * deepest)
        folds_n[y, 2] = n.trips
    for z in range(tables.sizes[ladder, 2]):
        k, slots, groups, kept_a, kept_b = of_k[at_k[ladder, z]], 0, 0, 0, 0
        for number in range(3):
            held = k.slots[number] if apart else k.groups[number]
            slots += k.count[number] * k.slots[number]
            groups += k.count[number] * ceil_div(held, rows)
            kept_a += k.count[number] * k.kept_a[number]
            kept_b += k.count[number] * k.kept_b[number]
        along_k[z, 0], along_k[z, 1], along_k[z, 2] = slots, groups, k.trips
        along_k[z, 3], along_k[z, 4] = kept_a, kept_b


def pass_ports(product: Product, sizes_k: int, exchanged: bool, room: Room) -> None:
    """Put into the room what passes each port, by size along k."""
    along_k, passed = room.along_k, room.passed
    for z in range(sizes_k):
        of_a = of_b = product.k * product.value_bytes
        of_a, of_b = product.m * of_a, product.n * of_b
        if product.compressed_a:
            of_a = least_stored_bytes(product.m * along_k[z, 3], product.stored_a)
        if product.compressed_b:
            of_b = least_stored_bytes(product.n * along_k[z, 4], product.stored_b)
        passed[z, 0], passed[z, 1] = (of_b, of_a) if exchanged else (of_a, of_b)
        passed[z, 2] = output_bytes(product.m, product.n, along_k[z, 2], 0)


def once(product: Product, design: Record, operand: int, blocks: Record) -> float:
    """Cycles of DRAM, or of the reduction engine, on all blocks of A (0) or B (1), each loaded once."""
    cycles = design.cycles_a_work * blocks.all_work
    return float(max(cycles, blocks.all_elements / design.lanes) if product.reduced == operand else cycles)


def look_around(product: Product, tables: Tables, kind: Kind, design: Record, room: Room) -> None:
    """Put into the room, which has folds, what each buffer holds and what floors are made of.

    Of the blocks of each pair of sizes: what is kept; where they fit, cycles of DRAM on all of them, each moved once,
    and on single ones; and what no size that fits goes below, along m and n for each along k, along n for each along m.
    """
    ladder, held, count, pace = design.ladder, design.tiles_held, product.repetitions, design.cycles_a_work
    sizes_m, sizes_n, sizes_k = tables.sizes[ladder, 0], tables.sizes[ladder, 1], tables.sizes[ladder, 2]
    at_m, at_n, at_k, line = tables.at_m, tables.at_n, tables.at_k, tables.line[ladder]
    of_a, of_b, of_c, kept_a, kept_b, kept_c = tables.a, tables.b, tables.c, room.kept_a, room.kept_b, room.kept_c
    once_a, once_b, results, folds_m, folds_n = room.once_a, room.once_b, room.results, room.folds_m, room.folds_n
    for_a = design.buffers[1 if kind.exchanged else 0]
    for_b = design.buffers[0 if kind.exchanged else 1]
    for z in range(sizes_k):
        room.least_m[z, 0] = room.least_n[z, 0] = -1
    for x in range(sizes_m):
        i = at_m[ladder, x]
        for z in range(sizes_k):
            a = of_a[line, i, at_k[ladder, z]]
            kept_a[x, z] = kept_of(a, for_a, held, count)
            if kept_a[x, z] >= 0:
                once_a[x, z, 0], once_a[x, z, 1] = once(product, design, 0, a), pace * a.first_work
                go_below(room.least_m[z], room.least_a[z], folds_m[x], once_a[x, z])
        room.least_c[x, 0] = -1
        for y in range(sizes_n):
            c = of_c[line, i, at_n[ladder, y]]
            kept_c[x, y] = kept_of(c, design.buffers[2], held, count)
            if kept_c[x, y] >= 0:
                results[x, y, 0], results[x, y, 1], results[x, y, 2] = (
                    pace * c.all_work,
                    pace * c.last_work,
                    pace * c.sums_work,
                )
                go_below(room.least_c[x], room.least_results[x], folds_n[y], results[x, y])
    for y in range(sizes_n):
        i = at_n[ladder, y]
        for z in range(sizes_k):
            b = of_b[line, i, at_k[ladder, z]]
            kept_b[y, z] = kept_of(b, for_b, held, count)
            if kept_b[y, z] >= 0:
                once_b[y, z, 0], once_b[y, z, 1] = once(product, design, 1, b), pace * b.first_work
                go_below(room.least_n[z], room.least_b[z], folds_n[y], once_b[y, z])


def go_below(least: IntArray, least_cycles: FloatArray, folds: IntArray, cycles: FloatArray) -> None:
    """Lower what no size that fits goes below to one that does.

    Args:
        least: [3] folds; the first below zero where no size did yet.
        least_cycles: [2].
        folds: [3] of a size.
        cycles: [2] or more.
    """
    first = least[0] < 0
    for number in range(3):
        least[number] = folds[number] if first else min(least[number], folds[number])
    for number in range(2):
        least_cycles[number] = cycles[number] if first else min(least_cycles[number], cycles[number])


def count_tiles(tables: Tables, design: Record, room: Room) -> int:
    """Tiles that fit, in all loop orders that differ."""
    ladder, found = design.ladder, 0
    kept_a, kept_b, kept_c = room.kept_a, room.kept_b, room.kept_c
    of_m, of_n, of_k, at_m, at_n, at_k = tables.m, tables.n, tables.k, tables.at_m, tables.at_n, tables.at_k
    for z in range(tables.sizes[ladder, 2]):
        for x in range(tables.sizes[ladder, 0]):
            if kept_a[x, z] >= 0:
                m, k = of_m[at_m[ladder, x]], of_k[at_k[ladder, z]]
                for y in range(tables.sizes[ladder, 1]):
                    if kept_b[y, z] >= 0 and kept_c[x, y] >= 0:
                        found += loop_orders(m, of_n[at_n[ladder, y]], k)
    return found


def is_there(x: int, y: int, z: int, sizes: IntArray, room: Room) -> bool:
    """Whether there is a tile of these sizes, of so many, [3], and it fits."""
    if x >= sizes[0] or y >= sizes[1] or z >= sizes[2]:
        return False
    return bool(room.kept_a[x, z] >= 0 and room.kept_b[y, z] >= 0 and room.kept_c[x, y] >= 0)
