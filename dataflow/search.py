"""The mapping search: the best of every legal mapping in the ladder, found without timing each one exactly.

Every combination of array mapping, tile sizes and distinct loop order gets a lower bound on its time (compute on one
side, DRAM on the other; what neither can hide added). Candidates are then timed exactly in the order of their bounds
until no bound is below the best time found: the answer equals that of timing all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import numpy.typing as npt

from ..accel.specification import Dataflow, Hardware
from ..configs.errors import MappingError
from .actions import array_actions, memory_actions
from .gemm import Gemm, Operand
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping, array_mappings
from .objective import TIME, Objective
from .pipeline import Pipeline, first_load_cycles, last_store_cycles
from .tile_grid import TileGrid
from .tile_time import TileTime
from .traffic import Traffic, distinct_orders

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_FIRST_BATCH = 16
"""Candidates timed exactly at first: the ones with the lowest bounds. Mostly no other can win."""

_BATCH = 256
"""Candidates timed exactly at once after that."""


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
    mappings = array_mappings(hardware.tensor_engine, gemm, dataflows)
    sides = list(_sides(gemm, hardware, objective, mappings))
    if not sides:
        raise _no_tile_fits(gemm, hardware, mappings[0].west)
    values = np.concatenate([side.values for side in sides])
    legal = int(np.isfinite(values).sum())
    first = np.argpartition(values, min(_FIRST_BATCH, legal) - 1)[: min(_FIRST_BATCH, legal)]
    best = _best_among(sides, first)
    # Whatever is bounded above the best time found cannot win; the rest is timed in batches by rising bound.
    rest = np.setdiff1d(np.flatnonzero(values <= best.value), first)
    rest = rest[np.argsort(values[rest], kind="stable")]
    done = 0
    while done < len(rest) and values[rest[done]] <= best.value:
        best = min(best, _best_among(sides, rest[done : done + _BATCH]), key=_Best.rank)
        done += _BATCH
    timed = len(first) + min(done, len(rest))
    return Choice(mapping=best.mapping, cycles=best.cycles, candidates=legal, timed_exactly=timed)


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Candidates that share a dataflow and a side: array mappings x tiles x loop orders, [A, J, O]."""

    gemm: Gemm
    mappings: tuple[ArrayMapping, ...]
    tiles: TileGrid
    objective: Objective

    @cached_property
    def times(self) -> TileTime:
        return TileTime(tiles=self.tiles, mappings=self.mappings)

    @cached_property
    def traffics(self) -> tuple[Traffic, ...]:
        return tuple(Traffic(tiles=self.tiles, order=order) for order in LOOP_ORDERS)

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.mappings), len(self.tiles), len(LOOP_ORDERS)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def values(self) -> FloatArray:
        """[A * J * O] lower bounds on the objective; infinite where an equal loop order stands already."""
        value = self.objective.value(self.tiles.hardware, self._bound, self.dynamic_joules)
        value[:, ~distinct_orders(self.tiles.trips, LOOP_ORDERS)] = np.inf
        return value.ravel()

    @property
    def _bound(self) -> IntArray:
        """[A, J, O] cycles that no schedule of these tiles can beat."""
        tiles, count = self.tiles, self.gemm.count
        computing = count * self.times.total(self.times.cycles)
        moving = count * np.stack([traffic.cycles for traffic in self.traffics], axis=1)
        unhidden = first_load_cycles(tiles) + last_store_cycles(tiles)
        return np.maximum((computing + unhidden)[:, :, None], tiles.memory.latency_cycles + moving[None])

    @cached_property
    def dynamic_joules(self) -> FloatArray | None:
        """[A, J, O] dynamic energy of every candidate, exact; None when the objective does not ask."""
        energy = self.objective.energy
        if energy is None or not self.objective.needs_energy:
            return None
        on_array = energy.dynamic_joules(array_actions(self.gemm, self.times))
        in_memory = [
            energy.dynamic_joules(memory_actions(self.gemm, traffic, self.times.west)) for traffic in self.traffics
        ]
        return np.asarray(on_array[:, :, None] + np.stack(in_memory, axis=1)[None])

    def moved_bytes(self, tile: IntArray, order: IntArray) -> IntArray:
        """[K] bytes that chosen candidates move between DRAM and chip, one repetition."""
        moved = [traffic.read_bytes + traffic.write_bytes for traffic in self.traffics]
        return np.stack(moved, axis=1)[tile, order]

    def mapping(self, number: int) -> Mapping:
        array, tile, order = (int(index) for index in np.unravel_index(number, self.shape))
        return Mapping(
            array=self.mappings[array],
            tile_m=int(self.tiles.size_m[tile, 0]),
            tile_n=int(self.tiles.size_n[tile, 0]),
            tile_k=int(self.tiles.size_k[tile, 0]),
            order=LOOP_ORDERS[order],
        )


def _sides(gemm: Gemm, hardware: Hardware, objective: Objective, mappings: tuple[ArrayMapping, ...]) -> Iterator[_Side]:
    grid = TileGrid.ladder(gemm, hardware)
    legal: dict[Operand, npt.NDArray[np.bool_]] = {"a": grid.fits("a"), "b": grid.fits("b")}
    # What does not depend on the side is worked out once, for tiles that are legal on either.
    either = legal["a"] | legal["b"]
    grid = grid.pick(either)
    tiles_with_west = {west: grid.pick(fits[either]) for west, fits in legal.items()}
    for _, members in groupby(mappings, key=lambda mapping: (mapping.dataflow, mapping.swapped)):
        same = tuple(members)
        tiles = tiles_with_west[same[0].west]
        if len(tiles):
            yield _Side(gemm=gemm, mappings=same, tiles=tiles, objective=objective)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The best candidate so far; ties go to the one that moves fewer bytes, then to the first."""

    value: float
    moved_bytes: int
    cycles: int
    mapping: Mapping

    def rank(self) -> tuple[float, int]:
        return self.value, self.moved_bytes


def _best_among(sides: list[_Side], chosen: IntArray) -> _Best:
    """Time chosen candidates, numbered through all sides, exactly and keep the best."""
    found, start = [], 0
    for side in sides:
        own = chosen[(chosen >= start) & (chosen < start + side.size)] - start
        start += side.size
        if len(own):
            found.append(_best_of(side, own))
    return min(found, key=_Best.rank)


def _best_of(side: _Side, own: IntArray) -> _Best:
    """Time chosen candidates of one side exactly and keep the best."""
    array, tile, order = np.unravel_index(own, side.shape)
    cycles = Pipeline(
        tiles=side.tiles.pick(tile),
        orders=tuple(LOOP_ORDERS[number] for number in order),
        tile_cycles=side.times.cycles_at(array, tile),
        count=side.gemm.count,
    ).cycles
    moved = side.moved_bytes(tile, order)
    spent = None if side.dynamic_joules is None else side.dynamic_joules[array, tile, order]
    value = side.objective.value(side.tiles.hardware, cycles, spent)
    at = int(np.lexsort((own, moved, value))[0])
    return _Best(
        value=float(value[at]),
        moved_bytes=int(moved[at]),
        cycles=int(cycles[at]),
        mapping=side.mapping(int(own[at])),
    )


def _no_tile_fits(gemm: Gemm, hardware: Hardware, west: Operand) -> MappingError:
    grid, buffers = TileGrid.ladder(gemm, hardware), hardware.buffers
    held = (grid.a_held_bytes, grid.b_held_bytes)
    in_west, in_north = held if west == "a" else held[::-1]
    least = {
        "west": (int(2 * in_west[:, 0, 0].min()), buffers.west.capacity_bytes),
        "north": (int(2 * in_north[:, 0, 0].min()), buffers.north.capacity_bytes),
        "output": (int(2 * grid.sum_bytes[:, 0, 0].min()), buffers.output.capacity_bytes),
    }
    short = {
        f"buffers.{name}.capacity_bytes": f"got {have}, need at least {need}"
        for name, (need, have) in least.items()
        if need > have
    }
    told = "; ".join(f"{field}: {reason}" for field, reason in short.items())
    reason = told or "buffers too small for the smallest tile of all three operands together"
    return MappingError(
        f"{hardware.name}: no tile of {gemm.name} fits: {reason}; try a larger buffer",
        field=next(iter(short), "buffers"),
    )
