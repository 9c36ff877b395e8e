"""Points simulated one by one, by the very code of ``simulate``: slow, and what faster ways are held against."""

from __future__ import annotations

from ....configs.errors import BisparseError
from ...simulation import Simulator
from .figures import figures_of
from .point import Outcome, Point


def simulate_point(point: Point, version: str) -> Outcome:
    """Simulate one point.

    Args:
        point: of a space.
        version: of bisparse.

    Returns:
        Its figures, or the reason why the point cannot run the step.
    """
    try:
        simulator = Simulator(
            workload=point.workload,
            hardware=point.hardware,
            options=point.options,
            version=version,
            prices=point.prices,
        )
        both = simulator.against_dense(point.recipe, point.pattern)
    except BisparseError as error:
        return Outcome(figures=None, reason=str(error))
    except OverflowError:
        name = point.hardware.model.name
        return Outcome(figures=None, reason=f"{name}: got numbers beyond 64 bits on the way, need a smaller design")
    return Outcome(figures=figures_of(both))
