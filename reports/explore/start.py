"""A study's findings beside the base design, which is simulated for them: it need not be a design of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...configs.errors import BisparseError
from ...sim.results.simulation_result import SimulationResult
from ...sim.studies.explore.base import base_setting, combined
from ...sim.studies.explore.design import Design
from ...sim.studies.explore.figures import figures_of
from .designs import simulated
from .findings import Base, Findings

if TYPE_CHECKING:
    from ...sim.studies.explore.space import Space
    from ...sim.studies.explore.study import Study


def find(
    study: Study, space: Space, *, version: str, reference: Study | None = None
) -> tuple[Findings, list[Design], list[SimulationResult]]:
    """What a study found, beside the base design: its design and its result under each scenario, if it has any."""
    designs = [space.base_design(scenario) for scenario in space.scenarios()]
    first, reason, figures = designs[0], "", None
    results: list[SimulationResult] = []
    try:
        results = simulated(designs, version)
        figures = combined(
            [
                figures_of(result, design.hardware.model) | space.supplied(design)
                for result, design in zip(results, designs, strict=True)
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
    return Findings(study=study, space=space, base=base, reference=reference), designs, results
