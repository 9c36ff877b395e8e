"""What the mapping search of one design looks at: the sides of a product, their tiles, and floors and bounds of these.

A *floor* of a tile is what no array mapping and no loop order of it beats; a *bound* is that of one candidate. Neither
is above the exact value. The search itself is in ``search``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from ..accel.energy import EnergyModel
from ..accel.specification import Hardware
from ..configs.arrays import BoolArray, FloatArray, IntArray
from .actions import actions_on_array, array_actions, memory_actions
from .array_floor import ArrayFloor
from .design_table import DesignTable
from .design_view import DesignView
from .gemm import Gemm, Operand
from .mapping import LOOP_ORDERS, ArrayMapping
from .objective import NEVER, Objective
from .pipeline import first_load_cycles
from .tile_grid import TileGrid
from .tile_pairs import fitting_tiles
from .tile_time import TileTime
from .tiling import axis_ladders
from .traffic import Traffic, distinct_orders


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What sides with the same operand in the west share: tiles that fit, and their traffic in every loop order.

    Attributes:
        gemm: the product.
        hardware: the design.
        tiles: those that fit, [J].
        a_in_west: whether A lies in the west buffer, or B.
    """

    gemm: Gemm
    hardware: Hardware
    tiles: TileGrid
    a_in_west: bool

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
    def moved_bytes(self) -> IntArray:
        """[J, O] bytes moved between DRAM and chip, one repetition."""
        return np.asarray(self.traffic.read_bytes + self.traffic.write_bytes).T

    def least_bytes(self, limit: int) -> IntArray:
        """[J] the fewest bytes that a tile moves in a loop order that DRAM alone does within some cycles."""
        within = (self.memory_cycles <= limit) & ~self.equal_order
        return np.asarray(np.where(within, self.moved_bytes, NEVER).min(axis=1))

    def memory_joules(self, energy: EnergyModel) -> FloatArray:
        """[J, O] dynamic energy of what moves."""
        return np.asarray(energy.dynamic_joules(memory_actions(self.gemm, self.traffic, self.a_in_west))).T

    def pick(self, rows: IntArray) -> Ground:
        """Some of the tiles, with what was worked out of them already."""
        picked = Ground(gemm=self.gemm, hardware=self.hardware, tiles=self.tiles.pick(rows), a_in_west=self.a_in_west)
        vars(picked).update({name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray)})
        return picked


@dataclass(frozen=True, kw_only=True)
class Side:
    """Candidates that share a dataflow and a side: array mappings x tiles x loop orders, [A, J, O].

    Attributes:
        ground: the tiles.
        mappings: how they may lie on the array.
        objective: what is minimised.
        deepest: accumulations that a PE may turn between at most.
    """

    ground: Ground
    mappings: tuple[ArrayMapping, ...]
    objective: Objective
    deepest: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """A, J and O."""
        return len(self.mappings), len(self.ground.tiles), len(LOOP_ORDERS)

    @property
    def size(self) -> int:
        """Candidates, equal loop orders counted."""
        return math.prod(self.shape)

    @property
    def candidates(self) -> int:
        """Array mappings, tiles and loop orders that differ."""
        return len(self.mappings) * int((~self.ground.equal_order).sum())

    def pick(self, rows: IntArray) -> Side:
        """The candidates of some tiles."""
        return Side(
            ground=self.ground.pick(rows), mappings=self.mappings, objective=self.objective, deepest=self.deepest
        )

    # Floors ----------------------------------------------------------------------------------------------------------

    @cached_property
    def floors(self) -> FloatArray:
        """[J] what no array mapping and loop order of a tile beats."""
        ground, gemm = self.ground, self.ground.gemm
        floor = ArrayFloor(
            tiles=ground.tiles,
            table=DesignTable(designs=[ground.hardware]),
            index=np.zeros(1, dtype=np.int64),
            deepest=np.array([self.deepest]),
        )
        lying = self.mappings[0].lying
        # A little below, so that no rounding lifts it above the exact time.
        computing = gemm.count * floor.cycles(lying)[0] * (1 - 1e-9)
        in_memory = np.where(ground.equal_order, NEVER, ground.memory_cycles).min(axis=1)
        cycles = np.maximum(computing + ground.unhidden_cycles, in_memory)
        energy = self.objective.energy
        if energy is None or not self.objective.needs_energy:
            return self.objective.value(ground.hardware, cycles, None)
        passed = floor.least_port_bytes(lying)
        on_array = energy.dynamic_joules(
            actions_on_array(
                gemm,
                ground.hardware.tensor_engine.timing,
                lying,
                trips_k=ground.tiles.trips["k"],
                **{name: gemm.count * moved[0] for name, moved in passed.items()},
            )
        )
        joules = on_array + ground.memory_joules(energy).min(axis=1)
        return self.objective.value(ground.hardware, cycles, joules * (1 - 1e-9))

    # Bounds ----------------------------------------------------------------------------------------------------------

    @cached_property
    def times(self) -> TileTime:
        """Every tile under every mapping."""
        return TileTime.of(self.ground.tiles, self.mappings)

    @cached_property
    def values(self) -> FloatArray:
        """[A * J * O] lower bounds on the objective; infinite where an equal candidate stands already."""
        value = self.objective.value(self.ground.hardware, self._bound, self.dynamic_joules)
        value[:, self.ground.equal_order] = np.inf
        value[self.times.repeats] = np.inf
        return value.ravel()

    @property
    def _bound(self) -> IntArray:
        """[A, J, O] cycles that no schedule of these tiles can beat."""
        computing = self.ground.gemm.count * self.times.total(self.times.cycles)
        on_array = computing + self.ground.unhidden_cycles
        return np.asarray(np.maximum(on_array[:, :, None], self.ground.memory_cycles[None]))

    @cached_property
    def dynamic_joules(self) -> FloatArray | None:
        """[A, J, O] dynamic energy of every candidate, exact; None when the objective does not ask."""
        energy = self.objective.energy
        if energy is None or not self.objective.needs_energy:
            return None
        on_array = energy.dynamic_joules(array_actions(self.ground.gemm, self.times))
        return np.asarray(on_array[:, :, None] + self.ground.memory_joules(energy)[None])


def _grounds(gemm: Gemm, hardware: Hardware, grid: TileGrid, wests: Sequence[Operand]) -> dict[Operand, Ground]:
    """The tiles that fit with each operand in the west buffer."""
    found: dict[Operand, Ground] = {}
    for west in wests:
        fitting = grid.fits(west == "a")
        tiles = grid if fitting.all() else grid.pick(fitting)
        found[west] = Ground(gemm=gemm, hardware=hardware, tiles=tiles, a_in_west=west == "a")
    if len(found) == 2 and hardware.buffers.west.capacity_bytes == hardware.buffers.north.capacity_bytes:
        # With buffers of one size nothing in memory depends on which operand lies where.
        first, second = found.values()
        vars(second).update({name: getattr(first, name) for name in _ALIKE_ON_BOTH_SIDES})
    return found


_ALIKE_ON_BOTH_SIDES = ("memory_cycles", "moved_bytes", "unhidden_cycles", "equal_order")
"""Figures of a ground that follow from what its buffers hold."""


def sides_of_product(
    gemm: Gemm, hardware: Hardware, objective: Objective, mappings: tuple[ArrayMapping, ...], *, interleave: bool
) -> Iterator[Side]:
    """The sides that array mappings lie on, with the tiles that fit there; none where no tile does.

    Args:
        gemm: the product.
        hardware: the design.
        objective: what is minimised.
        mappings: sorted by side.
        interleave: whether a PE may turn between accumulations.
    """
    view = DesignView.of(hardware)
    grid = fitting_tiles(gemm, view, axis_ladders(gemm, hardware), view.room)
    grounds = _grounds(gemm, hardware, grid, sorted({mapping.west for mapping in mappings}))
    deepest = hardware.tensor_engine.register_depth if interleave else 1
    for _, members in groupby(mappings, key=lambda mapping: (mapping.dataflow, mapping.swapped)):
        same = tuple(members)
        ground = grounds[same[0].west]
        if len(ground.tiles):
            yield Side(ground=ground, mappings=same, objective=objective, deepest=deepest)
