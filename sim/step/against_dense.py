"""A step beside the dense one: ratios in both scopes, and what a result keeps of the dense step."""

from __future__ import annotations

from ..results.simulation_result import DenseStep, ScopeResult
from .step_report import StepReport


def ratio(numerator: float, denominator: float) -> float:
    """A ratio; 1 of nothing: a step without products, or on a design without a price."""
    return numerator / denominator if denominator else 1.0


def scopes(sparse: StepReport, dense: StepReport) -> dict[str, ScopeResult]:
    """Time and energy of the products alone and of everything, against the dense step's."""
    return {
        "gemm": ScopeResult(
            total_cycles=sparse.gemm_cycles,
            energy_joules=sparse.gemm_energy_joules,
            speedup_vs_dense=ratio(dense.gemm_cycles, sparse.gemm_cycles),
            energy_ratio_vs_dense=ratio(sparse.gemm_energy_joules, dense.gemm_energy_joules),
        ),
        "step": ScopeResult(
            total_cycles=sparse.total_cycles,
            energy_joules=sparse.energy_joules,
            speedup_vs_dense=ratio(dense.total_cycles, sparse.total_cycles),
            energy_ratio_vs_dense=ratio(sparse.energy_joules, dense.energy_joules),
        ),
    }


def dense_step(dense: StepReport) -> DenseStep:
    """What a result keeps of the dense step."""
    return DenseStep(
        total_cycles=dense.total_cycles,
        step_seconds=dense.seconds,
        energy_joules=dense.energy_joules,
        dram_read_bytes=dense.dram_read_bytes,
        dram_write_bytes=dense.dram_write_bytes,
        array_utilisation=dense.array_utilisation,
        by_stage=dense.by_stage,
        by_engine=dense.by_engine,
        stalls=dense.causes,
        energy_by_component=dense.energy_by_component,
        effectual_macs=dense.effectual_macs,
    )
