"""The mapping search: the best of every legal mapping in the ladder, found without timing each one exactly.

Every combination of array mapping, tile sizes and distinct loop order gets a lower bound on its time (compute on one side, DRAM
on the other; what neither can hide added). Candidates are then timed exactly in the order of their bounds until no bound is
below the best time found: the answer equals that of timing all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from ..accel.specification import Dataflow, Hardware
from ..configs.errors import MappingError
from .actions import array_actions, memory_actions
from .gemm import Gemm
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping, array_mappings
from .objective import TIME, Objective
from .pipeline import Pipeline
from .tile_grid import TileGrid
from .tile_time import TileTime
from .traffic import Traffic, distinct_orders

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_FIRST_BATCH = 32
"""Candidates timed exactly at first; every further batch is twice as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The mapping found, and how hard the search looked.

    Attributes:
        mapping: the best mapping.
        cycles: its time, all repetitions of the product.
        candidates: legal mappings considered.
        timed_exactly: of those, the ones whose bound did not rule them out.
    """

    mapping: Mapping
    cycles: int
    candidates: int
    timed_exactly: int


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Candidates that share a dataflow and a side: array mappings x tiles x loop orders."""

    gemm: Gemm
    mappings: tuple[ArrayMapping, ...]
    tiles: TileGrid
    times: TileTime
    bound: IntArray = field(repr=False)
    """[A, J, O] lower bound on cycles; largest integer where an equal order stands already."""

    @property
    def legal(self) -> int:
        return int((self.bound < _NEVER).sum())

    def values(self, objective: Objective) -> FloatArray:
        """[A * J * O] lower bounds on the objective."""
        bound = objective.value(self.tiles.hardware, self.bound, self.dynamic_joules(objective))
        return np.where(self.bound < _NEVER, bound, np.inf).ravel()

    def dynamic_joules(self, objective: Objective) -> FloatArray | None:
        """[A, J, O] dynamic energy of every candidate, exact."""
        if objective.energy is None:
            return None
        on_array = objective.energy.dynamic_joules(array_actions(self.gemm, self.times))
        traffics = (Traffic(tiles=self.tiles, order=order) for order in LOOP_ORDERS)
        in_memory = [
            objective.energy.dynamic_joules(memory_actions(self.gemm, traffic, self.times.west)) for traffic in traffics
        ]
        return np.asarray(on_array[:, :, None] + np.stack(in_memory, axis=1)[None])


_NEVER = np.iinfo(np.int64).max


def best_mapping(
    gemm: Gemm, hardware: Hardware, *, objective: Objective = TIME, dataflows: tuple[Dataflow, ...] | None = None
) -> Choice:
    """Find the best mapping of a product.

    Args:
        gemm: the product.
        hardware: the design.
        objective: what is minimised.
        dataflows: only these dataflows; all that the design offers when None.

    Raises:
        MappingError: the design lacks the pattern, or no tile fits its buffers.
    """
    sides = list(_sides(gemm, hardware, array_mappings(hardware.tensor_engine, gemm, dataflows)))
    if not sides:
        raise MappingError(_no_tile_fits(gemm, hardware))
    values = np.concatenate([side.values(objective) for side in sides])
    starts = np.cumsum([0] + [side.bound.size for side in sides])
    legal = sum(side.legal for side in sides)
    ranked = np.argsort(values, kind="stable")[:legal]
    best: _Best | None = None
    batch, done = _FIRST_BATCH, 0
    while done < legal and (best is None or values[ranked[done]] <= best.value):
        chosen = ranked[done : done + batch]
        done += len(chosen)
        batch *= 2
        for start, side in zip(starts, sides, strict=False):
            own = chosen[(chosen >= start) & (chosen < start + side.bound.size)] - start
            if len(own):
                best = min(filter(None, (best, _best_of(side, own, objective))), key=_Best.rank)
    assert best is not None, "a side has at least one legal candidate"
    return Choice(mapping=best.mapping, cycles=best.cycles, candidates=legal, timed_exactly=done)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The best candidate so far; ties go to the one that moves fewer bytes, then to the first."""

    value: float
    moved_bytes: int
    cycles: int
    mapping: Mapping

    def rank(self) -> tuple[float, int]:
        return self.value, self.moved_bytes


def _best_of(side: _Side, own: IntArray, objective: Objective) -> _Best:
    """Time chosen candidates of a side exactly and keep the best."""
    array, tile, order = np.unravel_index(own, side.bound.shape)
    tiles = side.tiles.pick(tile)
    cycles = Pipeline(
        tiles=tiles,
        orders=tuple(LOOP_ORDERS[o] for o in order),
        tile_cycles=side.times.cycles[array, tile],
        count=side.gemm.count,
    ).cycles
    moved = np.zeros(len(own), dtype=np.int64)
    for number, name in enumerate(LOOP_ORDERS):
        rows = order == number
        if rows.any():
            traffic = Traffic(tiles=tiles.pick(rows), order=name)
            moved[rows] = traffic.read_bytes + traffic.write_bytes
    dynamic = side.dynamic_joules(objective)
    spent = None if dynamic is None else dynamic.ravel()[own]
    value = objective.value(side.tiles.hardware, cycles, spent)
    at = int(np.lexsort((moved, value))[0])
    return _Best(
        value=float(value[at]),
        moved_bytes=int(moved[at]),
        cycles=int(cycles[at]),
        mapping=_mapping(side, int(own[at])),
    )


def _sides(gemm: Gemm, hardware: Hardware, mappings: tuple[ArrayMapping, ...]) -> Iterator[_Side]:
    grid = TileGrid.ladder(gemm, hardware)
    for (_, _), members in groupby(mappings, key=lambda mapping: (mapping.dataflow, mapping.swapped)):
        same = tuple(members)
        tiles = grid.pick(grid.fits(same[0].west))
        if len(tiles):
            times = TileTime(tiles=tiles, mappings=same)
            yield _Side(gemm=gemm, mappings=same, tiles=tiles, times=times, bound=_bound(gemm, tiles, times))


def _bound(gemm: Gemm, tiles: TileGrid, times: TileTime) -> IntArray:
    """[A, J, O] cycles that no schedule of these tiles can beat."""
    computing = gemm.count * (times.cycles * tiles.counts).sum(axis=(2, 3, 4))
    moving = gemm.count * np.stack([Traffic(tiles=tiles, order=order).cycles for order in LOOP_ORDERS], axis=1)
    first, last = _unhidden(tiles)
    bound = np.maximum((computing + first + last)[:, :, None], tiles.memory.latency_cycles + moving[None])
    return np.where(distinct_orders(tiles.trips, LOOP_ORDERS)[None], bound, _NEVER)


def _unhidden(tiles: TileGrid) -> tuple[IntArray, IntArray]:
    """[J] cycles of the first load and the last store."""
    ends = Pipeline(tiles=tiles, orders=(), tile_cycles=np.empty(0, dtype=np.int64), count=1)
    return ends.first_load_cycles, ends.last_store_cycles


def _mapping(side: _Side, flat: int) -> Mapping:
    array, tile, order = (int(i) for i in np.unravel_index(flat, side.bound.shape))
    tiles = side.tiles
    return Mapping(
        array=side.mappings[array],
        tile_m=int(tiles.size_m[tile, 0]),
        tile_n=int(tiles.size_n[tile, 0]),
        tile_k=int(tiles.size_k[tile, 0]),
        order=LOOP_ORDERS[order],
    )


def _no_tile_fits(gemm: Gemm, hardware: Hardware) -> str:
    grid, buffers = TileGrid.ladder(gemm, hardware), hardware.buffers
    least = {
        "west": (int(2 * grid.a_held_bytes[:, 0, 0].min()), buffers.west.capacity_bytes),
        "north": (int(2 * grid.b_held_bytes[:, 0, 0].min()), buffers.north.capacity_bytes),
        "output": (int(2 * grid.sum_bytes[:, 0, 0].min()), buffers.output.capacity_bytes),
    }
    short = [
        f"buffers.{name}.capacity_bytes: got {have}, need at least {need}"
        for name, (need, have) in least.items()
        if need > have
    ]
    reason = "; ".join(short) or "buffers too small for the smallest tile of all three operands together"
    return f"{hardware.name}: no tile of {gemm.name} fits: {reason}; try a larger buffer"
