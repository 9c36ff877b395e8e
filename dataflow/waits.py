"""Why the array waits between tiles, cycle by cycle: the first unmet condition names the cycle.

Conditions of the next tile in order of precedence: the vector lanes have let the last results out; the reduction engine
has sorted the operand that passes it; the west operand is there; the north operand is there; partial sums are there and
the output buffer is free. DMA fetches A, then B, then partial sums, and stores after that, so each condition has its
moment; a wait is cut at these moments. Source: docs/hardware-model.md, "Engines beside the array".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..accel.engines import reduction_cycles
from ..configs.arrays import BoolArray, IntArray
from .gemm import Operand
from .loop_nest import Kinds
from .pipeline import Pipeline
from .tile_grid import TileGrid


def waits_by_cause(pipeline: Pipeline, a_in_west: BoolArray) -> dict[str, IntArray]:
    """[K] cycles that the array waits for the first tile, between tiles, and for the last results, by cause.

    Args:
        pipeline: of the candidates.
        a_in_west: [K] whether A is the operand in the west buffer.
    """
    terms, tiles = pipeline.terms, pipeline.tiles
    sorting: dict[Operand, BoolArray] = {"a": sorting_limits(tiles, "a"), "b": sorting_limits(tiles, "b")}
    fetched, both = terms.load_a, terms.load_a + terms.load_b
    latency = np.reshape(terms.latency_cycles, (-1, 1))
    a = np.where(terms.load_a > 0, fetched + latency, 0)
    b = np.where(terms.load_b > 0, both + latency, 0)
    sums = np.where(terms.load_sums > 0, terms.load + latency, 0)
    sorted_a, sorted_b = _where_sorted(sorting["a"], terms.next_a, a), _where_sorted(sorting["b"], terms.next_b, b)
    between = cut(
        terms.tile,
        (
            ("dependence", terms.lanes),
            ("reduction", np.maximum(sorted_a, sorted_b)),
            ("west", np.where(a_in_west[:, None], a, b)),
            ("north", np.where(a_in_west[:, None], b, a)),
            ("output", np.maximum(sums, terms.load + terms.store)),
        ),
    )
    causes = {cause: (terms.weight * cycles).sum(axis=1) for cause, cycles in between}
    for cause, cycles in (*_first(pipeline, a_in_west, sorting), *_last(pipeline)):
        causes[cause] = causes[cause] + cycles
    return causes


def _where_sorted(sorting: BoolArray, kind: Kinds, arrival: IntArray) -> IntArray:
    """[K, P] when the sorters are done, if they set the pace of the next tile's block, whose kind counts flat."""
    if not sorting.any():
        return np.zeros_like(arrival)
    flat = np.concatenate([sorting.reshape(len(sorting), -1), np.zeros((len(sorting), 1), dtype=bool)], axis=1)
    return np.where(np.take_along_axis(flat, kind.astype(np.intp), axis=1), arrival, 0)


def cut(start: IntArray, conditions: Sequence[tuple[str, IntArray]]) -> list[tuple[str, IntArray]]:
    """Cut waits at the moments when their conditions hold, in order of precedence.

    >>> [(name, int(cycles)) for name, cycles in cut(np.array(10), [("west", np.array(14)), ("output", np.array(15))])]
    [('west', 4), ('output', 1)]
    """
    shares = []
    for cause, moment in conditions:
        reached = np.maximum(start, moment)
        shares.append((cause, reached - start))
        start = reached
    return shares


def _first(pipeline: Pipeline, a_in_west: BoolArray, sorting: dict[Operand, BoolArray]) -> list[tuple[str, IntArray]]:
    tiles = pipeline.tiles
    rows = np.arange(len(tiles))
    m, n = ((tiles.trips[axis] == 1).astype(np.int64) for axis in ("m", "n"))
    load_a, load_b = tiles.a_load_cycles[rows, m, 0], tiles.b_load_cycles[rows, 0, n]
    latency = tiles.memory.latency_cycles
    a = np.where(load_a > 0, latency + load_a, 0)
    b = np.where(load_b > 0, latency + load_a + load_b, 0)
    sorted_at = np.maximum(np.where(sorting["a"][rows, m, 0], a, 0), np.where(sorting["b"][rows, 0, n], b, 0))
    in_west, in_north = np.where(a_in_west, a, b), np.where(a_in_west, b, a)
    return cut(np.zeros_like(load_a), (("reduction", sorted_at), ("west", in_west), ("north", in_north)))


def _last(pipeline: Pipeline) -> list[tuple[str, IntArray]]:
    lanes, store = pipeline.result_lane_cycles[:, 1, 1], pipeline.result_store_cycles[:, 1, 1]
    return cut(np.zeros_like(store), (("dependence", lanes), ("output", store)))


def sorting_limits(tiles: TileGrid, operand: Operand) -> BoolArray:
    """[K, 2, 3] of A or [K, 3, 2] of B: where the reduction engine, not DRAM, sets the pace of a block."""
    gemm, cycles = tiles.gemm, tiles.a_load_cycles if operand == "a" else tiles.b_load_cycles
    if gemm.reduced_on_load != operand:
        return np.zeros(cycles.shape, dtype=bool)
    needed = reduction_cycles(
        tiles.design.reduction_lanes, tiles.reduced_elements, gemm.format_of(operand).sorted_group
    )
    return np.asarray(needed == cycles)
