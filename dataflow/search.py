"""The mapping search: the best of every legal mapping in the ladder, found without timing each one exactly.

Best first. Every tile has a floor on each side (dataflow and operands' roles): what no array mapping and no loop order
beats, from a few numbers a GEMM axis on the array and a few a pair of axes in memory. Tiles are looked at in the order
of their floors: under every array mapping and distinct loop order each gets a bound (compute on one side, DRAM on the
other; what neither can hide added), and those whose bound is not above the best value found are timed exactly. When no
floor is at or below that value, the answer equals that of timing all of them. For time, what is hardly slower than the
fastest is as good (see ``objective``), and the one of these that moves the fewest bytes is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.specification import Hardware
from ..configs.arrays import BoolArray, FloatArray, IntArray
from ..configs.errors import MappingError
from .design_view import DesignView
from .gemm import Gemm, Operand
from .holding import least_bytes
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping, array_mappings
from .objective import NEVER, TIME, Objective, slowest_alike
from .pipeline import Pipeline
from .search_sides import Side, sides_of_product
from .tile_grid import TileGrid

_FIRST_TILES, _MORE_TILES = 8, 64
"""Tiles that are looked at in the first round, and at most in each after that."""

_FIRST_BATCH, _BATCH = 16, 256
"""Candidates of a round that are timed exactly at once: the lowest bounds first. Mostly no other can win."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The mapping found, and how hard the search looked.

    Attributes:
        mapping: the best mapping.
        value: of the objective.
        cycles: its time, all repetitions of the product.
        moved_bytes: between DRAM and chip, all repetitions.
        candidates: legal mappings considered.
        timed_exactly: of those, the ones whose bound did not rule them out.
    """

    mapping: Mapping
    value: float
    cycles: int
    moved_bytes: int
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
    sides = list(sides_of_product(gemm, hardware, objective, mappings, interleave=interleave))
    if not sides:
        raise _no_tile_fits(gemm, hardware, mappings[0].west)
    floors = np.concatenate([side.floors for side in sides])
    best, timed = _least_value(sides, floors)
    if not objective.needs_energy:
        best, more = _least_traffic(sides, floors, best)
        timed += more
    legal = sum(side.candidates for side in sides)
    # What is looked at for its time, and again for its bytes, was timed twice.
    return Choice(
        mapping=best.mapping,
        value=best.value,
        cycles=best.cycles,
        moved_bytes=int(gemm.own_part(gemm.count * best.moved_bytes)),
        candidates=legal,
        timed_exactly=min(timed, legal),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The best candidate so far; ties go to the one that moves fewer bytes, then to the first.

    Attributes:
        value: of the objective.
        moved_bytes: between DRAM and chip, one repetition.
        number: where it stands among all: side, array mapping, tile of the side, loop order.
        cycles: its time.
        mapping: the candidate.
    """

    value: float
    moved_bytes: int
    number: tuple[int, int, int, int]
    cycles: int
    mapping: Mapping

    def rank(self) -> tuple[float, int, tuple[int, int, int, int]]:
        return self.value, self.moved_bytes, self.number

    def by_traffic(self) -> tuple[int, float, tuple[int, int, int, int]]:
        return self.moved_bytes, self.value, self.number


def _least_value(sides: Sequence[Side], floors: FloatArray) -> tuple[_Best, int]:
    """The candidate of the least value, and how many were timed exactly.

    Args:
        sides: all of them.
        floors: of all their tiles.
    """
    ranked = np.argsort(floors, kind="stable")
    best, done, timed, step = None, 0, 0, _FIRST_TILES
    while done < len(ranked) and (best is None or floors[ranked[done]] <= best.value):
        chosen = ranked[done : done + step]
        if best is not None:
            chosen = chosen[floors[chosen] <= best.value]
        some = _Some.of(sides, np.sort(chosen))
        best, looked_at = some.best(np.isfinite(some.values), best)
        done, timed, step = done + step, timed + looked_at, min(2 * step, _MORE_TILES)
    assert best is not None, "a side has a tile, and a mapping that no other repeats"
    return best, timed


def _least_traffic(sides: Sequence[Side], floors: FloatArray, fastest: _Best) -> tuple[_Best, int]:
    """Of the candidates that are as fast as the fastest, or nearly, the one that moves the fewest bytes.

    Args:
        sides: all of them.
        floors: of all their tiles, cycles.
        fastest: the fastest candidate.
    """
    limit = slowest_alike(fastest.cycles)
    least = np.concatenate([side.ground.least_bytes(limit) for side in sides])
    least[floors > limit] = NEVER
    # Whoever moves as much as the fastest does is no better.
    tiles = np.flatnonzero(least < fastest.moved_bytes)
    ranked = tiles[np.argsort(least[tiles], kind="stable")]
    best, done, timed, step = fastest, 0, 0, _FIRST_TILES
    while done < len(ranked) and least[ranked[done]] <= best.moved_bytes:
        chosen = ranked[done : done + step]
        some = _Some.of(sides, np.sort(chosen[least[chosen] <= best.moved_bytes]))
        by_bytes, alike = some.moved_bytes, some.values <= limit
        for each in np.unique(by_bytes[alike & (by_bytes <= best.moved_bytes)]):
            found, looked_at = some.best(alike & (by_bytes == each), None)
            timed += looked_at
            if found is not None and found.cycles <= limit:
                best = min(best, found, key=_Best.by_traffic)
                break
        done, step = done + step, min(2 * step, _MORE_TILES)
    return best, timed


@dataclass(frozen=True, kw_only=True)
class _Some:
    """Some tiles of the sides.

    Attributes:
        sides: with those tiles alone.
        numbers: of these sides among all.
        rows: of these tiles among those of their side.
    """

    sides: Sequence[Side]
    numbers: Sequence[int]
    rows: Sequence[IntArray]

    @classmethod
    def of(cls, sides: Sequence[Side], chosen: IntArray) -> _Some:
        """Tiles numbered through all sides, in rising order."""
        found, numbers, places, start = [], [], [], 0
        for number, side in enumerate(sides):
            tiles = len(side.ground.tiles)
            rows = chosen[(chosen >= start) & (chosen < start + tiles)] - start
            start += tiles
            if len(rows):
                found.append(side.pick(rows))
                numbers.append(number)
                places.append(rows)
        return cls(sides=found, numbers=numbers, rows=places)

    @cached_property
    def values(self) -> FloatArray:
        """Lower bounds on the objective of every candidate, see ``Side.values``."""
        return np.concatenate([side.values for side in self.sides])

    @property
    def moved_bytes(self) -> IntArray:
        """Of every candidate."""
        return np.concatenate([np.broadcast_to(side.ground.moved_bytes, side.shape).ravel() for side in self.sides])

    def best(self, within: BoolArray, best: _Best | None) -> tuple[_Best | None, int]:
        """The least value among some candidates and what was found before; and how many were timed exactly."""
        ranked = np.flatnonzero(within if best is None else within & (self.values <= best.value))
        ranked = ranked[np.argsort(self.values[ranked], kind="stable")]
        done, step = 0, _FIRST_BATCH
        while done < len(ranked) and (best is None or self.values[ranked[done]] <= best.value):
            batch, start = np.sort(ranked[done : done + step]), 0
            for side, number, rows in zip(self.sides, self.numbers, self.rows, strict=True):
                own = batch[(batch >= start) & (batch < start + side.size)] - start
                start += side.size
                if len(own):
                    found = _best_among(side, own, number, rows)
                    best = found if best is None else min(best, found, key=_Best.rank)
            done, step = done + step, _BATCH
        return best, min(done, len(ranked))


def _best_among(side: Side, chosen: IntArray, number: int, rows: IntArray) -> _Best:
    """Time chosen candidates of a side exactly and keep the best.

    Args:
        side: some tiles of one side.
        chosen: which candidates.
        number: of the side.
        rows: which tiles of the whole side these are.
    """
    mapping, tile, order = np.unravel_index(chosen, side.shape)
    ground, objective = side.ground, side.objective
    cycles = Pipeline(
        tiles=ground.tiles.pick(tile),
        orders=order,
        tile_cycles=side.times.cycles_at(mapping, tile),
        count=ground.gemm.count,
        a_in_west=ground.a_in_west,
    ).cycles
    joules = side.dynamic_joules
    value = objective.value(ground.hardware, cycles, None if joules is None else joules[mapping, tile, order])
    moved = ground.moved_bytes[tile, order]
    at = int(np.lexsort((order, tile, mapping, moved, value))[0])
    return _Best(
        value=float(value[at]),
        moved_bytes=int(moved[at]),
        number=(number, int(mapping[at]), int(rows[tile[at]]), int(order[at])),
        cycles=int(cycles[at]),
        mapping=_mapping(ground.gemm, ground.tiles, side.mappings[mapping[at]], int(tile[at]), LOOP_ORDERS[order[at]]),
    )


def _mapping(gemm: Gemm, tiles: TileGrid, array: ArrayMapping, row: int, order: str) -> Mapping:
    return Mapping(
        array=array,
        tile_m=int(tiles.size_m[row, 0]),
        tile_n=int(tiles.size_n[row, 0]),
        tile_k=int(tiles.size_k[row, 0]),
        order=order,
        form=gemm.form,
    )


def _no_tile_fits(gemm: Gemm, hardware: Hardware, west: Operand) -> MappingError:
    grid, room, buffers = TileGrid.ladder(gemm, hardware), DesignView.of(hardware).room, hardware.buffers
    least = {place: int(least_bytes(grid.held[place], gemm, room).min()) for place in grid.held}
    sides = {"west": west, "north": "b" if west == "a" else "a", "output": "c"}
    needed = {side: least[place] for side, place in sides.items()}  # type: ignore[index]
    short = {
        f"buffers.{side}.capacity_bytes": f"got {have.capacity_bytes}, need at least {needed[side]}"
        for side, have in buffers.by_side.items()
        if needed[side] > have.capacity_bytes
    }
    told = "; ".join(f"{field}: {reason}" for field, reason in short.items())
    reason = told or "buffers too small for the smallest tile of all three operands together"
    return MappingError(
        f"{hardware.name}: no tile of {gemm.name} fits: {reason}; try a larger buffer",
        field=next(iter(short), "buffers"),
    )
