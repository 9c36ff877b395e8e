"""Shares that a headline must stand beside: of the step that the array does work in, and of the energy that is static.

All are derived from the result's own figures, for the step and for the dense one alike.
"""

from __future__ import annotations

from ...sim.results.dense_step import DenseStep
from ...sim.results.simulation_result import SimulationResult

_TENSOR_STAGES = ("FF", "BP", "WU")


def array_share(step: SimulationResult | DenseStep) -> float:
    """Kept multiply-accumulates over what the array could issue in the whole step, its waits for others included."""
    if not step.total_cycles:
        return 0.0
    # Utilisation is over the tensor engine's cycles, which are those of its three stages.
    return step.array_utilisation * sum(step.by_stage.get(stage, 0) for stage in _TENSOR_STAGES) / step.total_cycles


def static_share(step: SimulationResult | DenseStep) -> float:
    """Static power's part of the step's energy."""
    return step.energy_by_component.get("static", 0.0) / step.energy_joules if step.energy_joules else 0.0


def static_status(result: SimulationResult) -> str:
    """How well the static power is known, in the words of its parameter; empty if no parameter says."""
    known = (each.status for each in result.assumptions if each.parameter == "energy.static_watts")
    return next(known, "")


def dynamic_energy_ratio(result: SimulationResult) -> float | None:
    """The step's energy ratio without static energy in either step; None where the dense step has no other."""
    dense = result.dense.energy_joules * (1 - static_share(result.dense))
    return result.energy_joules * (1 - static_share(result)) / dense if dense > 0 else None
