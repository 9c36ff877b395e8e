"""The steps of a compiled search that look at one tile and ask no dataflow: what moves, what its loop nest takes.

Formulas are not written here: they are those that numpy broadcasts elsewhere, called with one number at a time. Records
are those of ``case``; m, n, k, a, b and c are of one tile.
"""

from __future__ import annotations

import numpy as np

from ...accel.dram import paced_cycles
from ...accel.energy import joules_of
from ...accel.engines import reduction_cycles
from ...accel.tensor_engine import ArrayTiming
from ...configs.arrays import IntArray
from ..actions import counts_in_memory
from ..dataflows.tile import Tiling
from ..gemm import AXES, PLACES, Axis, part_of
from ..holding import AXES_OF, turning_inside
from ..loop_nest import RUN
from ..mapping import LOOP_ORDERS
from ..objective import NEVER
from ..tile_time import operand_bytes
from ..traffic import distinct_orders, fetches, moved_in_all, repeated
from .case import Kind, Product, Record

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


def place_of(number: int, columns: int, depths: int) -> tuple[int, int, int]:
    """Sizes along m, n and k of a tile, by its number and how many sizes there are along n and k."""
    return number // depths // columns, number // depths % columns, number % depths


def sizes_of(
    number: int, ladder: int, at_m: IntArray, at_n: IntArray, at_k: IntArray
) -> tuple[int, int, int, int, int, int]:
    """Sizes along m, n and k of a tile, by its number: which of the ladder, and which of all; see ``Tables``."""
    x, y, z = place_of(number, at_n.shape[1], at_k.shape[1])
    return x, y, z, at_m[ladder, x], at_n[ladder, y], at_k[ladder, z]


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


def copies_to(product: Product, exchanged: bool) -> tuple[int, int]:
    """Arrays that the west and the north operand are sent to at once."""
    return (product.copies_b, product.copies_a) if exchanged else (product.copies_a, product.copies_b)


def first_request(product: Product, design: Record) -> float:
    """Cycles before the first byte arrives."""
    return float(design.latency) if product.requests else 0.0


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
    product: Product,
    timed: bool,
    design: Record,
    m: Record,
    n: Record,
    k: Record,
    a: Record,
    b: Record,
    c: Record,
    found: Record,
) -> tuple[int, int, int, int]:
    """Find the cycles of a tile's transfers; those of all blocks of A, B, partial sums and results, each once.

    Args:
        product: the product.
        timed: whether DRAM is the timed one.
        design: the design.
        m: the tile's size along m.
        n: along n.
        k: along k.
        a: its blocks of A.
        b: of B.
        c: of C.
        found: the result, ``TILE``.
    """
    pace, clocks = design.bytes_per_cycle, design.clocks_to_cycles
    all_a = all_b = all_sums = all_results = 0
    for at in range(6):
        cycles = int(paced_cycles(a.work[at], a.each[at], pace, clocks, timed))
        if product.reduced == 0:
            cycles = max(cycles, int(reduction_cycles(design.lanes, a.elements[at], product.group)))
        found.load_a[at] = cycles
        all_a += cycles * m.count[at // 3] * k.count[at % 3]
        cycles = int(paced_cycles(b.work[at], b.each[at], pace, clocks, timed))
        if product.reduced == 1:
            cycles = max(cycles, int(reduction_cycles(design.lanes, b.elements[at], product.group)))
        found.load_b[at] = cycles
        all_b += cycles * k.count[at // 2] * n.count[at % 2]
    for at in range(4):
        load = int(paced_cycles(c.load_work[at], c.load_each[at], pace, clocks, timed))
        store = int(paced_cycles(c.store_work[at], c.store_each[at], pace, clocks, timed))
        result = int(paced_cycles(c.work[at], c.each[at], pace, clocks, timed))
        found.load_sums[at], found.store[at], found.store[4 + at] = load, result, store
        blocks = m.count[at // 2] * n.count[at % 2]
        all_sums += (load + store) * blocks
        all_results += result * blocks
    return all_a, all_b, all_sums, all_results


def move(
    m: Record,
    n: Record,
    k: Record,
    a: Record,
    b: Record,
    c: Record,
    kept_a: int,
    kept_b: int,
    kept_c: int,
    found: Record,
) -> int:
    """Find what of a tile is kept and moved in each loop order; the fewest bytes moved.

    Arguments as for ``time_transfers``; ``kept_a`` and so on are what ``Room`` says is kept.
    """
    code, sums, fewest = turning(m, n, k), 2 * c.sums_bytes, NEVER
    for order in range(6):
        stays_a, stays_b = (kept_a >> _INSIDE[order, 0]) & 1, (kept_b >> _INSIDE[order, 1]) & 1
        stays_c = (kept_c >> _INSIDE[order, 2]) & 1
        found.stays[order, 0], found.stays[order, 1], found.stays[order, 2] = stays_a, stays_b, stays_c
        of_a = fetches(stays_a > 0, _TURNS[code, order, 0], n.trips)
        of_b = fetches(stays_b > 0, _TURNS[code, order, 1], m.trips)
        of_c = fetches(stays_c > 0, _TURNS[code, order, 2], k.trips)
        moved = moved_in_all(of_a, of_b, of_c, a.all_bytes, b.all_bytes, sums, c.all_bytes)
        found.moved[order] = moved
        fewest = min(fewest, moved)
    return int(fewest)


def look(
    product: Product,
    timed: bool,
    design: Record,
    m: Record,
    n: Record,
    k: Record,
    a: Record,
    b: Record,
    c: Record,
    found: Record,
) -> int:
    """Find of a tile that ``move`` knows what moving takes, and what its loop nest stands for; the fewest cycles.

    Arguments as for ``time_transfers``.
    """
    all_a, all_b, all_sums, all_results = time_transfers(product, timed, design, m, n, k, a, b, c, found)
    first = found.load_a[0 if m.trips > 1 else 3] + found.load_b[0 if n.trips > 1 else 1]
    latency = design.latency if first > 0 else 0
    found.unhidden = latency + first + found.store[3]
    code, fewest = turning(m, n, k), NEVER
    for order in range(6):
        of_a = fetches(found.stays[order, 0] > 0, _TURNS[code, order, 0], n.trips)
        of_b = fetches(found.stays[order, 1] > 0, _TURNS[code, order, 1], m.trips)
        of_c = fetches(found.stays[order, 2] > 0, _TURNS[code, order, 2], k.trips)
        cycles = moved_in_all(of_a, of_b, of_c, all_a, all_b, all_sums, all_results)
        found.memory[order] = latency + product.repetitions * cycles if _DISTINCT[code, order] else NEVER
        fewest = min(fewest, found.memory[order])
    weigh(product, m, n, k, found)
    return int(fewest)


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


def tiling_of(exchanged: bool, apart: bool, m: Record, n: Record, k: Record) -> Tiling:
    """A tiling as the array sees it.

    Args:
        exchanged: whether operands change places.
        apart: see ``Grouping``.
        m: sizes along m.
        n: along n.
        k: along k.
    """
    on_m, on_n = (n, m) if exchanged else (m, n)
    rows = on_m.fulls, on_m.laid[0], on_m.lasts, on_m.laid[1]
    cols = on_n.fulls, on_n.laid[0], on_n.lasts, on_n.laid[1]
    held = k.slots if apart else k.groups
    return Tiling(rows, cols, (k.count[0], k.count[1], k.count[2]), (held[0], held[1], held[2]))


def operands_in_all(product: Product, m: Record, n: Record, k: Record) -> tuple[int, int]:
    """Bytes of all tiles of A and of B, each as it passes a port once."""
    of_a = of_b = 0
    stored_a, stored_b, value = product.stored_a, product.stored_b, product.value_bytes
    for at_k in range(3):
        depth, kept_a, kept_b, many = k.extent[at_k], k.kept_a[at_k], k.kept_b[at_k], k.count[at_k]
        if many == 0:
            continue
        for at in range(2):
            tile_a = operand_bytes(m.extent[at], kept_a, depth, stored_a, value, product.compressed_a)
            tile_b = operand_bytes(n.extent[at], kept_b, depth, stored_b, value, product.compressed_b)
            of_a += many * m.count[at] * tile_a
            of_b += many * n.count[at] * tile_b
    return of_a, of_b


def all_kept(kept_a: int, kept_b: int, kept_c: int) -> int:
    """What ``Room`` says is kept of A, B and C, in one number: four bits each, those of A last."""
    return kept_a + (kept_b << 4) + (kept_c << 8)


def is_before(side: int, mapping: int, tile: int, order: int, best: Record) -> bool:
    """Whether a candidate stands before the best."""
    if side != best.side:
        return bool(side < best.side)
    if mapping != best.mapping:
        return bool(mapping < best.mapping)
    if tile != best.tile:
        return bool(tile < best.tile)
    return bool(order < best.order)


def spend(
    product: Product,
    exchanged: bool,
    design: Record,
    m: Record,
    n: Record,
    k: Record,
    a: Record,
    b: Record,
    c: Record,
    found: Record,
) -> None:
    """Put into a tile that ``move`` knows what its moving spends in each loop order.

    Arguments as for ``time_transfers``; ``exchanged`` is whether operands change places.
    """
    code, count = turning(m, n, k), product.repetitions
    for order in range(6):
        of_a = fetches(found.stays[order, 0] > 0, _TURNS[code, order, 0], n.trips)
        of_b = fetches(found.stays[order, 1] > 0, _TURNS[code, order, 1], m.trips)
        of_c = fetches(found.stays[order, 2] > 0, _TURNS[code, order, 2], k.trips)
        filled_a, filled_b = count * of_a * a.held[3], count * of_b * b.held[3]
        sums = (of_c - 1) * c.sums_bytes
        read, written = of_a * a.all_bytes + of_b * b.all_bytes + sums, sums + c.all_bytes
        reduced = of_a * a.all_elements if product.reduced == 0 else of_b * b.all_elements
        dram = part_of(count * read, product.wanted, product.places) + part_of(
            count * written, product.wanted, product.places
        )
        counts = counts_in_memory(
            filled_b if exchanged else filled_a,
            filled_a if exchanged else filled_b,
            count * sums,
            product.finished_sums,
            dram,
            part_of(count * reduced, product.wanted, product.places) * product.kept,
        )
        found.joules[order] = joules_of(counts, design.in_memory)


def is_thriftier(joules: float, moved: int, cycles: int, before: bool, best: Record) -> bool:
    """Whether a candidate is better than the best by energy; ``before`` is whether it stands before it."""
    if joules != best.joules:
        return bool(joules < best.joules)
    if moved != best.moved:
        return bool(moved < best.moved)
    return bool(cycles < best.cycles or (cycles == best.cycles and before))


def take(best: Record, cycles: int, joules: float, moved: int, side: int, mapping: int, tile: int, order: int) -> None:
    """Make a candidate the best."""
    best.cycles, best.joules, best.moved = cycles, joules, moved
    best.side, best.mapping, best.tile, best.order = side, mapping, tile, order
