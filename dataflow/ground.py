"""What moves for some tiles of a product, in every loop order: the same for all array mappings of a side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.energy import EnergyModel
from ..configs.arrays import BoolArray, Counts, FloatArray, IntArray
from .actions import memory_actions
from .gemm import Gemm
from .mapping import LOOP_ORDERS
from .objective import NEVER
from .pipeline import Pipeline, first_load_cycles
from .tile_grid import TileGrid
from .traffic import Traffic, distinct_orders


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Tiles and their traffic in every loop order.

    Attributes:
        tiles: those that fit, [J].
        a_in_west: whether A lies in the west buffer, or B; [J] of each tile.
    """

    tiles: TileGrid
    a_in_west: bool | BoolArray

    def pick(self, rows: IntArray | BoolArray) -> Ground:
        """Some of the tiles, with what was worked out of them already."""
        in_west = self.a_in_west if isinstance(self.a_in_west, bool) else self.a_in_west[rows]
        picked = Ground(tiles=self.tiles.pick(rows), a_in_west=in_west)
        known = {name: each[rows] for name, each in vars(self).items() if isinstance(each, np.ndarray)}
        vars(picked).update(known)
        return picked

    @property
    def gemm(self) -> Gemm:
        """The product."""
        return self.tiles.gemm

    @cached_property
    def traffic(self) -> Traffic:
        """What moves in every loop order."""
        return Traffic(tiles=self.tiles, a_in_west=self.a_in_west)

    @cached_property
    def memory_cycles(self) -> IntArray:
        """[J, O] cycles that DRAM alone needs."""
        # Operands that stay on chip are not asked for: then there is no first request to wait for.
        waited = np.where(first_load_cycles(self.tiles) > 0, self.tiles.memory.latency_cycles, 0)
        return np.asarray(waited + self.gemm.count * self.traffic.cycles).T

    @cached_property
    def unhidden_cycles(self) -> IntArray:
        """[J] cycles of the first load and the last store."""
        return np.asarray(first_load_cycles(self.tiles) + self.tiles.block_totals.last_result_cycles)

    @cached_property
    def equal_order(self) -> BoolArray:
        """[J, O] where an equal loop order stands already."""
        return ~distinct_orders(self.tiles.trips, LOOP_ORDERS)

    @cached_property
    def in_memory(self) -> IntArray:
        """[J, O] cycles that DRAM alone needs; more than anything where an equal loop order stands already."""
        return np.where(self.equal_order, NEVER, self.memory_cycles)

    @cached_property
    def moved_bytes(self) -> IntArray:
        """[J, O] bytes moved between DRAM and chip, one repetition."""
        return np.asarray(self.traffic.read_bytes + self.traffic.write_bytes).T

    def least_bytes(self, limit: Counts) -> IntArray:
        """[J] the fewest bytes that a tile moves in a loop order that DRAM alone does within some cycles.

        Args:
            limit: cycles; of each tile [J, 1].
        """
        return np.asarray(np.where(self.in_memory <= limit, self.moved_bytes, NEVER).min(axis=1, initial=NEVER))

    def memory_joules(self, energy: EnergyModel) -> FloatArray:
        """[J, O] dynamic energy of what moves."""
        return np.asarray(energy.dynamic_joules(memory_actions(self.gemm, self.traffic, self.a_in_west))).T


def exact_cycles(ground: Ground, rows: IntArray, orders: IntArray, of_kind: IntArray) -> IntArray:
    """[K] cycles of candidates.

    Args:
        ground: of rows.
        rows: of each candidate.
        orders: of each, numbers in ``LOOP_ORDERS``.
        of_kind: cycles of kinds of tiles on the array, [K, 2, 2, 3], or their numbers, see ``Pipeline``.
    """
    return Pipeline(
        tiles=ground.tiles.pick(rows),
        orders=orders,
        tile_cycles=of_kind,
        count=ground.gemm.count,
        a_in_west=np.asarray(ground.a_in_west)[rows],
    ).cycles
