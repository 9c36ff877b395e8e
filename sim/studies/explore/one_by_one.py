"""Designs simulated one by one, by the very code of ``simulate``: slow, and what faster ways are held against."""

from __future__ import annotations

from ....configs.errors import BisparseError
from ...simulation import Simulator
from .design import Design, Outcome
from .figures import figures_of


def simulate_design(design: Design, version: str) -> Outcome:
    """Simulate one design.

    Args:
        design: the point.
        version: of bisparse.

    Returns:
        Its figures, or the reason why the design cannot run the step.
    """
    try:
        simulator = Simulator(
            workload=design.workload, hardware=design.hardware, options=design.options, version=version
        )
        result = simulator.run(design.recipe, design.pattern)
    except BisparseError as error:
        return Outcome(figures=None, reason=str(error))
    except OverflowError:
        name = design.hardware.model.name
        return Outcome(figures=None, reason=f"{name}: got numbers beyond 64 bits on the way, need a smaller design")
    return Outcome(figures=figures_of(result, design.hardware.model))
