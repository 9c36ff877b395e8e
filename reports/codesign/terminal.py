"""A co-design study for a terminal: the answer, the table, and a picture of accuracy against time in characters."""

from __future__ import annotations

from collections.abc import Iterator

from ...sim.studies.codesign.accuracy_front import pareto_front
from ...sim.studies.codesign.codesign import Codesign, CodesignPoint
from ..shared.plain_text import WIDTH, aligned, wrapped
from ..shared.provenance import parameters_of, status_words
from ..shared.quantities import duration, times
from .words import codesign_answer, difference_words, pairing_words, point_name

_ROWS = 12
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def codesign_text(study: Codesign, *, width: int = WIDTH) -> str:
    """What the study found, as plain text.

    Args:
        study: the result.
        width: columns to fill; the picture takes what there is.
    """
    rests = status_words(parameters_of(study.assumptions))
    notes = (
        f"{pairing_words(study)} *: on the Pareto front of accuracy and time. ?: unresolved. Time and energy are of "
        f"the whole training, energy over dense's. Rests on {rests} parameters."
    )
    lines = (
        *wrapped(codesign_answer(study), width),
        "",
        *_table(study),
        "",
        *_picture(study, width),
        "",
        *wrapped(notes, width),
    )
    return "\n".join(line.rstrip() for line in lines)


def _letters(study: Codesign) -> dict[int, str]:
    """A character for each point, by its place."""
    return {place: _LETTERS[place % len(_LETTERS)] for place in range(len(study.points))}


def _table(study: Codesign) -> Iterator[str]:
    letters, front = _letters(study), pareto_front(study.points)
    rows = [("", "accuracy", "vs dense, points", "time", "speedup", "energy")]
    for place, point in enumerate(study.points):
        mark = "*" if point in front else " "
        rows.append(
            (
                f"{letters[place]}{mark} {point_name(point, study)}",
                f"{100 * point.accuracy.mean:.2f}%",
                _against_dense(point),
                duration(point.training_seconds),
                times(point.speedup_vs_dense),
                times(point.energy_ratio_vs_dense),
            )
        )
    yield from aligned(rows)


def _against_dense(point: CodesignPoint) -> str:
    if point.baseline:
        return "- "
    return f"{difference_words(point.accuracy_difference)} {' ' if point.resolved else '?'}"


def _picture(study: Codesign, width: int) -> Iterator[str]:
    """Accuracy upwards, time to the right; points in one cell share it, the first in the table on top."""
    letters = _letters(study)
    heights = [point.accuracy.mean for point in study.points]
    costs = [point.training_seconds for point in study.points]
    scale = [f"{100 * each:.2f}%" for each in (max(heights), min(heights))]
    margin = max(map(len, scale))
    columns = max(width - margin - 3, 20)
    grid = [[" "] * columns for _ in range(_ROWS)]
    for place in reversed(range(len(study.points))):
        row = _place(heights[place], min(heights), max(heights), _ROWS)
        grid[_ROWS - 1 - row][_place(costs[place], min(costs), max(costs), columns)] = letters[place]
    yield "test accuracy against simulated training time"
    for number, cells in enumerate(grid):
        label = scale[0] if number == 0 else scale[1] if number == _ROWS - 1 else ""
        yield f"{label.rjust(margin)} |{''.join(cells)}"
    yield f"{' ' * margin} +{'-' * columns}"
    left, right = duration(min(costs)), duration(max(costs))
    yield f"{' ' * margin}  {left}{right.rjust(columns - len(left))}"


def _place(value: float, low: float, high: float, cells: int) -> int:
    return round((value - low) / (high - low) * (cells - 1)) if high > low else cells // 2
