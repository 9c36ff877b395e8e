"""What mapped products cost: time by cause, traffic, ports, energy actions. The search's own formulas.

Causes follow a fixed precedence when several hold: dependence, reduction, west, north, output (see ``waits``), then
the array's own (imbalance, bubble, fill and drain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..accel.energy import Actions
from ..accel.specification import SHARED_PORT, SIDES, Hardware
from ..configs.arrays import BoolArray, Counts, IntArray
from ..configs.errors import MappingError
from .actions import applied_actions, array_actions, memory_actions, merge
from .applied_loads import AppliedTiles
from .cycle_causes import ON_ARRAY
from .design_view import DesignView, of_design
from .epilogue import NO_EPILOGUE, Epilogue
from .gemm import AXES, Gemm
from .gemm_batch import GemmBatch
from .holding import taken_bytes
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping, Side
from .pipeline import Pipeline
from .tile_grid import TileGrid
from .tile_overlap import NUMBERS, at_pair, cycles_by_next, overlaps
from .tile_time import TileTime
from .tiling import AxisTiles, tiles_of_sizes
from .traffic import Traffic
from .waits import sorting_limits, waits_by_cause


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCost:
    """One product under one mapping, all repetitions; or under a mapping each on many designs: an array, [K], each.

    Attributes:
        cycles: from first request to last store.
        causes: those cycles by cause, summing to ``cycles``.
        dram_cycles: for which DRAM is busy.
        read_bytes: from DRAM.
        write_bytes: to DRAM.
        port_bytes: through the array's ports, by side.
        reduced_elements: that passed the reduction engine on their way in.
        actions: counts for the energy model.
        busy: cycles of each resource, for ``limit``.
    """

    cycles: Counts
    causes: dict[str, Counts]
    dram_cycles: Counts
    read_bytes: Counts
    write_bytes: Counts
    port_bytes: dict[str, Counts]
    reduced_elements: Counts
    actions: dict[str, Any]
    busy: dict[str, Counts]

    @property
    def limit(self) -> str:
        """The resource that is busy longest, of equals the first. Of one product."""
        return max(self.busy, key=lambda name: self.busy[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class SideTimes:
    """Candidates that lie on the array in the same manner.

    Attributes:
        rows: which ones of all candidates.
        times: of their tiles, a mapping a tile.
    """

    rows: IntArray
    times: TileTime


@dataclass(frozen=True, kw_only=True)
class MappedProducts:
    """Products of one batch on a design, or one on many designs: a mapping and a candidate each, [K].

    Attributes:
        tiles: a candidate's tile.
        orders: a candidate's loop order, its number in ``LOOP_ORDERS``.
        by_side: the candidates by dataflow and side.
    """

    tiles: TileGrid
    orders: IntArray
    by_side: Sequence[SideTimes]

    @classmethod
    def of(cls, gemm: Gemm, hardware: Hardware, mapping: Mapping) -> MappedProducts:
        """One product on one design under one mapping.

        Raises:
            MappingError: the mapping is not legal on this design.
        """
        return cls.of_each([gemm], hardware, [mapping])

    @classmethod
    def of_each(cls, gemms: Sequence[Gemm], hardware: Hardware, mappings: Sequence[Mapping]) -> MappedProducts:
        """Products of one batch (see ``gemm_batch``) on a design, each under a mapping; errors as above."""
        tiles = _tiles_of(gemms, hardware, mappings)
        by_side: dict[Side, list[int]] = {}
        for number, mapping in enumerate(mappings):
            by_side.setdefault(mapping.array.side, []).append(number)
        orders = np.array([LOOP_ORDERS.index(mapping.order) for mapping in mappings])
        sides = [_on_side(tiles, np.array(own), [mappings[at].array for at in own]) for own in by_side.values()]
        return cls(tiles=tiles, orders=orders, by_side=sides)

    @property
    def gemm(self) -> Gemm:
        """The product."""
        return self.tiles.gemm

    @cached_property
    def traffic(self) -> Traffic:
        """What moves in DRAM, one repetition."""
        return Traffic(tiles=self.tiles, a_in_west=self.a_in_west, order=self.orders)

    @cached_property
    def a_in_west(self) -> BoolArray:
        """[K] whether A is the operand in the west buffer."""
        found = np.zeros(len(self.tiles), dtype=bool)
        for side in self.by_side:
            found[side.rows] = side.times.west == "a"
        return found

    @cached_property
    def held_bytes(self) -> IntArray:
        """[K] bytes of the buffers that its tiles take."""
        tiles = self.tiles
        room = tiles.design.room
        return taken_bytes(tiles.held, self.gemm, room, self.a_in_west, trips=tiles.trips, orders=self.orders)

    @cached_property
    def tile_cycles(self) -> IntArray:
        """[K, 2, 2, 3] cycles of every kind of tile, or their numbers, see ``Pipeline``."""
        numbers = (len(NUMBERS),) if self.tiles.design.array.tile_overlap else ()
        return self._of_kinds([side.times.of_kind for side in self.by_side], numbers)

    def _of_kinds(self, by_side: Sequence[IntArray], beside: tuple[int, ...] = ()) -> IntArray:
        """[K, 2, 2, 3, ...] figures of kinds of tiles that were found side by side, in their places."""
        found = np.empty((len(self.tiles), 2, 2, 3, *beside), dtype=np.int64)
        for side, own in zip(self.by_side, by_side, strict=True):
            found[side.rows] = own[0]
        return found

    def pipeline(self, epilogue: Epilogue = NO_EPILOGUE) -> Pipeline:
        """Their time, with what rides on the write-back of results."""
        return Pipeline(
            tiles=self.tiles,
            orders=self.orders,
            tile_cycles=self.tile_cycles,
            count=self.gemm.count,
            a_in_west=self.a_in_west,
            epilogue=epilogue,
        )

    @cached_property
    def on_array(self) -> dict[str, IntArray]:
        """[K] cycles and bytes by name that do not depend on the way out: see ``_on_array``. All repetitions."""
        found = _gathered([(side.rows, _on_array(self.gemm, side.times)) for side in self.by_side])
        return found | self._overlapped(found) if overlaps(self.tile_cycles) else found

    def _overlapped(self, alone: dict[str, IntArray]) -> dict[str, IntArray]:
        """What overlap leaves of fill and drain, and of waits for ports."""
        terms = self.pipeline().terms
        on_array = at_pair(cycles_by_next(self.tile_cycles)[0], terms.here, terms.following)
        late = terms.weight * (terms.tile - on_array)
        port = self._of_kinds([side.times.slowest_port for side in self.by_side]).reshape(len(late), -1)
        at_port = np.take_along_axis(port, terms.here.astype(np.intp), axis=1)
        whole = (terms.weight * on_array).sum(axis=1)
        waits = {side: np.where(at_port == number, late, 0).sum(axis=1) for number, side in enumerate(SIDES)}
        return waits | {"fill_drain": whole - alone["busy"] - alone["imbalance"] - alone["bubble"]}

    @cached_property
    def actions(self) -> dict[str, Any]:
        """[K] counts for the energy model; a number where all are alike."""
        on_array = _gathered([(side.rows, array_actions(side.times)) for side in self.by_side])
        applied = applied_actions(self.gemm, self.applied_elements)
        return merge(on_array, memory_actions(self.gemm, self.traffic, self.a_in_west), applied)

    @property
    def applied_elements(self) -> tuple[Counts, Counts]:
        """[K] elements of A, and of B, that the load lanes work on, all repetitions."""
        tiles, traffic = self.tiles, self.traffic
        if not isinstance(tiles, AppliedTiles):
            return 0, 0
        a, b = tiles.applied_elements
        return self.gemm.count * traffic.a_fetches * a, self.gemm.count * traffic.b_fetches * b


def _on_side(tiles: TileGrid, rows: IntArray, arrays: Sequence[ArrayMapping]) -> SideTimes:
    """Some of the candidates, an array mapping each, all of one side."""
    lying = arrays[0].lying
    parameters = [[array.number(name) for array in arrays] for name in lying.parameters]
    numbers = np.array(parameters, dtype=np.int64).reshape(len(parameters), len(arrays))
    own = tiles if len(rows) == len(tiles) else tiles.pick(rows)
    return SideTimes(rows=rows, times=TileTime.in_turn(own, lying, numbers))


def _tiles_of(gemms: Sequence[Gemm], hardware: Hardware, mappings: Sequence[Mapping]) -> TileGrid:
    """The candidates that mappings name, one of each product."""
    parts: list[list[AxisTiles]] = []
    for gemm, mapping in zip(gemms, mappings, strict=True):
        parts.append(_axes_of(gemm, hardware, mapping))
        if not all(map(len, parts[-1])):
            raise _not_legal(gemm, hardware, mapping)
    m, n, k = (AxisTiles.joined(axis) for axis in zip(*parts, strict=True))
    tiles = TileGrid(gemm=GemmBatch.of(gemms), design=DesignView.of(hardware), m=m, n=n, k=k)
    fitting = tiles.fits(np.array([mapping.array.west == "a" for mapping in mappings]))
    if not fitting.all():
        first = int(np.argmin(fitting))
        raise _not_legal(gemms[first], hardware, mappings[first])
    return AppliedTiles.of(tiles, hardware.vector_engine.load_lanes) if any(gemms[0].applied) else tiles


def _axes_of(gemm: Gemm, hardware: Hardware, mapping: Mapping) -> list[AxisTiles]:
    """Along m, n and k the tiles that a mapping names, if they are legal."""
    wanted, expansion = (mapping.tile_m, mapping.tile_n, mapping.tile_k), hardware.buffers.patch_expansion
    return [
        tiles_of_sizes(gemm, axis, [size], patch_expansion=expansion) for axis, size in zip(AXES, wanted, strict=True)
    ]


def _not_legal(gemm: Gemm, hardware: Hardware, mapping: Mapping) -> MappingError:
    shown = f"{mapping.tile_m}x{mapping.tile_n}x{mapping.tile_k}"
    return MappingError(f"{gemm.name}: got tile {shown}, need one that is legal and fits {hardware.name}")


def mapped_cost(mapped: MappedProducts, epilogue: Epilogue = NO_EPILOGUE) -> ProductCost:
    """What a product costs under a mapping a candidate, [K].

    Args:
        mapped: the candidates.
        epilogue: what is done with its results on their way out: in its cycles and causes, not in its bytes and
            actions.
    """
    count, traffic, pipeline = mapped.gemm.count, mapped.traffic, mapped.pipeline(epilogue)
    on_array = mapped.on_array
    causes = {name: on_array[name] for name in (*ON_ARRAY, *SIDES)}
    causes = merge(causes, waits_by_cause(pipeline, mapped.a_in_west))
    cycles = pipeline.cycles
    assert np.array_equal(sum(causes.values()), cycles), "every cycle has one cause"
    added = _epilogue_cycles(pipeline)
    return ProductCost(
        cycles=cycles,
        causes=causes,
        dram_cycles=count * (traffic.dram_cycles + added),
        read_bytes=mapped.gemm.own_part(count * traffic.read_bytes),
        write_bytes=mapped.gemm.own_part(count * traffic.write_bytes),
        port_bytes={side: on_array[f"{side} bytes"] for side in SIDES},
        reduced_elements=mapped.gemm.own_part(count * traffic.reduced_elements),
        actions=mapped.actions,
        busy=_busy(mapped, added),
    )


def product_cost(gemm: Gemm, hardware: Hardware, mapping: Mapping, epilogue: Epilogue = NO_EPILOGUE) -> ProductCost:
    """What a product costs under one mapping on one design: every count a number.

    Args:
        gemm: the product.
        hardware: the design.
        mapping: how it is laid on the array and cut into tiles.
        epilogue: see ``mapped_cost``.

    Raises:
        MappingError: the mapping is not legal on this design.
    """
    return of_design(mapped_cost(MappedProducts.of(gemm, hardware, mapping), epilogue), 0)


def _busy(mapped: MappedProducts, added: IntArray) -> dict[str, Counts]:
    """[K] cycles of each resource; DRAM's are the reduction engine's where that sets the pace.

    Args:
        mapped: the candidates.
        added: [K] cycles of DRAM for fused operators, of one repetition.
    """
    on_array, gemm, traffic, tiles = mapped.on_array, mapped.gemm, mapped.traffic, mapped.tiles
    on_dram, on_lanes = gemm.count * (traffic.cycles + added), {}
    if isinstance(tiles, AppliedTiles):
        on_dram = gemm.count * (traffic.dram_cycles + added)
        of_a = traffic.a_fetches * tiles.sum_over_blocks(tiles.a_lane_cycles, "mk")
        of_b = traffic.b_fetches * tiles.sum_over_blocks(tiles.b_lane_cycles, "kn")
        on_lanes = {"load lanes": gemm.count * (of_a + of_b)}
    sorting = np.zeros(len(on_dram), dtype=bool)
    if gemm.reduced_on_load is not None:
        sorting = sorting_limits(mapped.tiles, gemm.reduced_on_load)[:, 0, 0]
    return {
        "array": sum(on_array[cause] for cause in ON_ARRAY),
        **{f"{port} port": on_array[f"{port} cycles"] for port in tiles.design.ports},
        "reduction": np.where(sorting, on_dram, 0),
        "dram": np.where(sorting, 0, on_dram),
        **on_lanes,
    }


def _epilogue_cycles(pipeline: Pipeline) -> IntArray:
    """[K] DRAM cycles, of one repetition, that fused operators add to the stores of results."""
    tiles = pipeline.tiles
    return tiles.sum_over_blocks(pipeline.result_store_cycles - tiles.result_cycles, "mn")


def _on_array(gemm: Gemm, times: TileTime) -> dict[str, IntArray]:
    """[A, K] cycles of the array and of ports that are slower, and bytes through ports, all repetitions."""
    issue, bubble = times.issue_and_bubble_cycles
    late, port = times.cycles - times.array_cycles, times.slowest_port
    waits: dict[str, IntArray] = {side: np.where(port == number, late, 0) for number, side in enumerate(SIDES)}
    per_tile = waits | {
        "busy": issue - times.imbalance_cycles,
        "imbalance": times.imbalance_cycles,
        "bubble": bubble,
        "fill_drain": times.array_cycles - issue - bubble,
        "west bytes": times.west_bytes,
        "north bytes": times.north_bytes,
        "output bytes": times.output_bytes,
        "west cycles": times.west_cycles,
        "north cycles": times.north_cycles,
        "output cycles": times.output_cycles,
    }
    if SHARED_PORT in times.tiles.design.ports:
        per_tile[f"{SHARED_PORT} cycles"] = times.shared_cycles
    return {name: gemm.count * times.total(np.asarray(each)) for name, each in per_tile.items()}


def _gathered(parts: Sequence[tuple[IntArray, Actions]]) -> dict[str, Any]:
    """Figures of candidates that were found in parts, [1, k] each or a number, put in their places."""
    if len(parts) == 1:
        return {name: np.reshape(value, -1) if np.ndim(value) else value for name, value in parts[0][1].items()}
    found: dict[str, Any] = {}
    total = sum(len(rows) for rows, _ in parts)
    for rows, figures in parts:
        for name, value in figures.items():
            found.setdefault(name, np.empty(total, dtype=np.int64))[rows] = np.reshape(value, -1)
    return found
