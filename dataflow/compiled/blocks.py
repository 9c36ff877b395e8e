"""Blocks of A, B and C of every pair of tile sizes, as loops over plain numbers: what they hold, move and ask of DRAM.

Formulas are not written here: they are those of ``block_formulas``. First it is said what blocks hold, how they lie in
memory and what the simple model of it is asked for that; what the timed one is, ``DramTiming.work`` says. Then
``add_up`` has the sums over all blocks.
"""

from __future__ import annotations

from typing import NamedTuple

from ...accel.dram import in_bursts, work_of_runs
from ...configs.arrays import IntArray
from ..block_formulas import (
    a_run,
    a_stride,
    b_run,
    b_stride,
    c_run,
    c_stride,
    kept_of_window,
    on_diagonal,
    window_elements,
)
from ..formats.stored import Stored, stored_bytes
from ..gemm import SUM_BYTES
from .case import Record, Records


class Layout(NamedTuple):
    """How a product lies in memory; of what is not said here see ``Gemm``.

    Attributes:
        compressed_a: whether the array takes A as pairs.
        compressed_b: whether B.
        a_in_pairs: whether A lies in memory as pairs.
        b_in_pairs: whether B.
        reduced: the operand that is reduced on its way in: 0 for A, 1 for B, 2 for none.
        on_chip: of A, B and C each whether it stays on chip, a bit each.
        positions_on_m: whether positions lie along m.
        taps: folded into the tap axis.
        channels: along it.
        b_along_n: whether neighbours of B in memory lie along n.
        b_channels: of B along k, a tap.
        n: columns of C.
        diagonal: whether B is block-diagonal, 1, or C, 2.
        packed: repetitions in a product.
        scattered: ``scattered_result``.
        spacing: ``result_spacing``.
        piece: ``result_piece``.
        stored_a: what the bytes of pairs of A depend on.
        stored_b: of B.
        value_bytes: of another value.
        result_bytes: of a finished element of C.
        timed: whether DRAM is the timed one.
    """

    compressed_a: bool
    compressed_b: bool
    a_in_pairs: bool
    b_in_pairs: bool
    reduced: int
    on_chip: int
    positions_on_m: bool
    taps: int
    channels: int
    b_along_n: bool
    b_channels: int
    n: int
    diagonal: int
    packed: int
    scattered: bool
    spacing: int
    piece: int
    stored_a: Stored
    stored_b: Stored
    value_bytes: int
    result_bytes: int
    timed: bool


class Block(NamedTuple):
    """A block of A or B: bytes of its buffer and bytes that move, of a run and to the next, elements reduced."""

    held: int
    moved: int
    run: int
    stride: int
    reduced: int


class Ladders(NamedTuple):
    """The sizes of ladders, as in ``Tables``; and of each memory bytes of a burst and of time lost a run."""

    sizes: IntArray
    line: IntArray
    at_m: IntArray
    at_n: IntArray
    at_k: IntArray
    burst_bytes: IntArray
    overhead_bytes: IntArray


def block_of_a(layout: Layout, burst: int, m: Record, k: Record, i: int, j: int) -> Block:
    """A block of A, of sizes along m and k, of their kinds ``i`` and ``j``."""
    value, in_pairs = layout.value_bytes, layout.a_in_pairs
    if layout.positions_on_m:
        whole, pitch = k.trips == 1, m.pitch
        elements = window_elements(m.rows[i], k.channels[j])
        run = a_run(whole, k.channels[j], k.extent[j], layout.taps, m.run_rows[i], value)
    else:
        whole, pitch = m.trips == 1, k.pitch
        elements = window_elements(k.rows[j], m.channels[i])
        run = a_run(whole, m.channels[i], m.extent[i], layout.taps, k.run_rows[j], value)
    held = moved = elements * value
    if layout.compressed_a or in_pairs:
        kept = kept_of_window(elements, k.kept_a[j], k.extent[j])
        as_pairs = in_bursts(stored_bytes(kept, elements, layout.stored_a), burst)
        held = as_pairs if layout.compressed_a else held
        moved = as_pairs if in_pairs else moved
    moved = 0 if layout.on_chip & 1 else moved
    run = moved if in_pairs else run
    stride = max(a_stride(whole, pitch, layout.channels, value), run)
    return Block(held, moved, run, stride, elements if layout.reduced == 0 else 0)


def block_of_b(layout: Layout, burst: int, k: Record, n: Record, i: int, j: int) -> Block:
    """A block of B, of sizes along k and n, of their kinds ``i`` and ``j``."""
    value, in_pairs = layout.value_bytes, layout.b_in_pairs
    packed = layout.packed if layout.diagonal == 1 else 1
    depth, wide, kept = k.extent[i], n.extent[j], k.kept_b[i]
    elements = on_diagonal(depth * wide, packed)
    held, moved = depth * wide * value, elements * value
    if layout.compressed_b:
        held = in_bursts(stored_bytes(kept * wide, depth * wide, layout.stored_b), burst)
    if in_pairs:
        moved = in_bursts(stored_bytes(on_diagonal(kept * wide, packed), elements, layout.stored_b), burst)
    moved = 0 if layout.on_chip & 2 else moved
    # A stream, or the blocks of a pack, one behind the other.
    run = stride = moved
    if not in_pairs and layout.diagonal != 1:
        channels = depth // (layout.taps if layout.positions_on_m else 1)
        whole_k, whole_n = k.trips == 1, n.trips == 1
        of_run = b_run(layout.b_along_n, whole_k, whole_n, depth, channels, wide)
        to_next = b_stride(layout.b_along_n, whole_k, whole_n, layout.b_channels, layout.n)
        run, stride = of_run * value, max(to_next, of_run) * value
    return Block(held, moved, run, stride, elements if layout.reduced == 1 else 0)


def put(layout: Layout, overhead: int, block: Block, at: int, found: Record) -> None:
    """Put a block into a record, ``at`` the number of its kind; of the simple memory what it is asked."""
    found.elements[at], found.loaded[at], found.each[at] = block.reduced, block.moved, block.run
    if not layout.timed:
        run = max(block.run, 1)
        found.each[at], found.work[at] = run, work_of_runs(block.moved, run, overhead)


def count_block(found: Record, block: Block, i: int, j: int, of_first: int, of_second: int) -> None:
    """Add blocks of a kind to the sums of a record.

    Args:
        found: the record.
        block: one of the blocks.
        i: kind along the first axis.
        j: along the second.
        of_first: blocks of the kind along the first axis.
        of_second: along the second.
    """
    if i == 0 and j == 0:
        found.held[0] = block.held
    if j == 0:
        found.held[1] += block.held * of_first
    if i == 0:
        found.held[2] += block.held * of_second
    found.held[3] += block.held * of_first * of_second
    found.all_bytes += block.moved * of_first * of_second
    found.all_elements += block.reduced * of_first * of_second


def lay_a(layout: Layout, ladders: Ladders, of_m: Records, of_k: Records, found: Records, strides: IntArray) -> None:
    """Put into ``found`` what blocks of A are, and into ``strides`` if DRAM is the timed one, [memories, X, Z, 6].

    Args:
        layout: of the product.
        ladders: which sizes meet.
        of_m: [X] ``AXIS``.
        of_k: [Z].
        found: [memories, X, Z] the result, ``BLOCKS``.
        strides: the result, bytes.
    """
    sizes, at_m, at_k = ladders.sizes, ladders.at_m, ladders.at_k
    for ladder in range(len(sizes)):
        line = ladders.line[ladder]
        burst, overhead = ladders.burst_bytes[line], ladders.overhead_bytes[line]
        for x in range(sizes[ladder, 0]):
            row = at_m[ladder, x]
            m = of_m[row]
            for z in range(sizes[ladder, 2]):
                column = at_k[ladder, z]
                k, record = of_k[column], found[line, row, column]
                if record.there:
                    continue
                record.there = 1
                for at in range(6):
                    i, j = at // 3, at % 3
                    block = block_of_a(layout, burst, m, k, i, j)
                    put(layout, overhead, block, at, record)
                    count_block(record, block, i, j, m.count[i], k.count[j])
                    if layout.timed:
                        strides[line, row, column, at] = block.stride


def lay_b(layout: Layout, ladders: Ladders, of_n: Records, of_k: Records, found: Records, strides: IntArray) -> None:
    """The same of B, [memories, Y, Z]; arguments as for ``lay_a``, ``of_n`` [Y]."""
    sizes, at_n, at_k = ladders.sizes, ladders.at_n, ladders.at_k
    for ladder in range(len(sizes)):
        line = ladders.line[ladder]
        burst, overhead = ladders.burst_bytes[line], ladders.overhead_bytes[line]
        for y in range(sizes[ladder, 1]):
            row = at_n[ladder, y]
            n = of_n[row]
            for z in range(sizes[ladder, 2]):
                column = at_k[ladder, z]
                k, record = of_k[column], found[line, row, column]
                if record.there:
                    continue
                record.there = 1
                for at in range(6):
                    i, j = at // 2, at % 2
                    block = block_of_b(layout, burst, k, n, i, j)
                    put(layout, overhead, block, at, record)
                    count_block(record, block, i, j, k.count[i], n.count[j])
                    if layout.timed:
                        strides[line, row, column, at] = block.stride


def lay_c(
    layout: Layout,
    ladders: Ladders,
    of_m: Records,
    of_n: Records,
    found: Records,
    moved: IntArray,
    strides: IntArray,
) -> None:
    """The same of C, [memories, X, Y]: results, and sums, of which ``moved`` and ``strides`` are [.., 2, 4]."""
    diagonal, taps, on_m = layout.diagonal == 2, layout.taps, layout.positions_on_m
    packed, apart = layout.packed if diagonal else 1, 0 if on_m else layout.channels
    sizes, at_m, at_n = ladders.sizes, ladders.at_m, ladders.at_n
    for ladder in range(len(sizes)):
        line = ladders.line[ladder]
        overhead = ladders.overhead_bytes[line]
        for x in range(sizes[ladder, 0]):
            row = at_m[ladder, x]
            m = of_m[row]
            for y in range(sizes[ladder, 1]):
                column = at_n[ladder, y]
                n, record = of_n[column], found[line, row, column]
                if record.there:
                    continue
                record.there = 1
                whole = n.trips == 1 and not layout.scattered
                stride = c_stride(whole, apart, layout.spacing, layout.n)
                for at in range(4):
                    i, j = at // 2, at % 2
                    high, wide = m.extent[i], n.extent[j]
                    rows = high if on_m or m.trips == 1 else high // taps
                    run = c_run(whole, rows, wide, layout.piece)
                    sums, stored = high * wide * SUM_BYTES, on_diagonal(high * wide, packed) * layout.result_bytes
                    stored = 0 if layout.on_chip & 4 else stored
                    of_sums, of_results = run * SUM_BYTES, run * layout.result_bytes
                    if diagonal:
                        of_sums, of_results = sums, stored
                    if layout.timed:
                        moved[line, row, column, 0, at], moved[line, row, column, 1, at] = stored, sums
                        between = max(stride * layout.result_bytes, of_results)
                        strides[line, row, column, 0, at] = stored if diagonal else between
                        between = max(stride * SUM_BYTES, of_sums)
                        strides[line, row, column, 1, at] = sums if diagonal else between
                    else:
                        of_sums, of_results = max(of_sums, 1), max(of_results, 1)
                        record.work[at] = work_of_runs(stored, of_results, overhead)
                        record.load_work[at] = record.store_work[at] = work_of_runs(sums, of_sums, overhead)
                    record.each[at], record.load_each[at], record.store_each[at] = of_results, of_sums, of_sums
                    count_result(record, sums, stored, i, j, m.count[i], n.count[j])


def count_result(record: Record, sums: int, stored: int, i: int, j: int, of_first: int, of_second: int) -> None:
    """As ``count_block`` of C: bytes of partial sums and of results that are stored."""
    if i == 0 and j == 0:
        record.held[0] = sums
    if j == 0:
        record.held[1] += sums * of_first
    if i == 0:
        record.held[2] += sums * of_second
    record.held[3] += sums * of_first * of_second
    record.all_bytes += stored * of_first * of_second
    record.sums_bytes += sums * of_first * of_second


def add_up(of_m: Records, of_n: Records, of_k: Records, of_a: Records, of_b: Records, of_c: Records) -> None:
    """Put into records of blocks what memory is asked for all of them; arguments as in ``Tables``."""
    for line in range(len(of_a)):
        for x in range(len(of_m)):
            m = of_m[x]
            for z in range(len(of_k)):
                k, a = of_k[z], of_a[line, x, z]
                if a.there:
                    for at in range(6):
                        a.all_work += a.work[at] / a.each[at] * m.count[at // 3] * k.count[at % 3]
                    first = 0 if m.trips > 1 else 3
                    a.first_work = a.work[first] / a.each[first]
            for y in range(len(of_n)):
                n, c = of_n[y], of_c[line, x, y]
                if c.there:
                    for at in range(4):
                        many = m.count[at // 2] * n.count[at % 2]
                        c.all_work += c.work[at] / c.each[at] * many
                        sums = c.load_work[at] / c.load_each[at] + c.store_work[at] / c.store_each[at]
                        c.sums_work += sums * many
                    c.last_work = c.work[3] / c.each[3]
        for y in range(len(of_n)):
            n = of_n[y]
            for z in range(len(of_k)):
                k, b = of_k[z], of_b[line, y, z]
                if b.there:
                    for at in range(6):
                        b.all_work += b.work[at] / b.each[at] * k.count[at // 2] * n.count[at % 2]
                    first = 0 if n.trips > 1 else 1
                    b.first_work = b.work[first] / b.each[first]
