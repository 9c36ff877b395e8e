"""The base design of a sweep: its hardware as the file has it, with nothing derived and no axis moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ....accel.design_fields import as_value, value_at
from .axis_values import Value
from .fields import HARDWARE, OPTIONS
from .part_figures import about
from .point import Figures, Point


def combined(figures: Sequence[Figures]) -> Figures:
    """Figures of a design from those of its scenarios, as ``FIGURES`` says of each.

    >>> combined([{"step_seconds": 1.0, "memory.peak_bytes": 3}, {"step_seconds": 4.0, "memory.peak_bytes": 5}])
    {'step_seconds': 2.0, 'memory.peak_bytes': 5}
    """
    return {name: _combined(name, [each[name] for each in figures]) for name in figures[0]}


def _combined(name: str, values: Sequence[int | float]) -> int | float:
    how = about(name).combine
    if len(values) == 1 or how == "same":
        return values[0]
    if how == "geometric":
        return math.exp(math.fsum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0
    if how == "mean":
        return math.fsum(values) / len(values)
    return max(values) if how == "max" else min(values)


def base_setting(axis: str, point: Point) -> Value | None:
    """What a point has of an axis; None of a free variable, which is no field of it."""
    if axis.startswith(HARDWARE):
        found = value_at(point.hardware.model, axis.split(".")[1:])
        # Of a section that may be named as a file, its name.
        return as_value(getattr(found, "name", found))
    if axis.startswith(OPTIONS):
        return as_value(getattr(point.options, axis.removeprefix(OPTIONS), None))
    graph = point.workload.graph
    known: dict[str, Value] = {
        "hardware": point.hardware.model.name,
        "workload": graph.name,
        "recipe": point.recipe.model.name,
        "sparsity": str(point.pattern),
        "batch": point.options.batch or graph.default_batch,
    }
    return known.get(axis)
