"""The tables of a compiled search: what tiles of a product hold and move, by sizes along an axis or a pair of axes."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...accel.specification import SIDES
from ...configs.arrays import IntArray
from ..actions import IN_MEMORY, ON_ARRAY, finished_sum_bytes, passed_sum_bytes
from ..design_table import DesignTable
from ..gemm import AXES, PLACES, Axis, Gemm
from ..loop_nest import RUN, Shape, loop_nest
from ..shares import array_for, copies_of, groups_of_share, on_array, slots_of_share
from ..side_mappings import OF_TIMING, timing_of_each
from ..tile_bytes import FIRST_MIDDLE_LAST, TileBytes
from ..tile_pairs import TilePairs
from . import case, numba_build
from .blocks import Ladders, Layout

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
        laid_m=int(on_array(gemm, "m", gemm.m)),
        laid_n=int(on_array(gemm, "n", gemm.n)),
        split=gemm.split,
        copies_a=copies_of(gemm, "a"),
        copies_b=copies_of(gemm, "b"),
        compressed_a="a" in gemm.compressed,
        compressed_b="b" in gemm.compressed,
        reduced=_WHICH[gemm.reduced_on_load],
        group=gemm.format_of(gemm.reduced_on_load or "b").sorted_group,
        stored_a=_along_k(pairs).stored("a"),
        stored_b=_along_k(pairs).stored("b"),
        value_bytes=pairs.design.value_bytes,
        kept=gemm.format_of(gemm.reduced_on_load or "b").sorted_kept,
        places=gemm.count * gemm.packed,
        wanted=gemm.repetitions,
        macs=gemm.issued_macs,
        choices=gemm.choices,
        passed_sums=passed_sum_bytes(gemm),
        finished_sums=finished_sum_bytes(gemm),
        requests=not {"a", "b"} <= set(gemm.on_chip),
        repeats=nest.repeats,
        runs_m=nest.m,
        runs_n=nest.n,
        runs_k=nest.k,
    )


def tables_of(pairs: TilePairs) -> case.Tables:
    """All that depends on sizes of tiles, of the ladders of a product."""
    starts, positions = _walks(_shape(pairs))
    laying, layout, ladders = numba_build.laying(), layout_of(pairs), _ladders(pairs)
    m, n, k = (_axis(pairs, axis) for axis in AXES)
    lines, memory, timed = len(ladders.burst_bytes), pairs.design.memory, layout.timed
    a, b, c = (
        np.zeros((lines, len(one), len(other)), dtype=kind)
        for one, other, kind in ((m, k, case.BLOCKS), (n, k, case.BLOCKS), (m, n, case.RESULTS))
    )
    for lay, one, found in ((laying.lay_a, m, a), (laying.lay_b, n, b)):
        strides = np.zeros((*found.shape, 6) if timed else (0,) * 4, dtype=np.int64)
        lay(layout, ladders, one, k, found, strides)
        if timed:
            found["work"], found["each"] = memory.work(found["loaded"], found["each"], strides)
    moved, strides = np.zeros((2, *c.shape, 2, 4) if timed else (2, *(0,) * 5), dtype=np.int64)
    laying.lay_c(layout, ladders, m, n, c, moved, strides)
    for name, what, write in (("", 0, True), ("load_", 1, False), ("store_", 1, True)) if timed else ():
        asked = moved[..., what, :], c[f"{name}each"], strides[..., what, :]
        c[f"{name}work"], c[f"{name}each"] = memory.work(*asked, write=write)
    laying.add_up(m, n, k, a, b, c)
    return case.Tables(*ladders[:5], m=m, n=n, k=k, a=a, b=b, c=c, starts=starts, positions=positions)


def layout_of(pairs: TilePairs) -> Layout:
    """How a product lies in memory, for a compiler."""
    gemm, value_bytes = pairs.gemm, pairs.design.value_bytes
    on_k = gemm.tap_axis == "k"
    return Layout(
        compressed_a="a" in gemm.compressed,
        compressed_b="b" in gemm.compressed,
        a_in_pairs=gemm.in_pairs("a"),
        b_in_pairs=gemm.in_pairs("b"),
        reduced=_WHICH[gemm.reduced_on_load],
        on_chip=sum(1 << at for at, place in enumerate(PLACES) if place in gemm.on_chip),
        positions_on_m=on_k,
        taps=gemm.taps,
        channels=gemm.channels,
        b_along_n=gemm.b_contiguous == "n",
        b_channels=gemm.channels if on_k else gemm.k,
        n=gemm.n,
        diagonal={None: 0, "a": 0, "b": 1, "c": 2}[gemm.diagonal],
        packed=gemm.packed,
        scattered=gemm.scattered_result,
        spacing=gemm.result_spacing,
        piece=gemm.result_piece,
        stored_a=_along_k(pairs).stored("a"),
        stored_b=_along_k(pairs).stored("b"),
        value_bytes=value_bytes,
        result_bytes=gemm.result_bytes(value_bytes),
        timed=pairs.design.memory.timed is not None,
    )


def _ladders(pairs: TilePairs) -> Ladders:
    """Which sizes meet, and where memory differs."""
    sizes = np.stack([each.present.sum(axis=1) for each in pairs.axes], axis=1).astype(np.int64)
    memory = pairs.design.memory
    numbers = [
        np.broadcast_to(np.asarray(each).reshape(-1), len(sizes))
        for each in (memory.burst_bytes, memory.run_overhead_bytes)
    ]
    lines, line = np.unique(np.stack(numbers, axis=1).astype(np.int64), axis=0, return_inverse=True)
    at_m, at_n, at_k = (each.at.astype(np.int64) for each in pairs.axes)
    bursts, overheads = np.ascontiguousarray(lines.T)
    return Ladders(
        sizes=sizes,
        line=line.reshape(-1).astype(np.int64),
        at_m=at_m,
        at_n=at_n,
        at_k=at_k,
        burst_bytes=bursts,
        overhead_bytes=overheads,
    )


def _along_k(pairs: TilePairs) -> TileBytes:
    """All tile sizes along k."""
    tiles = pairs.axes[2].tiles
    return TileBytes(gemm=pairs.gemm, design=pairs.design, m=tiles, n=tiles, k=tiles)


def _axis(pairs: TilePairs, axis: Axis) -> case.Records:
    """[T] all tile sizes along an axis."""
    tiles = pairs.axes[AXES.index(axis)].tiles
    found = np.zeros(len(tiles), dtype=case.AXIS)
    found["trips"], found["fulls"], found["lasts"], found["pitch"] = tiles.trips, tiles.fulls, tiles.lasts, tiles.pitch
    own = {"extent": tiles.size, "channels": tiles.channels, "rows": tiles.rows, "run_rows": tiles.run_rows}
    if axis == "k":
        grid = _along_k(pairs)
        for name, each in own.items():
            found[name] = each[:, FIRST_MIDDLE_LAST]
        found["count"], found["groups"] = grid.count_k, groups_of_share(pairs.gemm, grid.groups)
        found["slots"] = slots_of_share(pairs.gemm, grid.slots, grid.groups)
        found["kept_a"], found["kept_b"] = grid.kept_a, grid.kept_b
    else:
        for name, each in (own | {"laid": np.asarray(on_array(pairs.gemm, axis, tiles.size))}).items():
            found[name][:, :2] = each
        found["count"][:, 0], found["count"][:, 1] = tiles.fulls, tiles.lasts
    return found


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


def designs_of(gemm: Gemm, table: DesignTable, index: IntArray, ladder: IntArray, *, interleave: bool) -> case.Records:
    """What a kernel is told of designs, [S].

    Args:
        gemm: the product.
        table: of them.
        index: which.
        ladder: the ladder of each.
        interleave: whether a PE may turn between accumulations.
    """
    numbers = {name: values[index] for name, values in table.numbers.items()}
    found = np.zeros(len(index), dtype=case.DESIGN)
    found["ladder"] = ladder
    array = array_for(gemm, timing_of_each(table, index, beside=0))
    for at, name in enumerate(OF_TIMING):
        found["array"][:, at] = getattr(array, name)
    for at, side in enumerate(SIDES):
        found["ports"][:, at], found["buffers"][:, at] = numbers[f"{side}_port"], numbers[f"{side}_bytes"]
    found["ports"][:, len(SIDES)] = numbers["operand_port"]
    for name, known in (("tiles_held", "tiles_held"), ("latency", "latency_cycles"), ("lanes", "reduction_lanes")):
        found[name] = numbers[known]
    found["deepest"] = numbers["register_depth"] if interleave else 1
    prices = table.prices(index)
    for name, actions in (("on_array", ON_ARRAY), ("in_memory", IN_MEMORY)):
        found[name] = np.stack([prices.joules_each(action) for action in actions], axis=1)
    found["watts"], found["clock"] = prices.static_watts, table.clock_hz[index]
    pace, clocks = numbers["bytes_per_cycle"], numbers["clocks_to_cycles"]
    found["bytes_per_cycle"], found["clocks_to_cycles"] = pace, clocks
    found["cycles_a_work"] = clocks if table.memories[0].timed is not None else 1 / pace
    return found


def kind_of(table: DesignTable, side: int, *, exchanged: bool, alike: int, counted: bool) -> case.Kind:
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
        counted=counted,
    )
