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

from ..accel.energy import EnergyModel
from ..accel.specification import Hardware
from ..configs.arrays import FloatArray, IntArray
from ..configs.errors import MappingError
from .actions import array_actions, memory_actions
from .gemm import Gemm, Operand
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping, array_mappings
from .objective import TIME, Objective
from .pipeline import Pipeline, first_load_cycles, last_store_cycles
from .tile_grid import TileGrid
from .tile_time import TileTime
from .traffic import Traffic, distinct_orders

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
    gemm: Gemm,
    hardware: Hardware,
    *,
    objective: Objective = TIME,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> Choice:
    """Find the best mapping of a product.

    Args:
        gemm: the product.
        hardware: the design.
        objective: what is minimised.
        dataflows: only these dataflows; all that the design offers when None.
        interleave: whether a PE may turn between accumulations.

    Raises:
        MappingError: the design lacks the pattern, or no tile fits its buffers.
    """
    mappings = array_mappings(hardware.tensor_engine, gemm, dataflows, interleave=interleave)
    sides = list(_sides(gemm, hardware, objective, mappings))
    if not sides:
        raise _no_tile_fits(gemm, hardware, mappings[0].west)
    values = np.concatenate([side.values for side in sides])
    legal = int(np.isfinite(values).sum())
    first = np.argpartition(values, min(_FIRST_BATCH, legal) - 1)[: min(_FIRST_BATCH, legal)]
    best = _best_among(sides, np.sort(first))
    # Whatever is bounded above the best time found cannot win; the rest is timed in batches by rising bound.
    rest = np.setdiff1d(np.flatnonzero(values <= best.value), first)
    rest = rest[np.argsort(values[rest], kind="stable")]
    done = 0
    while done < len(rest) and values[rest[done]] <= best.value:
        best = min(best, _best_among(sides, np.sort(rest[done : done + _BATCH])), key=_Best.rank)
        done += _BATCH
    timed = len(first) + min(done, len(rest))
    return Choice(mapping=best.mapping, cycles=best.cycles, candidates=legal, timed_exactly=timed)


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What does not depend on the side: tiles legal on either, and their memory traffic in every loop order."""

    gemm: Gemm
    hardware: Hardware
    tiles: TileGrid

    @cached_property
    def traffics(self) -> tuple[Traffic, ...]:
        return tuple(Traffic(tiles=self.tiles, order=order) for order in LOOP_ORDERS)

    @cached_property
    def memory_cycles(self) -> IntArray:
        """[J, O] cycles that DRAM alone needs."""
        busy = np.stack([traffic.cycles for traffic in self.traffics], axis=1)
        return np.asarray(self.tiles.memory.latency_cycles + self.gemm.count * busy)

    @cached_property
    def unhidden_cycles(self) -> IntArray:
        """[J] cycles of the first load and the last store."""
        return np.asarray(first_load_cycles(self.tiles) + last_store_cycles(self.tiles))

    @cached_property
    def equal_order(self) -> npt.NDArray[np.bool_]:
        """[J, O] where an equal loop order stands already."""
        return ~distinct_orders(self.tiles.trips, LOOP_ORDERS)

    @cached_property
    def moved_bytes(self) -> IntArray:
        """[J, O] bytes moved between DRAM and chip, one repetition."""
        return np.stack([traffic.read_bytes + traffic.write_bytes for traffic in self.traffics], axis=1)

    def memory_joules(self, energy: EnergyModel, west: Operand) -> FloatArray:
        """[J, O] dynamic energy of what moves."""
        joules = [energy.dynamic_joules(memory_actions(self.gemm, traffic, west == "a")) for traffic in self.traffics]
        return np.stack(joules, axis=1)


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Candidates that share a dataflow and a side: array mappings x tiles x loop orders, [A, J, O].

    ``rows`` are the tiles among the ground's that are legal on this side.
    """

    ground: _Ground
    rows: IntArray
    mappings: tuple[ArrayMapping, ...]
    objective: Objective

    @cached_property
    def times(self) -> TileTime:
        return TileTime.of(self.ground.tiles.pick(self.rows), self.mappings)

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.mappings), len(self.rows), len(LOOP_ORDERS)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def values(self) -> FloatArray:
        """[A * J * O] lower bounds on the objective; infinite where an equal candidate stands already."""
        value = self.objective.value(self.ground.hardware, self._bound, self.dynamic_joules)
        value[:, self.ground.equal_order[self.rows]] = np.inf
        value[self.times.repeats] = np.inf
        return value.ravel()

    @property
    def _bound(self) -> IntArray:
        """[A, J, O] cycles that no schedule of these tiles can beat."""
        computing = self.ground.gemm.count * self.times.total(self.times.cycles)
        on_array = computing + self.ground.unhidden_cycles[self.rows]
        return np.asarray(np.maximum(on_array[:, :, None], self.ground.memory_cycles[self.rows][None]))

    @cached_property
    def dynamic_joules(self) -> FloatArray | None:
        """[A, J, O] dynamic energy of every candidate, exact; None when the objective does not ask."""
        energy = self.objective.energy
        if energy is None or not self.objective.needs_energy:
            return None
        on_array = energy.dynamic_joules(array_actions(self.ground.gemm, self.times))
        in_memory = self.ground.memory_joules(energy, self.times.west)[self.rows]
        return np.asarray(on_array[:, :, None] + in_memory[None])


def _sides(gemm: Gemm, hardware: Hardware, objective: Objective, mappings: tuple[ArrayMapping, ...]) -> Iterator[_Side]:
    grid = TileGrid.ladder(gemm, hardware)
    legal: dict[Operand, npt.NDArray[np.bool_]] = {"a": grid.fits("a"), "b": grid.fits("b")}
    either = legal["a"] | legal["b"]
    ground = _Ground(gemm=gemm, hardware=hardware, tiles=grid.pick(either))
    rows_with_west = {west: np.flatnonzero(fits[either]) for west, fits in legal.items()}
    for _, members in groupby(mappings, key=lambda mapping: (mapping.dataflow, mapping.swapped)):
        same = tuple(members)
        rows = rows_with_west[same[0].west]
        if len(rows):
            yield _Side(ground=ground, rows=rows, mappings=same, objective=objective)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The best candidate so far; ties go to the one that moves fewer bytes, then to the first."""

    value: float
    moved_bytes: int
    number: int
    cycles: int
    mapping: Mapping

    def rank(self) -> tuple[float, int, int]:
        return self.value, self.moved_bytes, self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """Some candidates of one side: [K] indices of array mapping, tile (of the ground) and loop order."""

    side: _Side
    mapping: IntArray
    row: IntArray
    order: IntArray
    tile_cycles: IntArray
    dynamic_joules: FloatArray | None

    @classmethod
    def of(cls, side: _Side, numbers: IntArray) -> _Chosen:
        mapping, tile, order = np.unravel_index(numbers, side.shape)
        joules = side.dynamic_joules
        return cls(
            side=side,
            mapping=mapping,
            row=side.rows[tile],
            order=order,
            tile_cycles=side.times.cycles_at(mapping, tile),
            dynamic_joules=None if joules is None else joules[mapping, tile, order],
        )


def _best_among(sides: list[_Side], chosen: IntArray) -> _Best:
    """Time chosen candidates, numbered through all sides in rising order, exactly and keep the best."""
    parts, start = [], 0
    for side in sides:
        own = chosen[(chosen >= start) & (chosen < start + side.size)] - start
        start += side.size
        if len(own):
            parts.append(_Chosen.of(side, own))
    ground, objective = sides[0].ground, sides[0].objective
    row = np.concatenate([part.row for part in parts])
    order = np.concatenate([part.order for part in parts])
    cycles = Pipeline(
        tiles=ground.tiles.pick(row),
        orders=order,
        tile_cycles=np.concatenate([part.tile_cycles for part in parts]),
        count=ground.gemm.count,
    ).cycles
    spent = [part.dynamic_joules for part in parts if part.dynamic_joules is not None]
    value = objective.value(ground.hardware, cycles, np.concatenate(spent) if spent else None)
    moved = ground.moved_bytes[row, order]
    at = int(np.lexsort((moved, value))[0])
    mappings = [part.side.mappings[number] for part in parts for number in part.mapping]
    return _Best(
        value=float(value[at]),
        moved_bytes=int(moved[at]),
        number=int(chosen[at]),
        cycles=int(cycles[at]),
        mapping=_mapping(ground.tiles, mappings[at], int(row[at]), LOOP_ORDERS[order[at]]),
    )


def _mapping(tiles: TileGrid, array: ArrayMapping, row: int, order: str) -> Mapping:
    return Mapping(
        array=array,
        tile_m=int(tiles.size_m[row, 0]),
        tile_n=int(tiles.size_n[row, 0]),
        tile_k=int(tiles.size_k[row, 0]),
        order=order,
    )


def _no_tile_fits(gemm: Gemm, hardware: Hardware, west: Operand) -> MappingError:
    grid, buffers = TileGrid.ladder(gemm, hardware), hardware.buffers
    least = {
        name: (int(buffers.tiles_held * held.min()), getattr(buffers, name).capacity_bytes)
        for name, held in grid.held_bytes(west).items()
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
