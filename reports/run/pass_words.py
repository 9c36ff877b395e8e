"""What of a network a run is of, in words: a training step, a forward pass, or what else was asked for."""

from __future__ import annotations

from ...sim.results.simulation_result import SimulationResult


def step_name(result: SimulationResult) -> str:
    """What its step is called."""
    if result.passes is not None:
        return result.passes.step
    return "forward pass" if result.inference else "training step"


def done_to(result: SimulationResult) -> str:
    """What is done to the network."""
    if result.passes is not None:
        return result.passes.does
    return "runs inference of" if result.inference else "trains"


def details(result: SimulationResult) -> str:
    """What is particular about it, in brackets behind its subject; nothing of a plain step."""
    return f" ({result.passes.details})" if result.passes is not None else ""


def step_words(result: SimulationResult) -> str:
    """All that tells it from other steps."""
    return f"{step_name(result)}{details(result)}"
