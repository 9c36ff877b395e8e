"""The mapping search: the best of every legal mapping in the ladder, found without timing each one exactly.

Best first. Every tile has a floor on each side (dataflow and operands' roles): what no array mapping and no loop order
beats, from a few numbers a GEMM axis on the array and a few a pair of axes in memory. Tiles are looked at in the order
of their floors: under every array mapping and distinct loop order each gets a bound (compute on one side, DRAM on the
other; what neither can hide added), and those whose bound is not above the best value found are timed exactly. When no
floor is at or below that value, the answer equals that of timing all of them. For time, what is hardly slower than the
fastest is as good (see ``objective``), and the one of these that takes the least energy is chosen: again the lowest
bounds first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..accel.specification import Hardware
from ..configs.errors import MappingError
from .design_view import DesignView
from .gemm import Gemm, Operand
from .holding import least_bytes
from .mapping import LOOP_ORDERS, Mapping, array_mappings
from .objective import TIME, Objective, slowest_alike
from .search_sides import Lot, Side, Timed, sides_of_product
from .tile_grid import TileGrid

_FIRST_TILES, _MOST_FIRST, _MORE_TILES = 8, 16, 128
"""Tiles that are looked at in the first round, at least and at most, and in each after that."""

_FIRST_BATCH, _BATCH = 16, 256
"""Candidates of a round that are timed exactly at once: the lowest bounds first. Mostly no other can win."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The mapping found, and how hard the search looked.

    Attributes:
        mapping: the best mapping.
        value: of the objective.
        cycles: its time, all repetitions of the product.
        joules: its energy, all repetitions, whether that is minimised or only decides between the fastest.
        moved_bytes: between DRAM and chip, all repetitions.
        candidates: legal mappings considered.
        timed_exactly: of those, the ones whose bound did not rule them out.
    """

    mapping: Mapping
    value: float
    cycles: int
    joules: float
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
    best, timed, lots = _least_value(sides)
    if not objective.needs_energy:
        best, more = _least_energy(sides, best, lots)
        timed += more
    legal = sum(side.candidates for side in sides)
    # What is looked at for its time, and again for its energy, was timed twice.
    return Choice(
        mapping=best.mapping,
        value=best.value,
        cycles=best.cycles,
        joules=best.joules,
        moved_bytes=int(gemm.own_part(gemm.count * best.moved_bytes)),
        candidates=legal,
        timed_exactly=min(timed, legal),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The best candidate so far; ties go to the one that moves fewer bytes, then to the faster, then to the first.

    Attributes:
        value: of the objective.
        joules: its energy.
        moved_bytes: between DRAM and chip, one repetition.
        number: where it stands among all: side, array mapping, tile of the side, loop order.
        cycles: its time.
        mapping: the candidate.
    """

    value: float
    joules: float
    moved_bytes: int
    number: tuple[int, int, int, int]
    cycles: int
    mapping: Mapping

    def rank(self) -> tuple[float, int, int, tuple[int, int, int, int]]:
        return self.value, self.moved_bytes, self.cycles, self.number

    def by_energy(self) -> tuple[float, int, int, tuple[int, int, int, int]]:
        return self.joules, self.moved_bytes, self.cycles, self.number


def _least_value(sides: Sequence[Side]) -> tuple[_Best, int, list[Lot]]:
    """The candidate of the least value, how many were timed exactly, and the tiles that were looked at."""
    floors = np.concatenate([side.floors for side in sides])
    # All whose times may be alike if the lowest floor is reached: mostly no other is looked at, for time or energy.
    promising = int(np.count_nonzero(floors <= slowest_alike(floors.min())))
    promising = min(max(promising, _FIRST_TILES), _MOST_FIRST, len(floors))
    first = np.sort(np.argpartition(floors, promising - 1)[:promising])
    lots = [Lot.of(sides, first)]
    best, timed = _best_of(lots[0], None)
    assert best is not None, "a side has a tile, and a mapping that no other repeats"
    ranked = np.setdiff1d(np.flatnonzero(floors <= best.value), first)
    ranked = ranked[np.argsort(floors[ranked], kind="stable")]
    done = 0
    while done < len(ranked) and floors[ranked[done]] <= best.value:
        chosen = ranked[done : done + _MORE_TILES]
        lots.append(Lot.of(sides, np.sort(chosen[floors[chosen] <= best.value])))
        found, looked_at = _best_of(lots[-1], best.value)
        best = best if found is None else min(best, found, key=_Best.rank)
        done, timed = done + _MORE_TILES, timed + looked_at
    return best, timed, lots


def _least_energy(sides: Sequence[Side], fastest: _Best, lots: Sequence[Lot]) -> tuple[_Best, int]:
    """Of the candidates that are as fast as the fastest, or nearly, the one of the least energy; how many were timed.

    Args:
        sides: all of them.
        fastest: the fastest candidate.
        lots: tiles that were looked at for it.
    """
    limit = slowest_alike(fastest.cycles)
    within = np.flatnonzero(np.concatenate([side.cycles for side in sides]) <= limit)
    if not len(within):
        # Its own floor is above it: counts that 64 bits do not hold, which whoever adds them up refuses.
        return fastest, 0
    best, timed = fastest, 0
    for lot in lots:
        best, looked_at = _thriftier(lot, limit, best)
        timed += looked_at
    within = np.setdiff1d(within, np.concatenate([lot.numbers for lot in lots]), assume_unique=True)
    if not len(within):
        return best, timed
    possible = Lot.of(sides, within)
    least = np.where(possible.least_cycles <= limit, possible.least_joules(limit), np.inf)
    tiles = np.flatnonzero(least <= best.joules)
    ranked = tiles[np.argsort(least[tiles], kind="stable")]
    done = 0
    while done < len(ranked) and least[ranked[done]] <= best.joules:
        chosen = ranked[done : done + _MORE_TILES]
        lot = possible.pick(np.sort(chosen[least[chosen] <= best.joules]))
        best, looked_at = _thriftier(lot, limit, best)
        done, timed = done + _MORE_TILES, timed + looked_at
    return best, timed


def _thriftier(lot: Lot, limit: int, best: _Best) -> tuple[_Best, int]:
    """The least energy among candidates that take no more than some cycles, or the best so far; how many were timed."""
    bounds = lot.joules
    ranked = np.flatnonzero((lot.values <= limit) & (bounds <= best.joules))
    ranked = ranked[np.argsort(bounds[ranked], kind="stable")]
    done, step = 0, _FIRST_BATCH
    while done < len(ranked) and bounds[ranked[done]] <= best.joules:
        timed = lot.timed(np.sort(ranked[done : done + step]))
        alike = np.flatnonzero(timed.cycles <= limit)
        if len(alike):
            best = min(best, _candidate(lot, timed, timed.first(timed.joules, alike)), key=_Best.by_energy)
        done, step = done + step, _BATCH
    return best, min(done, len(ranked))


def _best_of(lot: Lot, limit: float | None) -> tuple[_Best | None, int]:
    """The least value among candidates, if any keeps a limit; and how many were timed exactly.

    Args:
        lot: their tiles.
        limit: the value; none when None.
    """
    values = lot.values
    ranked = np.flatnonzero(np.isfinite(values) if limit is None else values <= limit)
    ranked = ranked[np.argsort(values[ranked], kind="stable")]
    best, done, step = None, 0, _FIRST_BATCH
    while done < len(ranked) and (best is None or values[ranked[done]] <= best.value):
        timed = lot.timed(np.sort(ranked[done : done + step]))
        found = _candidate(lot, timed, timed.first(timed.value, np.arange(len(timed.value))))
        best = found if best is None else min(best, found, key=_Best.rank)
        done, step = done + step, _BATCH
    return best, min(done, len(ranked))


def _candidate(lot: Lot, timed: Timed, at: int) -> _Best:
    """One of the candidates that were timed."""
    number = int(timed.side[at]), int(timed.mapping[at]), int(timed.row[at]), int(timed.order[at])
    side = lot.sides[number[0]]
    m, n, k = (int(axis.size[0, 0]) for axis in side.pairs.sizes(side.numbers[[number[2]]]))
    return _Best(
        value=float(timed.value[at]),
        joules=float(timed.joules[at]),
        moved_bytes=int(timed.moved_bytes[at]),
        number=number,
        cycles=int(timed.cycles[at]),
        mapping=Mapping(
            array=side.mappings[number[1]],
            tile_m=m,
            tile_n=n,
            tile_k=k,
            order=LOOP_ORDERS[number[3]],
            form=side.pairs.gemm.form,
        ),
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
