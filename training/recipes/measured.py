"""What shipped recipes were measured to cost in accuracy: ``configs/methods/accuracy.csv``, of the docs' studies."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache

from ...configs.library import find


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredAccuracy:
    """The difference of a recipe's accuracy to dense training, paired seed by seed.

    Attributes:
        recipe: name.
        data: that was trained on.
        model: that was trained.
        sparsity: ratio.
        steps: of a run.
        seeds: pairs.
        difference_points: mean over seeds, in percentage points; below 0 where it loses.
        half_width_points: of the 95% interval.
        verdict: ``lower``, ``higher`` or ``unresolved``, where the interval holds 0.
    """

    recipe: str
    data: str
    model: str
    sparsity: str
    steps: int
    seeds: int
    difference_points: float
    half_width_points: float
    verdict: str


COLUMNS = tuple(field.name for field in fields(MeasuredAccuracy))


@cache
def measured_accuracies() -> tuple[MeasuredAccuracy, ...]:
    """All of them, recipe by recipe.

    >>> [(each.sparsity, each.difference_points) for each in measured_accuracies() if each.recipe == "bdwp"][:2]
    [('2:4', -0.16), ('2:8', -0.35)]
    """
    with find("methods", "accuracy").open(encoding="utf-8", newline="") as rows:
        return tuple(
            MeasuredAccuracy(
                recipe=row["recipe"],
                data=row["data"],
                model=row["model"],
                sparsity=row["sparsity"],
                steps=int(row["steps"]),
                seeds=int(row["seeds"]),
                difference_points=float(row["difference_points"]),
                half_width_points=float(row["half_width_points"]),
                verdict=row["verdict"],
            )
            for row in csv.DictReader(rows)
        )
