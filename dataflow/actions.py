"""What a mapped product does, counted for the energy model.

Counts are arrays over candidates: [A, 1] or [A, J] for what depends on the array mapping, [J] for what depends on
the tiles and loop order. Fills of a buffer equal the reads of the level above, tensor by tensor; the tests hold that
as a law.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..accel.energy import Actions
from .gemm import Gemm, Operand
from .tile_grid import SUM_BYTES
from .tile_time import TileTime
from .traffic import Traffic

IntArray = npt.NDArray[np.int64]


def array_actions(gemm: Gemm, times: TileTime) -> dict[str, Any]:
    """Actions that depend on how tiles are laid on the array, [A, J], all repetitions.

    Operands hop along a row or column of PEs, and each hop ends in a register; OS results leave down half a column on
    average when they are shifted, WS sums pass a whole column in every fold. A multiply-accumulate writes its sum.
    """
    engine, count = times.tiles.hardware.tensor_engine, gemm.count
    west, north = times.total(times.west_bytes), times.total(times.north_bytes)
    output = times.total(times.output_bytes)
    results = gemm.m * gemm.n * SUM_BYTES
    if times.dataflow == "os":
        # Every tile along k sends its own sums out.
        leaving = results * times.tiles.trips["k"] * engine.rows // 2 if engine.drain == "shift" else 0
        hops = west * engine.cols + north * engine.rows + leaving
    else:
        hops = west * engine.cols + north * engine.rows // 2 + (output + results) // 2 * engine.rows
    macs = gemm.issued_macs
    # Every fold writes its sums; all but the first of an output read them: writes exceed reads by one result.
    return {
        "multiplies": macs,
        "accumulates": macs,
        "register_bits": macs * 8 * SUM_BYTES + 8 * count * hops,
        "link_bits": 8 * count * hops,
        "west_read_bits": 8 * count * west,
        "north_read_bits": 8 * count * north,
        "output_read_bits": 8 * count * (output - results) // 2,
        "output_write_bits": 8 * count * (output + results) // 2,
    }


def memory_actions(gemm: Gemm, traffic: Traffic, west: Operand) -> dict[str, Any]:
    """Actions that depend on tiles and loop order, [J], all repetitions."""
    tiles, count = traffic.tiles, gemm.count
    held = {
        "a": traffic.a_fetches * tiles.sum_over_blocks(tiles.a_held_bytes, "mk"),
        "b": traffic.b_fetches * tiles.sum_over_blocks(tiles.b_held_bytes, "kn"),
    }
    north: Operand = "b" if west == "a" else "a"
    finished_sums = gemm.m * gemm.n * SUM_BYTES
    return {
        "west_write_bits": 8 * count * held[west],
        "north_write_bits": 8 * count * held[north],
        "output_write_bits": 8 * count * traffic.partial_sum_bytes,
        "output_read_bits": 8 * count * (traffic.partial_sum_bytes + finished_sums),
        "dram_bits": 8 * count * (traffic.read_bytes + traffic.write_bytes),
        "compares": reduction_compares(gemm, traffic),
    }


def reduction_compares(gemm: Gemm, traffic: Traffic) -> Any:
    """Comparisons of an operand reduced on its way in: each element meets the N kept so far."""
    return gemm.count * traffic.reduced_elements * gemm.pattern.kept


def merge(*counts: Actions) -> dict[str, Any]:
    """Sum of several counts, action by action."""
    total: dict[str, Any] = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total
