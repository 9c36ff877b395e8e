"""The mapping search on many designs at once: for each the mapping that ``search.best_mapping`` finds, for time.

Designs are searched side by side (``sieves``); where numba is installed kernels find the same, a design after another
(``search_compiled``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..configs.arrays import BoolArray, FloatArray, IntArray
from . import search_compiled
from .compiled import numba_build
from .design_table import DesignTable
from .gemm import Gemm, Place
from .mapping import ArrayMapping, Side, sides_of
from .objective import NEVER
from .product_cost import MappedProducts, SideTimes
from .sieves import Sieves
from .tile_grid import TileGrid
from .tile_time import TileTime
from .tiling import AxisTiles


@dataclass(frozen=True, kw_only=True)
class BestMappings:
    """The mappings found for one product, one a design of a table, [S].

    Attributes:
        gemm: the product.
        table: the designs.
        feasible: where there is a mapping; the rest of what stands here says nothing where there is none.
        axes: tiles along m, n and k.
        sides: that the designs offer.
        side: which of them.
        parameters: [P, S] of the array mapping, in the order of its dataflow's; 1 beyond these.
        orders: loop order, a number in ``LOOP_ORDERS``.
        cycles: of all repetitions.
        joules: of all repetitions.
        moved_bytes: between DRAM and chip, all repetitions.
    """

    gemm: Gemm
    table: DesignTable
    feasible: BoolArray
    axes: tuple[AxisTiles, AxisTiles, AxisTiles]
    sides: tuple[Side, ...]
    side: IntArray
    parameters: IntArray
    orders: IntArray
    cycles: IntArray
    joules: FloatArray
    moved_bytes: IntArray

    def array_mapping(self, design: int) -> ArrayMapping:
        """How tiles lie on the array of one design."""
        side = self.sides[self.side[design]]
        numbers = side.lying.named(self.parameters[:, design])
        return ArrayMapping.on(side, {name: int(number) for name, number in numbers.items()})

    def mapped(self, chosen: IntArray, resident: Mapping[Place, BoolArray] | None = None) -> MappedProducts:
        """The product on some of the designs.

        Args:
            chosen: which designs.
            resident: which of A, B and C stay on chip, a design each.
        """
        m, n, k = (axis.take(chosen) for axis in self.axes)
        tiles = TileGrid(gemm=self.gemm, design=self.table.view(chosen), m=m, n=n, k=k, resident=resident)
        side, by_side = self.side[chosen], []
        for number, each in enumerate(self.sides):
            rows = np.flatnonzero(side == number)
            if len(rows):
                own = tiles if len(rows) == len(side) else tiles.pick(rows)
                times = TileTime.in_turn(own, each.lying, self.parameters[:, chosen[rows]])
                by_side.append(SideTimes(rows=rows, times=times))
        return MappedProducts(tiles=tiles, orders=self.orders[chosen], by_side=by_side)


def search_many(
    gemm: Gemm,
    table: DesignTable,
    designs: IntArray | None = None,
    *,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> BestMappings:
    """Find the fastest mapping of a product on every design of a table.

    Args:
        gemm: the product.
        table: the designs.
        designs: only these of them; all when None.
        dataflows: only these; all that the designs offer when None.
        interleave: whether a PE may turn between accumulations.
    """
    sides = sides_of(table.first.tensor_engine, gemm, dataflows)
    wanted = np.arange(len(table)) if designs is None else designs
    index, which = table.distinct(reducing=gemm.reduced_on_load is not None, designs=wanted)
    winners = _winners(gemm, table, index, sides, interleave=interleave) if sides else _Winners.none()
    place = np.full(len(table), -1)
    place[winners.design] = np.arange(len(winners.design))
    place[wanted] = place[index][which]
    at = np.maximum(place, 0) if len(winners.design) else place[:0]
    m, n, k = (axis.take(at) for axis in winners.axes)
    return BestMappings(
        gemm=gemm,
        table=table,
        feasible=place >= 0,
        axes=(m, n, k),
        sides=sides,
        side=winners.side[at],
        parameters=winners.parameters[:, at],
        orders=winners.orders[at],
        cycles=winners.cycles[at],
        joules=winners.joules[at],
        moved_bytes=np.asarray(gemm.own_part(gemm.count * winners.moved_bytes[at])),
    )


@dataclass(frozen=True, kw_only=True)
class _Winners:
    """What was found, [W], a design each: as in ``BestMappings``, but bytes are of one repetition."""

    design: IntArray
    axes: tuple[AxisTiles, AxisTiles, AxisTiles]
    side: IntArray
    parameters: IntArray
    orders: IntArray
    cycles: IntArray
    joules: FloatArray
    moved_bytes: IntArray

    @classmethod
    def none(cls) -> _Winners:
        none = np.zeros(0, dtype=np.int64)
        two = none.reshape(0, 2)
        axis = AxisTiles(size=two, trips=none, lasts=none, channels=two, rows=two, run_rows=two, pitch=none)
        return cls(
            design=none,
            axes=(axis, axis, axis),
            side=none,
            parameters=two.T,
            orders=none,
            cycles=none,
            joules=np.zeros(0),
            moved_bytes=none,
        )

    def tells(self) -> list[list[float]]:
        """All of it, to be compared."""
        sizes = [axis.size[:, 0].tolist() for axis in self.axes]
        rest = (self.design, self.side, self.orders, self.cycles, self.joules, self.moved_bytes, *self.parameters)
        return [*sizes, *(each.tolist() for each in rest)]


def _winners(gemm: Gemm, table: DesignTable, index: IntArray, sides: tuple[Side, ...], *, interleave: bool) -> _Winners:
    """By the kernels where they are there and find what the sieves find; else by the sieves."""
    if search_compiled.is_ready(len(index)) and numba_build.is_built() and _agreed[-1:] != [False]:
        found = _by_kernels(gemm, table, index, sides, interleave=interleave)
        if found is not None and not _agreed:
            # Machine code of another process is not taken on trust.
            some = np.sort(index[:_COMPARED])
            sieved = _by_sieves(gemm, table, some, sides, interleave=interleave)
            again = _by_kernels(gemm, table, some, sides, interleave=interleave)
            _agreed.append(again is not None and again.tells() == sieved.tells())
            if not _agreed[-1]:
                logging.getLogger("bisparse").warning("the compiled mapping search of %s is wrong: not used", gemm.name)
                found = None
        if found is not None:
            return found
    return _by_sieves(gemm, table, index, sides, interleave=interleave)


_agreed: list[bool] = []
"""Whether in this process the kernels found what the sieves found; empty before they were asked."""

_COMPARED = 4
"""Designs on which they are."""


def _by_kernels(
    gemm: Gemm, table: DesignTable, index: IntArray, sides: tuple[Side, ...], *, interleave: bool
) -> _Winners | None:
    found = search_compiled.search(gemm, table, index, sides, interleave=interleave, counted=False)
    if found is None:
        return None
    rows = np.flatnonzero(found.best["cycles"] < NEVER)
    return _Winners(
        design=index[rows],
        axes=found.axes(rows),
        side=found.best["side"][rows],
        parameters=found.numbers(rows),
        orders=found.best["order"][rows],
        cycles=found.best["cycles"][rows],
        joules=found.best["joules"][rows],
        moved_bytes=found.best["moved"][rows],
    )


def _by_sieves(
    gemm: Gemm, table: DesignTable, index: IntArray, sides: tuple[Side, ...], *, interleave: bool
) -> _Winners:
    search = Sieves(gemm=gemm, table=table, index=index, sides=sides, interleave=interleave)
    chosen = search.winners()
    winners = chosen.candidates
    rank = np.argsort(winners.design, kind="stable")
    winners = winners.take(rank)
    return _Winners(
        design=winners.design,
        axes=search.ladders.axes(winners.tile),
        side=winners.side,
        parameters=search.parameters(winners),
        orders=winners.order,
        cycles=chosen.cycles[rank],
        joules=chosen.joules[rank],
        moved_bytes=chosen.moved_bytes[rank],
    )
