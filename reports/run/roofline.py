"""Where each product stands under the roofline: multiply-accumulates a byte of DRAM traffic against those a cycle.

Rates are ``array_utilisation`` x peak: kept multiply-accumulates over the cycles in which the operator has the array,
so a skipped multiplication lifts no point. A product whose operands stay on chip has no intensity and is counted, not
drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...sim.results.simulation_result import SimulationResult
from .answer import is_dense


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A product, or a whole step, under the roofline.

    Attributes:
        name: of the operator.
        sparsity: N:M or ``dense``.
        macs_per_byte: kept multiply-accumulates a byte read or written.
        macs_per_cycle: kept multiply-accumulates a cycle.
        cycles: exposed cycles.
        limit: what bounds it.
    """

    name: str
    sparsity: str
    macs_per_byte: float
    macs_per_cycle: float
    cycles: int
    limit: str = ""


def points(result: SimulationResult) -> tuple[Point, ...]:
    """The tensor engine's products that touch DRAM."""
    return tuple(
        Point(
            name=row.name,
            sparsity=row.sparsity,
            macs_per_byte=row.useful_macs / traffic,
            macs_per_cycle=row.array_utilisation * result.peak_macs_per_cycle,
            cycles=row.cycles,
            limit=row.limit,
        )
        for row in result.rows
        if row.engine == "tensor" and row.useful_macs and (traffic := row.dram_read_bytes + row.dram_write_bytes)
    )


def undrawn(result: SimulationResult) -> int:
    """Products without DRAM traffic of their own."""
    return sum(
        1
        for row in result.rows
        if row.engine == "tensor" and row.useful_macs and not row.dram_read_bytes + row.dram_write_bytes
    )


def whole_steps(result: SimulationResult) -> tuple[Point, ...]:
    """The dense step and this one as points: all kept multiply-accumulates over all traffic and all cycles."""
    dense_macs = result.useful_macs * result.flop_bound_speedup
    steps = (
        (
            "dense step",
            dense_macs,
            result.dense.dram_read_bytes + result.dense.dram_write_bytes,
            result.dense.total_cycles,
        ),
        ("this step", result.useful_macs, result.dram_read_bytes + result.dram_write_bytes, result.total_cycles),
    )
    return tuple(
        Point(
            name=name,
            sparsity="dense" if name == "dense step" else result.sparsity,
            macs_per_byte=macs / traffic,
            macs_per_cycle=macs / cycles,
            cycles=cycles,
        )
        for name, macs, traffic, cycles in (steps[:1] if is_dense(result) else steps)
        if traffic and cycles
    )


def ridge_macs_per_byte(result: SimulationResult) -> float:
    """Intensity at which the peak of the array and that of DRAM meet."""
    return result.peak_macs_per_cycle / result.dram_bytes_per_cycle
