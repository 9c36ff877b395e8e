"""The picture of a study's front: every feasible design faint, the front strong, and the designs that stand out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...sim.studies.explore.front import pareto_mask
from ...sim.studies.explore.part_figures import about
from ..shared.plotly_data import SPARSE, Figure, plain
from ..shared.quantities import axis_scale
from .findings import SHORT_KEY, Findings
from .words import figure_name, figure_text, settings_text

MOST_POINTS = 4_000
"""Beaten designs drawn one by one; of more, one a cell of a grid is drawn. Vectors all, which print sharp."""

_CELLS = (120, 80)
_WIDE = 4.0


def front_figure(findings: Findings) -> Figure:
    """The trade-off: two objectives, or one beside another figure of a step, with each design's configuration told."""
    return _scatter(findings, findings.drawn_pairs[0], told=True, height=560)


def pair_figures(findings: Findings) -> dict[str, Figure]:
    """The other pairs of three or four objectives."""
    pairs = findings.drawn_pairs[1:]
    return {
        f"pair{number}": _scatter(findings, pair, told=False, height=330) for number, pair in enumerate(pairs, start=1)
    }


def drawn_rows(findings: Findings, pair: tuple[int, int] = (0, 1), most: int = MOST_POINTS) -> Any:
    """The beaten designs that are drawn: all, or of too many the first in each cell of a grid over the picture."""
    others = np.setdiff1d(findings.chosen.feasible, findings.chosen.front)
    if len(others) <= most:
        return others
    cells = np.zeros(len(others), dtype=np.int64)
    for objective, number in zip(pair, _CELLS, strict=True):
        values = findings.drawn_values[others, objective]
        values = np.log(values) if bool((values > 0).all()) else values
        width = float(values.max() - values.min()) or 1.0
        cells = cells * number + np.minimum((values - values.min()) / width * number, number - 1).astype(np.int64)
    _, first = np.unique(cells, return_index=True)
    return others[np.sort(first)]


def _scatter(findings: Findings, pair: tuple[int, int], *, told: bool, height: int) -> Figure:
    figures = [findings.drawn.figures[at] for at in pair]
    rows = findings.chosen.feasible
    scales = [_scale(findings, at) for at in pair]
    divisors = [scale[0] for scale in scales]
    others = drawn_rows(findings, pair, MOST_POINTS if told else MOST_POINTS // 2)
    front = findings.chosen.front
    faint = {"color": "@faint", "size": 5 if len(others) < 1000 else 4}
    strong = {"color": SPARSE, "size": 8, "line": {"width": 1, "color": "@paper"}}
    data = [
        _dots(findings, others, pair, divisors, name="beaten designs", marker=faint, told=told),
        _front_line(findings, pair, divisors),
        _dots(findings, front, pair, divisors, name="Pareto front", marker=strong, told=told),
        *_marked(findings, pair, divisors),
    ]
    return {
        "data": data,
        "layout": {
            "height": height,
            "margin": {"l": 10, "r": 14, "t": 10, "b": 10},
            "xaxis": _axis(findings, pair[0], scales[0], figures[0], rows),
            "yaxis": _axis(findings, pair[1], scales[1], figures[1], rows),
            "showlegend": told,
            "hovermode": "closest",
        },
    }


def _scale(findings: Findings, at: int) -> tuple[float, str]:
    divisor, prefix = axis_scale(findings.drawn_values[findings.chosen.feasible, at])
    return (divisor, prefix) if unit_of(findings.drawn.figures[at]) else (1.0, "")


def unit_of(figure: str) -> str:
    """The unit of a figure's axis, or empty."""
    return about(figure).unit


def _axis(findings: Findings, at: int, scale: tuple[float, str], figure: str, rows: Any) -> Figure:
    values = findings.drawn_values[rows, at]
    base = findings.base.figures if findings.base and findings.base.figures else {}
    values = np.append(values, base[figure]) if figure in base else values
    low, high = float(values.min()) / scale[0], float(values.max()) / scale[0]
    unit = unit_of(figure)
    # A prefix belongs to a unit's symbol, but not to a word or a "per something".
    symbol = len(unit.split()[0]) <= 2 and not unit.startswith("1/") if unit else False
    shown = f"{scale[1]}{unit}" if symbol else f"{scale[1]} {unit}".strip()
    axis: Figure = {
        "title": {"text": f"{plain(figure_name(figure))}{', ' if shown else ''}{shown}"},
        "automargin": True,
        "zeroline": False,
    }
    if low > 0 and high > _WIDE * low:
        room = 0.04 * float(np.log10(high / low))
        axis |= {"type": "log", "range": [float(np.log10(low)) - room, float(np.log10(high)) + room]}
        return axis | _log_ticks(low, high)
    room = 0.05 * ((high - low) or abs(high) or 1.0)
    return axis | {"range": [low - room, high + room]}


def _log_ticks(low: float, high: float) -> Figure:
    """Ticks at 1, 2 and 5, which plotly's own ones abbreviate beyond recognition; whole decades of a wide range."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if high < 300 * low else (1,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    ticks = [tick for tick in ticks if low / 1.2 <= tick <= high * 1.2]
    return {"tickvals": ticks, "ticktext": [f"{tick:,.10g}" for tick in ticks]}


def _dots(
    findings: Findings,
    rows: Any,
    pair: tuple[int, int],
    divisors: Sequence[float],
    *,
    name: str,
    marker: Figure,
    told: bool,
) -> Figure:
    trace: Figure = {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name} ({len(rows):,})",
        "x": _drawn(findings, rows, pair[0], divisors[0]),
        "y": _drawn(findings, rows, pair[1], divisors[1]),
        "marker": marker,
    }
    return trace | (_hover(findings, rows) if told else {"hoverinfo": "skip"})


def _drawn(findings: Findings, rows: Any, at: int, divisor: float) -> list[float]:
    return [float(f"{value:.5g}") for value in (findings.drawn_values[rows, at] / divisor).tolist()]


def _hover(findings: Findings, rows: Any) -> Figure:
    """What a point tells: the axes' names once for all points, their values by point."""
    keys = findings.columns["key"]
    told = [
        [plain(findings.level_texts[at][code]) for at, code in zip(findings.varied, codes, strict=True)]
        for codes in findings.codes[rows][:, list(findings.varied)].tolist()
    ]
    names = [plain(findings.labels[findings.axes[at].name]) for at in findings.varied]
    lines = [f"{name} <b>%{{customdata[{place}]}}</b>" for place, name in enumerate(names)]
    for at, name in enumerate(findings.drawn.figures):
        texts = [figure_text(name, value) for value in findings.drawn_values[rows, at].tolist()]
        for line, text in zip(told, texts, strict=True):
            line.append(text)
        lines.append(f"{plain(figure_name(name))} <b>%{{customdata[{len(names) + at}]}}</b>")
    for line, row in zip(told, rows.tolist(), strict=True):
        line.append(plain(str(keys[row])[:SHORT_KEY]))
    return {"customdata": told, "hovertemplate": "<br>".join(lines) + "<extra></extra>"}


def _front_line(findings: Findings, pair: tuple[int, int], divisors: Sequence[float]) -> Figure:
    """The steps of what can be reached in these two objectives; nothing lies between two points of a front."""
    maximise = [findings.drawn.maximise[at] for at in pair]
    values = findings.drawn_values[findings.chosen.front][:, list(pair)]
    if len(findings.goals.figures) > 1:
        values = values[pareto_mask(values, maximise)]
    values = values[np.argsort(values[:, 0], kind="stable")] / np.asarray(divisors)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "front line",
        "showlegend": False,
        "x": values[:, 0].tolist(),
        "y": values[:, 1].tolist(),
        "line": {"color": SPARSE, "width": 1.5, "shape": "vh" if maximise[0] else "hv"},
        "hoverinfo": "skip",
    }


def _marked(findings: Findings, pair: tuple[int, int], divisors: Sequence[float]) -> list[Figure]:
    """Rings around the designs that stand out, and the base design, which may be none of the study."""
    chosen, marks = findings.chosen, []
    ring = {"size": 17, "line": {"width": 2.5}}
    if len(chosen.best):
        best = findings.drawn_values[chosen.best[0], list(pair)]
        marker = {**ring, "symbol": "circle-open", "color": "@loss"}
        marks.append(_mark(f"best {plain(figure_name(findings.goals.ranking[0]))}", best, divisors, marker))
    if chosen.knee is not None:
        place = findings.drawn_values[chosen.knee, list(pair)]
        marks.append(_mark("knee", place, divisors, {**ring, "symbol": "diamond-open", "color": "@gain", "size": 20}))
    base = findings.base
    if base is not None and base.figures is not None:
        names = findings.drawn.figures
        place = [base.figures[names[at]] for at in pair]
        marker = {"symbol": "x", "size": 12, "color": "@ink", "line": {"width": 1.5, "color": "@paper"}}
        mark = _mark(f"base: {plain(base.name)}", place, divisors, marker)
        lines = [f"<b>{plain(base.name)}</b>", plain(settings_text(base.settings, findings.labels))]
        lines += [f"{figure_name(name)} {figure_text(name, base.figures[name])}" for name in names]
        lines[1] = lines[1].replace(", ", "<br>")
        marks.append(
            mark | {"hoverinfo": "text", "hovertemplate": "<br>".join(filter(None, lines)) + "<extra></extra>"}
        )
    return marks


def _mark(name: str, place: Any, divisors: Sequence[float], marker: Figure) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [float(place[0]) / divisors[0]],
        "y": [float(place[1]) / divisors[1]],
        "marker": marker,
        "hoverinfo": "skip",
    }
