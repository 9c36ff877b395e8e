"""What one mapped product costs: time by cause, traffic, ports, energy actions.

The search's own formulas, for one candidate.

Causes follow a fixed precedence when several hold: reduction, west, north, output, then the array's own (bubble,
fill and drain).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..accel.engines import reduction_cycles
from ..accel.specification import Hardware
from .actions import array_actions, memory_actions, merge
from .gemm import Gemm
from .mapping import Mapping
from .pipeline import Pipeline
from .tile_grid import TileGrid
from .tile_time import TileTime
from .traffic import Traffic

IntArray = npt.NDArray[np.int64]


_FIRST = np.zeros(1, dtype=np.int64)
"""The only candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCost:
    """One product under one mapping, all repetitions.

    Attributes:
        cycles: from first request to last store.
        causes: those cycles by cause, summing to ``cycles``.
        dram_cycles: for which DRAM (or the reduction engine on its stream) is busy.
        read_bytes: from DRAM.
        write_bytes: to DRAM.
        port_bytes: through the array's ports, by side.
        reduced_elements: that passed the reduction engine on their way in.
        actions: counts for the energy model.
        limit: the resource that is busy longest.
    """

    cycles: int
    causes: dict[str, int]
    dram_cycles: int
    read_bytes: int
    write_bytes: int
    port_bytes: dict[str, int]
    reduced_elements: int
    actions: dict[str, int]
    limit: str


def product_cost(gemm: Gemm, hardware: Hardware, mapping: Mapping) -> ProductCost:
    """Cost a product under a mapping.

    Raises:
        MappingError: the mapping is not legal on this design.
    """
    tiles = TileGrid.of_mapping(gemm, hardware, mapping)
    times = TileTime(tiles=tiles, mappings=(mapping.array,))
    traffic = Traffic(tiles=tiles, order=mapping.order)
    pipeline = Pipeline(
        tiles=tiles, orders=(mapping.order,), tile_cycles=times.cycles_at(_FIRST, _FIRST), count=gemm.count
    )
    cycles = int(pipeline.cycles[0])
    actions = merge(array_actions(gemm, times), memory_actions(gemm, traffic, times.west))
    return ProductCost(
        cycles=cycles,
        causes=_causes(gemm, times, pipeline, cycles),
        dram_cycles=gemm.count * _one(traffic.cycles),
        read_bytes=gemm.count * _one(traffic.read_bytes),
        write_bytes=gemm.count * _one(traffic.write_bytes),
        port_bytes={
            "west": gemm.count * _over(times, times.west_bytes),
            "north": gemm.count * _over(times, times.north_bytes),
            "output": gemm.count * _over(times, times.output_bytes),
        },
        reduced_elements=gemm.count * _one(traffic.reduced_elements),
        actions={name: _one(number) for name, number in actions.items()},
        limit=_limit(gemm, times, traffic),
    )


def _one(value: Any) -> int:
    return int(np.asarray(value).ravel()[0])


def _over(times: TileTime, per_tile: IntArray) -> int:
    """Sum over all tiles of one repetition."""
    return int(times.total(np.asarray(per_tile)).sum())


def _causes(gemm: Gemm, times: TileTime, pipeline: Pipeline, cycles: int) -> dict[str, int]:
    issue, bubble = times.issue_and_bubble_cycles
    causes = {
        "busy": gemm.count * _over(times, issue),
        "bubble": gemm.count * _over(times, bubble),
        "fill_drain": gemm.count * _over(times, times.array_cycles - issue - bubble),
        "reduction": 0,
    }
    late = times.cycles - times.array_cycles
    at_west = np.broadcast_to(times.west_cycles == times.cycles, late.shape)
    at_north = ~at_west & (times.north_cycles == times.cycles)
    for name, held in (("west", at_west), ("north", at_north), ("output", ~at_west & ~at_north)):
        causes[name] = gemm.count * _over(times, np.where(held, late, 0))
    for name, waited in _memory_waits(times, pipeline).items():
        causes[name] += waited
    causes["west"] += int(pipeline.first_load_cycles[0])
    causes["output"] += int(pipeline.last_store_cycles[0])
    assert sum(causes.values()) == cycles, "every cycle has one cause"
    return causes


def _memory_waits(times: TileTime, pipeline: Pipeline) -> dict[str, int]:
    """Cycles that the array waits for DMA between tiles, by cause."""
    terms = pipeline.terms
    west, north = (terms.load_a, terms.load_b) if times.west == "a" else (terms.load_b, terms.load_a)
    waiting = terms.weight * terms.waiting
    reducing = _sorting_limits(times) & ((terms.load_a if times.tiles.gemm.compressed == "a" else terms.load_b) > 0)
    loads_west = ~reducing & (west > 0)
    loads_north = ~reducing & ~loads_west & (north > 0)
    rest = ~reducing & ~loads_west & ~loads_north
    held = {"reduction": reducing, "west": loads_west, "north": loads_north, "output": rest}
    return {name: int(waiting[where].sum()) for name, where in held.items()}


def _sorting_limits(times: TileTime) -> bool:
    """Whether the reduction engine, not DRAM, sets the pace of the operand it reduces on the way in."""
    tiles, gemm = times.tiles, times.tiles.gemm
    if not gemm.reduced_on_load:
        return False
    cycles = tiles.a_load_cycles if gemm.compressed == "a" else tiles.b_load_cycles
    elements = int(tiles.reduced_elements[0, 0, 0])
    return bool(reduction_cycles(tiles.hardware.reduction_engine, elements, gemm.pattern.group) == cycles[0, 0, 0])


def _limit(gemm: Gemm, times: TileTime, traffic: Traffic) -> str:
    busy = {
        "array": _over(times, times.array_cycles),
        "west port": _over(times, times.west_cycles),
        "north port": _over(times, times.north_cycles),
        "output port": _over(times, times.output_cycles),
        "reduction" if _sorting_limits(times) else "dram": _one(traffic.cycles),
    }
    return max(busy, key=lambda name: busy[name])
