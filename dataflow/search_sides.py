"""What the mapping search on one design looks at: the sides of products, their tiles, and floors and bounds of these.

A *floor* of a tile is what no array mapping and no loop order of it beats; a *bound* is that of one candidate. Neither
is above the exact value. The search itself is in ``search_rounds``.

Products [L] of one batch (see ``gemm_batch``) stand side by side, filled up to as many tiles [C] each. A tile has a
*place* among all: sides, products, tiles of a product, in this order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

import numpy as np

from ..accel.specification import Hardware
from ..configs.arrays import FloatArray, IntArray
from .actions import array_actions
from .design_table import DesignTable
from .gemm import Gemm
from .ground import Ground, exact_cycles
from .mapping import LOOP_ORDERS, ArrayMapping
from .objective import Objective
from .search_timed import Timed
from .tile_floors import HARDLY_LESS, TileFloors
from .tile_grid import TileGrid
from .tile_pairs import TilePairs
from .tile_time import TileTime
from .traffic import count_distinct_orders


@dataclass(frozen=True, kw_only=True)
class Side:
    """Array mappings that share a dataflow and a side, and the tiles that fit there.

    Attributes:
        hardware: the design.
        mappings: how tiles may lie on the array.
        objective: what is minimised.
        pairs: all combinations of tile sizes.
        floors_of: their floors.
        cycles: [L, C] floors of their time; infinite where a tile does not fit.
    """

    hardware: Hardware
    mappings: tuple[ArrayMapping, ...]
    objective: Objective
    pairs: TilePairs
    floors_of: TileFloors
    cycles: FloatArray

    @property
    def candidates(self) -> IntArray:
        """[L] array mappings, tiles and loop orders that differ."""
        orders = np.broadcast_to(count_distinct_orders(self.floors_of.tiles.trips), self.pairs.shape)
        fitting = np.isfinite(self.cycles)
        return np.asarray(len(self.mappings) * (orders.reshape(self.cycles.shape) * fitting).sum(axis=1))

    @property
    def a_in_west(self) -> bool:
        """Whether A lies in the west buffer, or B."""
        return self.mappings[0].west == "a"

    @cached_property
    def floors(self) -> FloatArray:
        """[L, C] what no array mapping and loop order of a tile beats."""
        if not self.objective.needs_energy:
            return self.objective.value(self.hardware, self.cycles, None)
        found, numbers = np.full(self.cycles.size, np.inf), np.flatnonzero(np.isfinite(self.cycles))
        ground = Ground(tiles=self.pairs.tiles(numbers), a_in_west=self.a_in_west)
        joules = self.array_joules.reshape(-1)[numbers] + ground.memory_joules(self.objective.prices).min(axis=1)
        cycles = self.cycles.reshape(-1)[numbers]
        found[numbers] = self.objective.value(self.hardware, cycles, joules * HARDLY_LESS)
        return found.reshape(self.cycles.shape)

    @cached_property
    def array_joules(self) -> FloatArray:
        """[L, C] dynamic energy on the array that no array mapping of a tile beats, but for rounding."""
        actions = self.floors_of.array.least_actions(self.mappings[0].lying)
        on_array = self.objective.prices.dynamic_joules(actions)
        return np.asarray(np.broadcast_to(on_array, self.pairs.shape)).reshape(self.cycles.shape)


@dataclass(frozen=True, kw_only=True)
class Lot:
    """Some tiles of the sides, and their candidates: array mappings x tiles x loop orders of a side after another.

    Attributes:
        sides: all of them.
        places: of the tiles, [J], rising.
    """

    sides: Sequence[Side]
    places: IntArray

    def pick(self, tiles: IntArray) -> Lot:
        """Some of the tiles, in rising order, with what moves for them."""
        picked = Lot(sides=self.sides, places=self.places[tiles])
        vars(picked).update(ground=self.ground.pick(tiles))
        return picked

    @cached_property
    def side(self) -> IntArray:
        """[J] of each tile."""
        return np.asarray(self.places // self.sides[0].cycles.size)

    @cached_property
    def number(self) -> IntArray:
        """[J] of each tile among all of all products."""
        return np.asarray(self.places % self.sides[0].cycles.size)

    @cached_property
    def product(self) -> IntArray:
        """[J] whose each tile is."""
        return np.asarray(self.number // self.sides[0].cycles.shape[1])

    @cached_property
    def ground(self) -> Ground:
        """What moves for the tiles."""
        in_west = np.array([side.a_in_west for side in self.sides])[self.side]
        return Ground(tiles=self.sides[0].pairs.tiles(self.number), a_in_west=in_west)

    @property
    def least_cycles(self) -> IntArray:
        """[J] cycles that no array mapping of a tile beats: closer than its floor."""
        return np.concatenate([times.least_of_full.min(axis=0) for times in self._times]) * self.ground.gemm.count + (
            self.ground.unhidden_cycles
        )

    @cached_property
    def _by_side(self) -> list[tuple[Side, slice]]:
        """Each side that has any, and which of the tiles are its own."""
        bounds = np.searchsorted(self.side, np.arange(len(self.sides) + 1)).tolist()
        own = [slice(*each) for each in pairwise(bounds)]
        return [(side, each) for side, each in zip(self.sides, own, strict=True) if each.start < each.stop]

    @cached_property
    def _times(self) -> list[TileTime]:
        """Every tile under every mapping, side by side."""
        return [TileTime.of(_sizes(self.ground.tiles, own), side.mappings) for side, own in self._by_side]

    @cached_property
    def _cycles(self) -> list[IntArray]:
        """[A, J, O] of each side: cycles that no schedule of a candidate's tiles beats."""
        ground, found = self.ground, []
        for (_, own), times in zip(self._by_side, self._times, strict=True):
            on_array = ground.gemm.count * times.total(times.least_cycles) + ground.unhidden_cycles[own]
            found.append(np.maximum(on_array[:, :, None], ground.memory_cycles[own][None]))
        return found

    @cached_property
    def owners(self) -> IntArray:
        """Of every candidate whose it is."""
        found = [
            np.broadcast_to(self.product[own][None, :, None], cycles.shape).ravel()
            for (_, own), cycles in zip(self._by_side, self._cycles, strict=True)
        ]
        return np.concatenate(found)

    @cached_property
    def values(self) -> FloatArray:
        """Lower bounds on the objective of every candidate; infinite where an equal candidate stands already."""
        ground, found = self.ground, []
        spent = self._joules if self.sides[0].objective.needs_energy else [None] * len(self._by_side)
        for (side, own), times, cycles, joules in zip(self._by_side, self._times, self._cycles, spent, strict=True):
            value = side.objective.value(side.hardware, cycles, joules)
            value[:, ground.equal_order[own]] = np.inf
            value[times.repeats] = np.inf
            found.append(value.ravel())
        return np.concatenate(found)

    @property
    def joules(self) -> FloatArray:
        """Lower bounds on the energy of every candidate."""
        bounds = zip(self._by_side, self._cycles, self._joules, strict=True)
        return np.concatenate(
            [side.objective.joules(side.hardware, cycles, spent).ravel() for (side, _), cycles, spent in bounds]
        )

    def least_joules(self, limit: IntArray) -> FloatArray:
        """[J] energy that no candidate of a tile beats that DRAM alone does within some cycles; infinite of none.

        Args:
            limit: the cycles, [J].
        """
        on_array = np.concatenate([side.array_joules.reshape(-1)[self.number[own]] for side, own in self._by_side])
        cycles = np.concatenate([side.cycles.reshape(-1)[self.number[own]] for side, own in self._by_side])
        first, ground = self.sides[0], self.ground
        in_memory = ground.memory_joules(first.objective.prices)
        least = np.where(ground.in_memory <= limit[:, None], in_memory, np.inf).min(axis=1, initial=np.inf)
        return first.objective.joules(first.hardware, cycles, on_array + least) * HARDLY_LESS

    @cached_property
    def _joules(self) -> list[FloatArray]:
        """[A, J, O] of each side: dynamic energy of every candidate, exact."""
        prices = self.sides[0].objective.prices
        in_memory = self.ground.memory_joules(prices)
        on_array = [prices.dynamic_joules(array_actions(times)) for times in self._times]
        return [
            np.asarray(each[:, :, None] + in_memory[own][None])
            for each, (_, own) in zip(on_array, self._by_side, strict=True)
        ]

    def timed(self, chosen: IntArray) -> Timed:
        """Candidates timed exactly.

        Args:
            chosen: which, rising.
        """
        parts, start = [], 0
        for (side, own), times, joules in zip(self._by_side, self._times, self._joules, strict=True):
            shape = len(side.mappings), own.stop - own.start, len(LOOP_ORDERS)
            mine = chosen[(chosen >= start) & (chosen < start + math.prod(shape))] - start
            start += math.prod(shape)
            mapping, tile, order = np.unravel_index(mine, shape)
            spent = joules[mapping, tile, order]
            parts.append((mapping, own.start + tile, order, times.of_kind_at(mapping, tile), spent))
        mapping, tile, order, of_kind, spent = (np.concatenate(each) for each in zip(*parts, strict=True))
        cycles = exact_cycles(self.ground, tile, order, of_kind)
        first = self.sides[0]
        return Timed(
            product=self.product[tile],
            side=self.side[tile],
            mapping=mapping,
            tile=self.number[tile],
            order=order,
            cycles=cycles,
            value=first.objective.value(first.hardware, cycles, spent),
            joules=first.objective.joules(first.hardware, cycles, spent),
            moved_bytes=self.ground.moved_bytes[tile, order],
        )


def _sizes(tiles: TileGrid, own: slice) -> TileGrid:
    """Some of the tiles, without what was worked out of them: the array asks for none of it."""
    m, n, k = (axis.take(own) for axis in (tiles.m, tiles.n, tiles.k))
    return TileGrid(gemm=tiles.gemm.pick(own), design=tiles.design, m=m, n=n, k=k)


def sides_of_products(
    gemms: Sequence[Gemm],
    hardware: Hardware,
    objective: Objective,
    mappings: tuple[ArrayMapping, ...],
    *,
    interleave: bool,
) -> Iterator[Side]:
    """The sides that array mappings lie on, with the tiles that fit there; none where no tile of any product does.

    Args:
        gemms: the products, of one batch.
        hardware: the design.
        objective: what is minimised.
        mappings: sorted by side.
        interleave: whether a PE may turn between accumulations.
    """
    pairs, own = TilePairs.of_design(gemms, hardware), len(gemms)
    floors = TileFloors(
        tiles=pairs.combinations,
        table=DesignTable(designs=[hardware]),
        designs=np.zeros(own, dtype=np.int64),
        ladder=np.arange(own),
        cycles_a_unit=np.ones(1),
        interleave=interleave,
    )
    for _, members in groupby(mappings, key=lambda mapping: (mapping.dataflow, mapping.swapped)):
        same = tuple(members)
        cycles = floors.of_side(same[0].lying).reshape(own, -1)
        if np.isfinite(cycles).any():
            yield Side(
                hardware=hardware,
                mappings=same,
                objective=objective,
                pairs=pairs,
                floors_of=floors,
                cycles=cycles,
            )
