"""A step beside the dense one, on one design: plain numbers, the ratios, and what a result keeps of the dense step.

Every figure of a sweep and every headline of a result is worked out from these, whether the step was timed alone or
with many designs at once.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ...accel.specification import Hardware
from ..results.dense_step import DenseStep, ScopeResult, StepTotals
from .step_numbers import StepNumbers


def ratio(numerator: float, denominator: float) -> float:
    """A ratio; 1 of nothing: a step without products, or on a design without a price."""
    return numerator / denominator if denominator else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstDense:
    """A step and the dense step that it is compared with.

    Attributes:
        hardware: the design.
        batch: samples in the step.
        step: the step's figures.
        dense: the dense step's.
        peak_bytes: most of the card's memory that the step takes.
        resident_tensors: tensors that stay on chip.
        saved_bytes: that no longer cross to DRAM for it.
    """

    hardware: Hardware
    batch: int
    step: StepNumbers
    dense: StepNumbers
    peak_bytes: int
    resident_tensors: int
    saved_bytes: int

    @property
    def flop_bound_speedup(self) -> float:
        """Multiply-accumulates of the dense step over kept ones: the gain of an array that never waits."""
        return ratio(self.dense.dense_macs, self.step.useful_macs)

    @property
    def by_scope(self) -> dict[str, ScopeResult]:
        """Time and energy of the products alone and of everything, against the dense step's."""
        step, dense = self.step, self.dense
        return {
            "gemm": _scope((step.gemm_cycles, step.gemm_energy_joules), (dense.gemm_cycles, dense.gemm_energy_joules)),
            "step": _scope((step.total_cycles, step.energy_joules), (dense.total_cycles, dense.energy_joules)),
        }


def _scope(own: tuple[int, float], dense: tuple[int, float]) -> ScopeResult:
    return ScopeResult(
        total_cycles=own[0],
        energy_joules=own[1],
        speedup_vs_dense=ratio(dense[0], own[0]),
        energy_ratio_vs_dense=ratio(own[1], dense[1]),
    )


def dense_step(dense: StepNumbers, effectual_macs: int | None) -> DenseStep:
    """What a result keeps of the dense step."""
    totals = {each.name: getattr(dense, each.name) for each in dataclasses.fields(StepTotals)}
    return DenseStep(**totals, effectual_macs=effectual_macs)
