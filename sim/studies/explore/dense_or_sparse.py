"""Does sparsity change the hardware that one should build? The design best for the dense step beside the sparse one's.

Only hardware is chosen here: designs are grouped by everything else (recipe, N:M, batch, workload, options), and in
each group the same hardware is judged twice, by the dense step's figure and by the sparse step's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ....configs.arrays import IntArray
from .choices import ENERGY_DELAY, Goals
from .figures import FIGURES
from .front import pareto_mask
from .part_figures import about

TRAINING_AXES = ("recipe", "sparsity", "batch", "workload")
"""Axes that are no hardware, besides the ``options``."""

_ALIKE = 1e-9
"""Figures this close, relatively, are the same."""


def is_hardware(axis: str) -> bool:
    """Whether an axis is of the hardware: a field of it, or a free variable that fields are derived from."""
    return axis not in TRAINING_AXES and not axis.startswith("options.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Designs that differ in their hardware only.

    Attributes:
        settings: what they have in common, by axis; empty when only hardware varies.
        rows: of the table.
    """

    settings: dict[str, Any]
    rows: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The hardware best for the dense step and that best for the sparse one, by one figure.

    Attributes:
        figure: name of the sparse step's; the dense step's is ``dense.`` and that.
        maximise: whether more is better.
        dense: row of the hardware best for the dense step; of several alike, the one best for the sparse step.
        sparse: row of the hardware best for the sparse step; of several alike, the one best for the dense step.
        dense_alike: rows of all that are as good for the dense step.
        sparse_alike: rows of all that are as good for the sparse step.
        sparse_loss: what the sparse step loses on the hardware best for the dense one, 0.1 for a tenth.
        dense_loss: what the dense step loses on the hardware best for the sparse one.
    """

    figure: str
    maximise: bool
    dense: int
    sparse: int
    dense_alike: IntArray
    sparse_alike: IntArray
    sparse_loss: float
    dense_loss: float


def groups(table: pd.DataFrame, axes: Sequence[str], feasible: IntArray) -> list[Group]:
    """The feasible designs by all that is not hardware, in the table's order.

    Args:
        table: of the study.
        axes: names of its axes.
        feasible: rows.
    """
    fixed = [axis for axis in axes if not is_hardware(axis)]
    if not fixed or not len(feasible):
        return [Group(settings={}, rows=feasible)] if len(feasible) else []
    place = table.iloc[feasible].groupby(fixed, sort=False, dropna=False).ngroup().to_numpy()
    found = []
    for number in range(int(place.max()) + 1):
        rows = feasible[place == number]
        first = table.iloc[int(rows[0])]
        found.append(Group(settings={axis: first[axis] for axis in fixed}, rows=rows))
    return found


def has_dense(figure: str) -> bool:
    """Whether the dense step has such a figure."""
    return f"dense.{figure}" in FIGURES


def compared_figures(goals: Goals) -> Iterator[tuple[str, bool]]:
    """What the two kinds of hardware are compared by: energy times time, then objectives that the dense step has."""
    yield ENERGY_DELAY, False
    for figure, more in zip(goals.figures, goals.maximise, strict=True):
        if figure != ENERGY_DELAY and has_dense(figure):
            yield figure, more


def pair(table: pd.DataFrame, rows: IntArray, figure: str, maximise: bool) -> Pair:
    """The hardware best for the dense step beside the one best for the sparse step.

    Args:
        table: of the study.
        rows: designs that differ in their hardware only.
        figure: of the sparse step, see ``compared_figures``.
        maximise: whether more is better.
    """
    sign = -1.0 if maximise else 1.0
    sparse, dense = (sign * table[name].to_numpy(dtype=float)[rows] for name in (figure, f"dense.{figure}"))
    dense_alike, sparse_alike = (
        np.flatnonzero(each <= each.min() + _ALIKE * abs(each.min())) for each in (dense, sparse)
    )
    best_dense = dense_alike[np.argmin(sparse[dense_alike])]
    best_sparse = sparse_alike[np.argmin(dense[sparse_alike])]
    return Pair(
        figure=figure,
        maximise=maximise,
        dense=int(rows[best_dense]),
        sparse=int(rows[best_sparse]),
        dense_alike=rows[dense_alike],
        sparse_alike=rows[sparse_alike],
        sparse_loss=_loss(sparse[best_dense], sparse[best_sparse]),
        dense_loss=_loss(dense[best_sparse], dense[best_dense]),
    )


def _loss(got: float, best: float) -> float:
    return float((got - best) / abs(best)) if best else 0.0


def dense_figure(figure: str) -> str | None:
    """The dense step's figure of the same kind; of the hardware the figure itself; None when there is none.

    >>> dense_figure("step_seconds"), dense_figure("pe_count"), dense_figure("accuracy")
    ('dense.step_seconds', 'pe_count', None)
    """
    if has_dense(figure):
        return f"dense.{figure}"
    return figure if about(figure).combine == "same" else None


def fronts_shared(table: pd.DataFrame, rows: IntArray, goals: Goals) -> tuple[int, int, int] | None:
    """How many designs are on the front of the sparse step, of the dense one, and on both.

    None when the dense step lacks an objective.
    """
    names = [dense_figure(figure) for figure in goals.figures]
    figures = tuple(name for name in names if name is not None)
    if len(figures) < len(names) or figures == goals.figures:
        return None
    part = table.iloc[rows]
    dense = Goals(figures=figures, maximise=goals.maximise)
    own, other = (pareto_mask(each.values(part), goals.maximise) for each in (goals, dense))
    return int(own.sum()), int(other.sum()), int((own & other).sum())
