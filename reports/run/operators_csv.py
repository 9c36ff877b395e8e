"""``operators.csv``: a row for each operator and stage of every run, nested figures in columns of their own."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

from ...configs.csv_cells import csv_cell
from ...sim.results.simulation_result import OperatorResult, SimulationResult
from ..shared.subject import recipe_name

NESTED = {
    "causes": ("cause_", "_cycles"),
    "buffer_bytes": ("buffer_", "_bytes"),
    "energy_by_component": ("energy_", "_joules"),
}
"""Fields that hold a mapping, and what stands before and after each key in its column's name."""


def operators_csv(results: Sequence[SimulationResult]) -> str:
    """The rows of all runs as CSV, the recipe first; counts and cycles are whole numbers, an absent figure is empty."""
    keys = {
        field: tuple(dict.fromkeys(key for result in results for row in result.rows for key in getattr(row, field)))
        for field in NESTED
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["recipe", *_columns(keys)])
    for result in results:
        recipe = recipe_name(result)
        writer.writerows([csv_cell(cell) for cell in (recipe, *_values(row, keys))] for row in result.rows)
    return text.getvalue()


def _columns(keys: dict[str, tuple[str, ...]]) -> list[str]:
    columns: list[str] = []
    for field in dataclasses.fields(OperatorResult):
        if field.name in NESTED:
            before, after = NESTED[field.name]
            columns.extend(f"{before}{key.replace(' ', '_')}{after}" for key in keys[field.name])
        else:
            columns.append(field.name)
    return columns


def _values(row: OperatorResult, keys: dict[str, tuple[str, ...]]) -> list[Any]:
    values: list[Any] = []
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        if field.name in NESTED:
            values.extend(value.get(key, 0) for key in keys[field.name])
        else:
            values.append(value)
    return values
