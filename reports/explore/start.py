"""A study's findings beside the base design, which is simulated for them: it need not be a design of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...configs.errors import BisparseError
from ...sim.results.simulation_result import SimulationResult
from ...sim.studies.explore.base import base_setting, combined
from ...sim.studies.explore.figures import figures_of
from ...sim.studies.explore.point import Point
from .designs import simulated
from .findings import Base, Findings

if TYPE_CHECKING:
    from ...sim.studies.explore.space import Space
    from ...sim.studies.explore.study import Study


def find(
    study: Study, space: Space, *, version: str, reference: Study | None = None
) -> tuple[Findings, list[Point], list[SimulationResult]]:
    """What a study found, beside the base design: its point and its result under each scenario, if it has any."""
    points = [space.base_point(scenario) for scenario in space.scenarios()]
    first, reason, figures = points[0], "", None
    results: list[SimulationResult] = []
    try:
        results = simulated(points, version)
        figures = combined(
            [
                figures_of(result.against_dense) | space.supplied(point)
                for result, point in zip(results, points, strict=True)
                if result.against_dense is not None
            ]
        )
    except BisparseError as error:
        reason = str(error)
    settings = {axis.name: base_setting(axis.name, first) for axis in space.axes if not axis.scenario}
    base = Base(
        name=first.hardware.model.name,
        settings={name: value for name, value in settings.items() if value is not None},
        figures=figures,
        reason=reason,
    )
    return Findings(study=study, space=space, base=base, reference=reference), points, results
