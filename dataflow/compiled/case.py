"""What a compiled search is told, as records: a product, its tiles, its loop nests, designs, a side. And what it finds.

Records and arrays of them are what a compiler passes on at no cost. Figures are in cycles, bytes and counts; work is
what DRAM is asked, see ``DramTiming.work``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...configs.arrays import BoolArray, IntArray
from ..actions import IN_MEMORY, ON_ARRAY
from ..dataflows.formulas import Grouping
from ..formats.stored import Stored

Records = npt.NDArray[np.void]
"""An array of records."""

Record = Any
"""One of them: its fields are read by name."""

_TILED = ("channels", "rows", "run_rows")

AXIS = np.dtype(
    [
        *(("trips", "i8"), ("fulls", "i8"), ("lasts", "i8"), ("pitch", "i8")),
        *((name, "i8", 3) for name in ("extent", "laid", "count", "slots", "groups", "kept_a", "kept_b", *_TILED)),
    ]
)
"""A tile size along an axis: tiles in all, full ones, last ones, and ``AxisTiles.pitch``; by kind of tile its extent,
the same as an array sees it, how many there are, accumulations of an output and groups, of a share of k where it is
split, what A and B keep along k (``kept_scale``), and what ``AxisTiles`` says. Kinds: full and last; along k the first,
one in the middle, the last."""

BLOCKS = np.dtype(
    [
        *(("held", "i8", 4), ("all_work", "f8"), ("first_work", "f8"), ("all_elements", "i8"), ("all_bytes", "i8")),
        *(("work", "f8", 6), ("each", "i8", 6), ("elements", "i8", 6), ("loaded", "i8", 6), ("there", "i8")),
    ]
)
"""Tiles of A (m, k) or B (k, n), of a size along both axes. First, and together, what every design asks of all sizes:
bytes of its buffer that a tile takes, with those beside it along the first axis, along the second, all of them; work of
all blocks, of the first; elements reduced and bytes of all, each once. Then by kind what DRAM is asked to load one (two
figures), elements that pass the reduction engine, bytes; and whether there are any."""

RESULTS = np.dtype(
    [
        ("held", "i8", 4),
        *((name, "f8") for name in ("all_work", "last_work", "sums_work")),
        *((name, "i8") for name in ("all_bytes", "sums_bytes")),
        *((name, "f8", 4) for name in ("work", "load_work", "store_work")),
        *((name, "i8", 4) for name in ("each", "load_each", "store_each")),
        ("there", "i8"),
    ]
)
"""Tiles of C: bytes of its buffer as above; work of all finished blocks, of the last, of all sums stored and loaded
once; their bytes; by kind what DRAM is asked to store a finished one, to load and to store one of partial sums; whether
there are any."""

POSITION = np.dtype(
    [
        ("at", "i2", 4),
        ("tile", "i2"),
        ("next", "i2"),
        *((name, "i2", 2) for name in ("load_a", "load_b", "load_sums", "store")),
    ]
)
"""A position of a loop nest that differs from others, see ``loop_nest``: where it is in repetitions, along m, n and k;
kinds of its tile and of the next one, of the next blocks of A, B and partial sums, and of what the tile before left, of
an operand that is not kept and of one that is."""

DESIGN = np.dtype(
    [
        *(("ladder", "i8"), ("array", "i8", 5), ("ports", "i8", 4), ("buffers", "i8", 3)),
        *((name, "i8") for name in ("tiles_held", "latency", "lanes", "deepest")),
        *((name, "f8") for name in ("bytes_per_cycle", "clocks_to_cycles", "cycles_a_work")),
        *(("on_array", "f8", len(ON_ARRAY)), ("in_memory", "f8", len(IN_MEMORY)), ("watts", "f8"), ("clock", "f8")),
    ]
)
"""A design: its ladder of tile sizes; rows, columns, latencies and register depth; bytes a cycle of the west, north and
output port, and of what both operands share; bytes of these buffers, tiles that each holds of what is replaced; cycles
of a request; lanes of the reduction engine; accumulations that a PE may turn between; pace of DRAM by either model, and
of a unit of work; joules of actions on the array and in memory, in the order of ``actions``; static power; cycles a
second."""

TILE = np.dtype(
    [
        *(("load_a", "i8", 7), ("load_b", "i8", 7), ("load_sums", "i8", 5), ("store", "i8", 9)),
        *(("memory", "i8", 6), ("moved", "i8", 6), ("stays", "i8", (6, 3)), ("weights", "i8", (4, 6))),
        ("joules", "f8", 6),
        *(("unhidden", "i8"), ("walk", "i8")),
    ]
)
"""A tile on a design: cycles to load a block of A, B, partial sums by kind and 0 for none; to store results, then sums;
by loop order cycles of DRAM alone (``NEVER`` under one that another equals), bytes moved, whether A, B and C are kept,
energy of what moves; tiles that a position stands for in repetitions, along m, n and k; cycles of the first load and
last store; the walk of the first loop order."""

BEST = np.dtype(
    [
        *((name, "i8") for name in ("cycles", "moved", "side", "mapping", "tile", "order", "candidates")),
        ("joules", "f8"),
    ]
)
"""The best mapping of a design so far: ``NEVER`` cycles where there is none; bytes that it moves in a repetition; where
it stands among all; how many legal mappings were considered; its energy."""


class Product(NamedTuple):
    """What a kernel is told of a product and of its loop nests.

    Attributes:
        m: rows of C.
        n: columns.
        k: depth.
        laid_m: of the rows those of an array.
        laid_n: of the columns.
        repetitions: times that it runs.
        split: groups of columns that share k out.
        copies_a: arrays that A is sent to at once.
        copies_b: B.
        compressed_a: whether the array takes A as pairs.
        compressed_b: whether B.
        reduced: the operand that is reduced on its way in: 0 for A, 1 for B, 2 for none.
        group: elements that a lane of the reduction engine sorts together.
        stored_a: what the bytes of pairs of A depend on.
        stored_b: of B.
        value_bytes: of another value.
        kept: values that are kept of such a group.
        places: repetitions that would run if all packs were full.
        wanted: of these those that there are.
        macs: multiply-accumulates issued.
        choices: see ``Gemm.choices``.
        passed_sums: see ``actions.passed_sum_bytes``.
        finished_sums: ``actions.finished_sum_bytes``.
        requests: whether anything is asked of DRAM before the first tile.
        repeats: repetitions that stand for any number, in the loop nests.
        runs_m: last tiles along m that stand for any number.
        runs_n: along n.
        runs_k: along k.
    """

    m: int
    n: int
    k: int
    laid_m: int
    laid_n: int
    repetitions: int
    split: int
    copies_a: int
    copies_b: int
    compressed_a: bool
    compressed_b: bool
    reduced: int
    group: int
    stored_a: Stored
    stored_b: Stored
    value_bytes: int
    kept: int
    places: int
    wanted: int
    macs: int
    choices: int
    passed_sums: int
    finished_sums: int
    requests: bool
    repeats: int
    runs_m: int
    runs_n: int
    runs_k: int


class Kind(NamedTuple):
    """What all designs and mappings share.

    Attributes:
        overlapped: as in ``ArrayTiming``; and so on.
        shifted_drain: likewise.
        chained_load: likewise.
        spread_groups: likewise.
        tile_overlap: likewise.
        timed: whether DRAM is the timed one.
        side: number of the side.
        exchanged: whether operands, and m and n, change places there.
        alike: a mapping is as fast as one that is at most one part of so many faster.
        counted: whether candidates are counted.
    """

    overlapped: bool
    shifted_drain: bool
    chained_load: bool
    spread_groups: bool
    tile_overlap: bool
    timed: bool
    side: int
    exchanged: bool
    alike: int
    counted: bool


class Tables(NamedTuple):
    """Tiles and loop nests of a product.

    Sizes of all ladders, each once, and what they are in pairs, of each memory; and which of them every ladder has.

    Attributes:
        sizes: [L, 3] sizes along m, n and k of each ladder.
        line: [L] the memory of each.
        at_m: [L, M] its sizes along m, among all.
        at_n: [L, N].
        at_k: [L, K].
        m: [X] ``AXIS`` of all sizes along m.
        n: [Y].
        k: [Z].
        a: [memories, X, Z] ``BLOCKS``, where a ladder has both sizes.
        b: [memories, Y, Z].
        c: [memories, X, Y] ``RESULTS``.
        starts: [W + 1] where each walk of a loop nest begins.
        positions: [P] ``POSITION``, walk after walk.
    """

    sizes: IntArray
    line: IntArray
    at_m: IntArray
    at_n: IntArray
    at_k: IntArray
    m: Records
    n: Records
    k: Records
    a: Records
    b: Records
    c: Records
    starts: IntArray
    positions: Records


class Case(NamedTuple):
    """All that a kernel is told.

    Attributes:
        product: the product.
        tables: its tiles.
        kind: what designs and mappings share.
        grouping: how groups lie in PEs.
        designs: [S] ``DESIGN``.
        parameters: [2, A] of the side's array mappings.
        legal: [S, A] which of them each design's registers hold.
        tile: [1] ``TILE``, to work in.
    """

    product: Product
    tables: Tables
    kind: Kind
    grouping: Grouping
    designs: Records
    parameters: IntArray
    legal: BoolArray
    tile: Records
