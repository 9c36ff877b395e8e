"""One point of a design space, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ....accel.energy_table import EnergyTable
from ....accel.specification import Hardware
from ....configs.operand_format import OperandFormat
from ....configs.schema import Loaded
from ....training.graph import TrainingGraph
from ....training.recipes.declaration import Recipe
from ...options import Options
from ...simulation import Simulator, Workload

Figures = dict[str, int | float]
"""Figures of one point by name, see ``figures.FIGURES``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Everything that a simulation of one point depends on.

    Attributes:
        hardware: the design, with the provenance of its values.
        workload: what is trained.
        recipe: how it is pruned.
        pattern: its format.
        options: how steps are scheduled, the batch among them.
        prices: of its actions; the design's own energy table when None.
    """

    hardware: Loaded[Hardware]
    workload: Workload
    recipe: Loaded[Recipe]
    pattern: OperandFormat
    options: Options
    prices: Loaded[EnergyTable] | None = None

    @classmethod
    def of(
        cls,
        simulator: Simulator,
        recipe: Loaded[Recipe],
        pattern: OperandFormat,
        hardware: Loaded[Hardware],
        prices: Loaded[EnergyTable] | None,
    ) -> Point:
        """What a simulator runs, on other hardware and at other prices."""
        return cls(
            hardware=hardware,
            workload=simulator.workload,
            recipe=recipe,
            pattern=pattern,
            options=replace(simulator.options, timeline=False),
            prices=prices,
        )

    @property
    def graph(self) -> TrainingGraph:
        """What is simulated of the workload as it is, without the recipe."""
        return self.workload.graph_of(self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a point.

    Attributes:
        figures: of the simulated step; None when the point cannot run it.
        reason: why not; empty when it can.
    """

    figures: Figures | None
    reason: str = ""
