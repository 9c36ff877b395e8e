"""Why the array waits between tiles, cycle by cycle: the first unmet condition names the cycle.

Conditions of the next tile in order of precedence: the vector lanes have let the last results out; the reduction engine
has sorted the operand that passes it; the west operand is there; the north operand is there; partial sums are there and
the output buffer is free. DMA fetches A, then B, then partial sums, and stores after that, so each condition has its
moment; a wait is cut at these moments. Source: docs/hardware-model.md, "Engines beside the array".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..accel.engines import reduction_cycles
from .gemm import Operand
from .pipeline import Pipeline
from .tile_grid import TileGrid

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def waits_by_cause(pipeline: Pipeline, west: Operand) -> dict[str, int]:
    """Cycles that the array waits for the first tile, between tiles, and for the last results, by cause.

    Args:
        pipeline: of one candidate.
        west: the operand in the west buffer.
    """
    terms, tiles = pipeline.terms, pipeline.tiles
    m, n, k = (kind[0] for kind in terms.next_kind)
    sorting: dict[Operand, BoolArray] = {"a": sorting_limits(tiles, "a"), "b": sorting_limits(tiles, "b")}
    fetched, both = terms.load_a, terms.load_a + terms.load_b
    latency = terms.latency_cycles
    arrivals = {
        "a": np.where(terms.load_a > 0, fetched + latency, 0)[0],
        "b": np.where(terms.load_b > 0, both + latency, 0)[0],
    }
    sums = np.where(terms.load_sums > 0, terms.load + latency, 0)[0]
    sorted_at = {
        "a": np.where(sorting["a"][m, k], arrivals["a"], 0),
        "b": np.where(sorting["b"][k, n], arrivals["b"], 0),
    }
    north: Operand = "b" if west == "a" else "a"
    between = cut(
        terms.tile[0],
        (
            ("dependence", terms.lanes[0]),
            ("reduction", np.maximum(sorted_at["a"], sorted_at["b"])),
            ("west", arrivals[west]),
            ("north", arrivals[north]),
            ("output", np.maximum(sums, (terms.load + terms.store)[0])),
        ),
    )
    causes = {cause: int((terms.weight[0] * cycles).sum()) for cause, cycles in between}
    for cause, cycles in (*_first(pipeline, west, sorting), *_last(pipeline)):
        causes[cause] = causes.get(cause, 0) + int(cycles)
    return causes


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


def _first(pipeline: Pipeline, west: Operand, sorting: dict[Operand, BoolArray]) -> list[tuple[str, IntArray]]:
    tiles = pipeline.tiles
    m, n = int(tiles.trips["m"][0] == 1), int(tiles.trips["n"][0] == 1)
    load_a, load_b = tiles.a_load_cycles[0, m, 0], tiles.b_load_cycles[0, 0, n]
    latency = tiles.memory.latency_cycles
    arrivals: dict[Operand, IntArray] = {
        "a": np.where(load_a > 0, latency + load_a, 0),
        "b": np.where(load_b > 0, latency + load_a + load_b, 0),
    }
    limits = {"a": sorting["a"][m, 0], "b": sorting["b"][0, n]}
    north: Operand = "b" if west == "a" else "a"
    sorted_at = max(arrivals[operand] if limits[operand] else 0 for operand in arrivals)
    conditions = (("reduction", np.asarray(sorted_at)), ("west", arrivals[west]), ("north", arrivals[north]))
    return cut(np.asarray(0), conditions)


def _last(pipeline: Pipeline) -> list[tuple[str, IntArray]]:
    lanes, store = pipeline.result_lane_cycles[0, 1, 1], pipeline.result_store_cycles[0, 1, 1]
    return cut(np.asarray(0), (("dependence", lanes), ("output", store)))


def sorting_limits(tiles: TileGrid, operand: Operand) -> BoolArray:
    """[2, 3] of A or [3, 2] of B: where the reduction engine, not DRAM, sets the pace of a block."""
    gemm, cycles = tiles.gemm, tiles.a_load_cycles if operand == "a" else tiles.b_load_cycles
    if gemm.compressed != operand or not gemm.reduced_on_load:
        return np.zeros(cycles.shape[1:], dtype=bool)
    needed = reduction_cycles(tiles.hardware.reduction_engine, tiles.reduced_elements[0], gemm.pattern.group)
    return np.asarray(needed == cycles[0])
