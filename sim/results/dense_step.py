"""The totals of a step, and what a result keeps of each scope and of the dense step that its ratios are against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeResult:
    """One scope: ``gemm`` (tensor engine, with its waits) or ``step`` (everything)."""

    total_cycles: int
    energy_joules: float
    speedup_vs_dense: float
    energy_ratio_vs_dense: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTotals:
    """What every step adds up to; a result keeps all of it of the dense step too."""

    total_cycles: int
    step_seconds: float
    energy_joules: float
    dram_read_bytes: int
    dram_write_bytes: int
    array_utilisation: float
    by_stage: dict[str, int]
    by_engine: dict[str, int]
    stalls: dict[str, int]
    energy_by_component: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseStep(StepTotals):
    """The dense step that the ratios are against."""

    effectual_macs: int | None = None
