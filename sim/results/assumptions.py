"""What a step rests on: its method, every parameter of the design and of its prices, and what those leave out."""

from __future__ import annotations

from collections.abc import Iterable

from ...accel.energy_table import EnergyTable
from ...accel.specification import Hardware
from ...configs.schema import Loaded
from ...training.recipes.declaration import Recipe
from .simulation_result import Assumption
from .training_parameters import serves_training


def assumptions_of(
    recipe: Recipe, hardware: Loaded[Hardware], table: Loaded[EnergyTable], notes: Iterable[str], *, inference: bool
) -> tuple[Assumption, ...]:
    """Every assumption of a step, with its status and source.

    Args:
        recipe: the method.
        hardware: the design.
        table: prices of its actions.
        notes: what the prices leave out.
        inference: whether nothing trains: what serves training alone is not told then.
    """

    def of(prefix: str, loaded: Loaded[Hardware] | Loaded[EnergyTable]) -> Iterable[Assumption]:
        for path, known in loaded.provenance.items():
            if inference and serves_training(path):
                continue
            yield Assumption(parameter=f"{prefix}.{path}", value=known.value, status=known.status, source=known.source)

    method = Assumption(parameter="recipe", value=recipe.name, status=recipe.definition, source=recipe.source)
    told = (Assumption(parameter="energy.note", value=note, status="derived", source="energy table") for note in notes)
    return (method, *of("hardware", hardware), *of("energy", table), *told)
