"""A study for a terminal: the answer, the best designs, which axis matters, and the front in characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...sim.studies.explore.front import scaled
from ..shared.plain_text import WIDTH, aligned, wrapped
from ..shared.quantities import percent
from ..shared.table import Table
from . import answer as answers
from . import tables as tables
from .findings import Findings
from .start import find
from .words import figure_name, figure_text

if TYPE_CHECKING:
    from ...sim.studies.explore.space import Space
    from ...sim.studies.explore.study import Study

_ROWS = 14
_BEST = 5
_MOST_REASONS = 3


def exploration_text(
    study: Study, space: Space, *, version: str, reference: Study | None = None, width: int = WIDTH
) -> str:
    """What a study found, as plain text; arguments as for ``write_exploration``."""
    return findings_text(find(study, space, version=version, reference=reference)[0], width=width)


def findings_text(findings: Findings, *, width: int = WIDTH) -> str:
    """What a study found, as plain text.

    Args:
        findings: of the study.
        width: columns to fill; the picture takes what there is.
    """
    lines = wrapped(f"{answers.opening(findings)} {answers.base_sentence(findings)}".strip(), width)
    if len(findings.chosen.feasible):
        lines += [
            "",
            *_picture(findings, width),
            "",
            *_best(findings, width),
            "",
            *wrapped(answers.axes_sentence(findings), width),
        ]
    search = findings.search
    if search is not None:
        said = (
            f"The search found {percent(search.found)} of the whole front and {percent(search.hypervolume)} of its "
            f"hypervolume with {search.evaluated:,} of {search.size:,} designs."
        )
        lines += ["", *wrapped(said, width)]
    for reason in findings.reasons[:_MOST_REASONS]:
        lines += ["", *wrapped(f"{reason.count:,} infeasible: {reason.pattern}", width)]
    return "\n".join(line.rstrip() for line in lines)


def _best(findings: Findings, width: int) -> Iterator[str]:
    """The best designs, as many columns as there is room for: objectives first, then axes by their weight."""
    figure = figure_name(findings.goals.ranking[0])
    table = tables.best_table(findings)
    yield f"The best by {figure}:"
    order = _columns(findings, table)
    rows = [[table.headings[at] for at in order], *([row[at].text for at in order] for row in table.rows[:_BEST])]
    while len(rows[0]) > 2 and max(map(len, aligned(rows))) > width:
        rows = [row[:-1] for row in rows]
    yield from aligned(rows)


def _columns(findings: Findings, table: Table) -> list[int]:
    """The columns of the table of the best designs, what a reader wants first in front."""
    axes = len(findings.varied)
    figures = list(range(1 + axes, len(table.headings)))
    by_weight = [1 + findings.varied.index(at) for at in findings.important]
    return [0, *figures, *by_weight]


def _picture(findings: Findings, width: int) -> Iterator[str]:
    """The second drawn figure upwards, the first to the right, by logarithm: beaten designs ``.``, the front ``o``."""
    names = findings.drawn.figures[:2]
    values, chosen = findings.drawn_values[:, :2], findings.chosen
    base = findings.base.figures if findings.base else None
    marks = [(chosen.feasible, "."), (chosen.front, "o"), (chosen.best[:1], "*")]
    if chosen.knee is not None:
        marks.insert(2, (np.array([chosen.knee]), "k"))
    spread = values[chosen.feasible]
    point = None if base is None else np.array([[base[name] for name in names]])
    spread = spread if point is None else np.vstack((spread, point))
    minimise = (False, False)
    margin = max(len(figure_text(names[1], float(each))) for each in (spread[:, 1].min(), spread[:, 1].max()))
    columns = max(width - margin - 3, 20)
    grid = [[" "] * columns for _ in range(_ROWS)]

    def put(rows: Any, mark: str) -> None:
        for x, y in np.unique((rows * (columns - 1, _ROWS - 1)).round().astype(int), axis=0).tolist():
            grid[_ROWS - 1 - y][x] = mark

    for rows, mark in marks:
        put(scaled(values[rows], minimise, spread), mark)
    if point is not None:
        put(scaled(point, minimise, spread), "B")
    high, low = (figure_text(names[1], float(each)) for each in (spread[:, 1].max(), spread[:, 1].min()))
    said = f"{figure_name(names[1])} against {figure_name(names[0])}; o front, * best, k knee"
    yield from wrapped(
        said + (f", B base ({findings.base.name})" if point is not None and findings.base else ""), width
    )
    for number, cells in enumerate(grid):
        label = high if number == 0 else low if number == _ROWS - 1 else ""
        yield f"{label.rjust(margin)} |{''.join(cells)}"
    yield f"{' ' * margin} +{'-' * columns}"
    left, right = (figure_text(names[0], float(each)) for each in (spread[:, 0].min(), spread[:, 0].max()))
    yield f"{' ' * margin}  {left}{right.rjust(columns - len(left))}"
