"""The tables of a compiled search: what tiles of a product hold and move, by sizes along an axis or a pair of axes."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...accel.specification import SIDES
from ...configs.arrays import IntArray
from ..design_table import DesignTable
from ..gemm import AXES, SUM_BYTES, Axis, Operand, Place
from ..holding import AXES_OF
from ..loop_nest import RUN, Shape, loop_nest
from ..tile_grid import at_first
from ..tile_pairs import TilePairs
from . import case

_WHICH: dict[object, int] = {"a": 0, "b": 1, None: 2}
"""Numbers of operands."""


def product_of(pairs: TilePairs) -> case.Product:
    """What a kernel is told of a product."""
    gemm, nest = pairs.gemm, _shape(pairs)
    return case.Product(
        m=gemm.m,
        n=gemm.n,
        k=gemm.k,
        repetitions=gemm.count,
        compressed=_WHICH[gemm.compressed],
        reduced=_WHICH[gemm.pruned_operand if gemm.reduced_on_load else None],
        group=gemm.pattern.sorted_group,
        stored=pairs.along_k.stored,
        value_bytes=pairs.design.value_bytes,
        requests=not {"a", "b"} <= set(gemm.on_chip),
        repeats=nest.repeats,
        runs_m=nest.m,
        runs_n=nest.n,
        runs_k=nest.k,
    )


def tables_of(pairs: TilePairs) -> case.Tables:
    """All that depends on sizes of tiles, of the ladders of a product."""
    starts, positions = _walks(_shape(pairs))
    sizes = np.stack([each.present.sum(axis=1) for each in pairs.axes], axis=1)
    m, n, k = (_axis(pairs, axis) for axis in AXES)
    return case.Tables(
        sizes=sizes.astype(np.int64),
        m=m,
        n=n,
        k=k,
        a=_loads(pairs, "a"),
        b=_loads(pairs, "b"),
        c=_results(pairs),
        starts=starts,
        positions=positions,
    )


def _axis(pairs: TilePairs, axis: Axis) -> case.Records:
    """[L, T] the tile sizes along an axis."""
    ladders = pairs.axes[AXES.index(axis)]
    tiles = ladders.tiles.take(ladders.at.reshape(-1))
    found = np.zeros(len(tiles), dtype=case.AXIS)
    found["trips"], found["fulls"], found["lasts"] = tiles.trips, tiles.fulls, tiles.lasts
    if axis == "k":
        grid = pairs.along_k
        for name, each in (
            ("extent", grid.size_k),
            ("count", grid.count_k),
            ("slots", grid.slots),
            ("kept", grid.kept_k),
            ("groups", grid.groups),
        ):
            found[name] = each
    else:
        found["extent"][:, :2], found["count"][:, 0], found["count"][:, 1] = tiles.size, tiles.fulls, tiles.lasts
    return found.reshape(ladders.at.shape)


def _loads(pairs: TilePairs, operand: Operand) -> case.Records:
    """[L, X, Y] tiles of A or B."""
    grid, blocks = pairs.pairs[operand], "mk" if operand == "a" else "kn"
    loaded = grid.a_load_bytes if operand == "a" else grid.b_load_bytes
    found = np.zeros(len(grid), dtype=case.BLOCKS)
    work, each = grid.memory.work(*(grid.a_transfers() if operand == "a" else grid.b_transfers()))
    pace = work / each
    first = at_first(pace[:, :, 0], grid.m) if operand == "a" else at_first(pace[:, 0, :], grid.n)
    found["work"], found["each"] = work.reshape(-1, 6), np.broadcast_to(each, work.shape).reshape(-1, 6)
    found["all_work"], found["first_work"] = grid.sum_over_blocks(pace, blocks), first
    found["all_bytes"] = grid.sum_over_blocks(loaded, blocks)
    if grid.gemm.reduced_on_load and grid.gemm.pruned_operand == operand:
        found["elements"] = grid.reduced_elements.reshape(-1, 6)
        found["all_elements"] = grid.sum_over_blocks(grid.reduced_elements, blocks)
    return _placed(pairs, operand, found)


def _results(pairs: TilePairs) -> case.Records:
    """[L, M, N] tiles of C."""
    grid = pairs.pairs["c"]
    found = np.zeros(len(grid), dtype=case.RESULTS)
    sums = grid.c_transfers(grid.sum_bytes, SUM_BYTES)
    results = grid.c_transfers(grid.result_bytes, grid.result_element_bytes)
    paces = {}
    for name, transfers, write in (("", results, True), ("load_", sums, False), ("store_", sums, True)):
        work, each = grid.memory.work(*transfers, write=write)
        paces[name] = work / each
        found[f"{name}work"], found[f"{name}each"] = (
            work.reshape(-1, 4),
            np.broadcast_to(each, work.shape).reshape(-1, 4),
        )
    found["all_work"], found["last_work"] = grid.sum_over_blocks(paces[""], "mn"), paces[""][:, 1, 1]
    found["sums_work"] = grid.sum_over_blocks(paces["load_"] + paces["store_"], "mn")
    found["all_bytes"] = grid.sum_over_blocks(grid.result_bytes, "mn")
    found["sums_bytes"] = grid.sum_over_blocks(grid.sum_bytes, "mn")
    return _placed(pairs, "c", found)


def _placed(pairs: TilePairs, place: Place, found: case.Records) -> case.Records:
    """Tiles of A, B or C with what they take of their buffer, a record a pair of sizes, in the order of m, n and k."""
    held, (first, second) = pairs.pairs[place].held_of(place), AXES_OF[place]
    kept = (held.tile_bytes, held.row_bytes[first], held.row_bytes[second], held.all_bytes)
    found["held"] = np.stack(kept, axis=1)
    ladders, *sizes = pairs.shape
    own = [size for axis, size in zip(AXES, sizes, strict=True) if axis in AXES_OF[place]]
    return found.reshape(ladders, *own)


# Loop nests ----------------------------------------------------------------------------------------------------------


def _shape(pairs: TilePairs) -> Shape:
    """The loop nests that all combinations of sizes of a product need."""
    return Shape.of(pairs.gemm.count, {axis: each.tiles for axis, each in zip(AXES, pairs.axes, strict=True)})


@cache
def _walks(shape: Shape) -> tuple[IntArray, case.Records]:
    """Where each walk begins, [W + 1], and the positions of all that are there, [P]."""
    nest = loop_nest(shape)
    walk, position = np.nonzero(nest.present)
    found = np.zeros(len(walk), dtype=case.POSITION)
    along = (shape.repeats, *(RUN + runs for runs in shape[1:]))
    found["at"], found["tile"] = np.stack(np.unravel_index(position, along), axis=1), nest.tile[walk, position]
    found["next"] = nest.next_tile[walk, position]
    for name in ("load_a", "load_b", "load_sums", "store"):
        found[name] = getattr(nest, name)[:, walk, position].T
    return np.searchsorted(walk, np.arange(len(nest.present) + 1)).astype(np.int64), found


# Designs -------------------------------------------------------------------------------------------------------------


def designs_of(table: DesignTable, index: IntArray, ladder: IntArray, *, interleave: bool) -> case.Records:
    """What a kernel is told of designs, [S].

    Args:
        table: of them.
        index: which.
        ladder: the ladder of each.
        interleave: whether a PE may turn between accumulations.
    """
    numbers = {name: values[index] for name, values in table.numbers.items()}
    found = np.zeros(len(index), dtype=case.DESIGN)
    found["ladder"] = ladder
    for at, name in enumerate(("rows", "cols", "mac_latency", "accumulate_latency", "register_depth")):
        found["array"][:, at] = numbers[name]
    for at, side in enumerate(SIDES):
        found["ports"][:, at], found["buffers"][:, at] = numbers[f"{side}_port"], numbers[f"{side}_bytes"]
    for name, known in (("tiles_held", "tiles_held"), ("latency", "latency_cycles"), ("lanes", "reduction_lanes")):
        found[name] = numbers[known]
    found["deepest"] = numbers["register_depth"] if interleave else 1
    pace, clocks = numbers["bytes_per_cycle"], numbers["clocks_to_cycles"]
    found["bytes_per_cycle"], found["clocks_to_cycles"] = pace, clocks
    found["cycles_a_work"] = clocks if table.memories[0].timed is not None else 1 / pace
    return found


def kind_of(table: DesignTable, side: int, *, exchanged: bool, alike: int) -> case.Kind:
    """What designs of a table, and mappings of one side, share; arguments as in ``case.Kind``."""
    timing = table.first.tensor_engine.timing
    return case.Kind(
        overlapped=timing.overlapped,
        shifted_drain=timing.shifted_drain,
        chained_load=timing.chained_load,
        spread_groups=timing.spread_groups,
        tile_overlap=timing.tile_overlap,
        timed=table.memories[0].timed is not None,
        side=side,
        exchanged=exchanged,
        alike=alike,
    )
