"""What one mapped product costs: time by cause, traffic, ports, energy actions.

The search's own formulas, for one candidate.

Causes follow a fixed precedence when several hold: dependence, reduction, west, north, output (see ``waits``), then
the array's own (bubble, fill and drain).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..accel.specification import Hardware
from .actions import array_actions, memory_actions, merge
from .gemm import Gemm
from .mapping import Mapping
from .pipeline import Pipeline
from .tile_grid import TileGrid
from .tile_time import TileTime
from .traffic import Traffic
from .waits import sorting_limits, waits_by_cause
from .way_out import NOTHING, WayOut

IntArray = npt.NDArray[np.int64]


_FIRST = np.zeros(1, dtype=np.int64)
"""The only candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCost:
    """One product under one mapping, all repetitions.

    Attributes:
        cycles: from first request to last store.
        causes: those cycles by cause, summing to ``cycles``.
        dram_cycles: for which DRAM is busy.
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


def product_cost(gemm: Gemm, hardware: Hardware, mapping: Mapping, way_out: WayOut = NOTHING) -> ProductCost:
    """Cost a product under a mapping.

    Args:
        gemm: the product.
        hardware: the design.
        mapping: how it is laid on the array and cut into tiles.
        way_out: what rides on the write-back of its results: in its cycles and causes, not in its bytes and actions.

    Raises:
        MappingError: the mapping is not legal on this design.
    """
    tiles = TileGrid.of_mapping(gemm, hardware, mapping)
    times = TileTime(tiles=tiles, mappings=(mapping.array,))
    traffic = Traffic(tiles=tiles, order=mapping.order)
    pipeline = Pipeline(
        tiles=tiles,
        orders=(mapping.order,),
        tile_cycles=times.cycles_at(_FIRST, _FIRST),
        count=gemm.count,
        way_out=way_out,
    )
    cycles = int(pipeline.cycles[0])
    riding = tiles.sum_over_blocks(pipeline.result_store_cycles - tiles.result_cycles, "mn")
    actions = merge(array_actions(gemm, times), memory_actions(gemm, traffic, times.west))
    return ProductCost(
        cycles=cycles,
        causes=_causes(gemm, times, pipeline, cycles),
        dram_cycles=gemm.count * _one(traffic.dram_cycles + riding),
        read_bytes=gemm.count * _one(traffic.read_bytes),
        write_bytes=gemm.count * _one(traffic.write_bytes),
        port_bytes={
            "west": gemm.count * _over(times, times.west_bytes),
            "north": gemm.count * _over(times, times.north_bytes),
            "output": gemm.count * _over(times, times.output_bytes),
        },
        reduced_elements=gemm.count * _one(traffic.reduced_elements),
        actions={name: _one(number) for name, number in actions.items()},
        limit=_limit(gemm, times, _one(traffic.cycles + riding)),
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
    }
    late = times.cycles - times.array_cycles
    at_west = np.broadcast_to(times.west_cycles == times.cycles, late.shape)
    at_north = ~at_west & (times.north_cycles == times.cycles)
    for name, held in (("west", at_west), ("north", at_north), ("output", ~at_west & ~at_north)):
        causes[name] = gemm.count * _over(times, np.where(held, late, 0))
    causes = merge(causes, waits_by_cause(pipeline, times.west))
    assert sum(causes.values()) == cycles, "every cycle has one cause"
    return causes


def _limit(gemm: Gemm, times: TileTime, dma_cycles: int) -> str:
    busy = {
        "array": _over(times, times.array_cycles),
        "west port": _over(times, times.west_cycles),
        "north port": _over(times, times.north_cycles),
        "output port": _over(times, times.output_cycles),
        "dram": dma_cycles,
    }
    longest = max(busy, key=lambda name: busy[name])
    if longest == "dram" and gemm.compressed is not None and sorting_limits(times.tiles, gemm.compressed)[0, 0]:
        return "reduction"
    return longest
