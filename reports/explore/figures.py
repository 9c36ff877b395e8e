"""The pictures of a study besides its front: parallel coordinates, main effects, and what each axis explains."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..shared.plotly_data import Figure, plain, wrapped
from ..shared.quantities import percent
from .findings import Findings
from .words import figure_name, figure_text

SERIES = ("@series1", "@series2", "@series3", "@series4")
"""A colour for each objective; ``@band1`` and so on are the same, pale."""

MOST_LINES = 1500
"""Designs beaten by others that parallel coordinates draw, evenly among all: more would be one grey."""

_MOST_TICKS, _TICK_LETTERS = 12, 34

_LETTER = 7
"""Pixels of a letter of an axis's name."""


def parallel_figure(findings: Findings) -> Figure:
    """A line a design over axes and objectives; those of the front strong. ``parallel.js`` draws it."""
    front, rows = findings.chosen.front, parallel_rows(findings)
    dimensions = [_axis_dimension(findings, at, rows) for at in findings.important[::-1]]
    dimensions += [_objective_dimension(findings, at, rows) for at in range(len(findings.goals.figures))]
    return {"parallel": {"strong": int(np.isin(rows, front).sum()), "dimensions": dimensions}}


def parallel_rows(findings: Findings) -> Any:
    """The designs drawn: the front last, so that it lies on top."""
    others = np.setdiff1d(findings.chosen.feasible, findings.chosen.front)
    if len(others) > MOST_LINES:
        others = others[np.linspace(0, len(others) - 1, MOST_LINES).round().astype(int)]
    return np.concatenate((others, findings.chosen.front))


def parallel_width(findings: Findings) -> int:
    """Pixels that the picture needs, so that no name covers the next."""
    names = [findings.labels[findings.axes[at].name] for at in findings.important[::-1]]
    names += [figure_name(name) for name in findings.goals.figures]
    widths = [_LETTER * len(name) for name in names]
    # A study of one objective, none of whose axes varies among its feasible designs, has a single line.
    gap = max(((one + other) // 2 + _LETTER for one, other in itertools.pairwise(widths)), default=0)
    return widths[0] + widths[-1] + (len(names) - 1) * max(80, gap)


def _axis_dimension(findings: Findings, at: int, rows: Any) -> Figure:
    codes = findings.codes[rows, at]
    used = np.unique(codes)
    shown = used if len(used) <= _MOST_TICKS else used[np.linspace(0, len(used) - 1, _MOST_TICKS).round().astype(int)]
    return {
        "label": findings.labels[findings.axes[at].name],
        "values": codes.tolist(),
        "range": [float(used[0]) - 0.15, float(used[-1]) + 0.15],
        "tickvals": shown.tolist(),
        "ticktext": [findings.level_texts[at][code] for code in shown.tolist()],
    }


def _objective_dimension(findings: Findings, at: int, rows: Any) -> Figure:
    name, values = findings.goals.figures[at], findings.values[rows, at]
    logarithmic = bool((values > 0).all()) and float(values.max()) > 4 * float(values.min())
    drawn = np.log10(values) if logarithmic else values
    low, high = float(drawn.min()), float(drawn.max())
    few = np.unique(drawn)
    places = few if len(few) <= 8 else np.linspace(low, high, 6)
    ticks = [figure_text(name, float(10**place if logarithmic else place)) for place in places]
    room = 0.03 * (high - low) or 1.0
    return {
        "label": figure_name(name),
        "values": np.round(drawn, 5).tolist(),
        "range": [low - room, high + room],
        "tickvals": places.tolist(),
        "ticktext": ticks,
    }


def effects_figures(findings: Findings) -> dict[str, Figure]:
    """For each axis that varies, the most important first: the objectives by its value, on one scale for all."""
    names = findings.goals.figures
    levels = {at: [findings.levels(at, objective) for objective in range(len(names))] for at in findings.important}
    ratios = [
        bound for of_axis in levels.values() for series in of_axis for each in series for bound in (each.low, each.high)
    ]
    logarithmic = min(ratios, default=1.0) > 0
    return {
        f"effects{number}": _effects(findings, at, series, ratios, logarithmic)
        for number, (at, series) in enumerate(levels.items())
    }


def _effects(
    findings: Findings, at: int, series: Sequence[Sequence[Any]], ratios: Sequence[float], logarithmic: bool
) -> Figure:
    texts = ["–" if each.value is None else findings.level_texts[at][_place(findings, at, each)] for each in series[0]]
    places = list(range(len(texts)))
    data: list[Figure] = []
    for number, (name, levels) in enumerate(zip(findings.goals.figures, series, strict=True)):
        colour, band = SERIES[number], f"@band{number + 1}"
        edge = {"type": "scatter", "mode": "lines", "x": places, "hoverinfo": "skip", "line": {"width": 0}}
        data.append({**edge, "y": [each.low for each in levels]})
        data.append({**edge, "y": [each.high for each in levels], "fill": "tonexty", "fillcolor": band})
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": plain(figure_name(name)),
                "x": places,
                "y": [each.median for each in levels],
                "line": {"color": colour, "width": 2},
                "marker": {"color": colour, "size": 6},
                "customdata": [
                    [plain(text), f"{each.low:.2f}x to {each.high:.2f}x", f"{each.count:,}"]
                    for text, each in zip(texts, levels, strict=True)
                ],
                "hovertemplate": f"<b>%{{customdata[0]}}</b><br>{plain(figure_name(name))} %{{y:.2f}}x the median"
                "<br>half of the %{customdata[2]} designs: %{customdata[1]}<extra></extra>",
            }
        )
    return {"data": data, "layout": _effects_layout(findings, at, texts, ratios, logarithmic)}


def _place(findings: Findings, at: int, level: Any) -> int:
    return tuple(findings.axes[at].values).index(level.value)


def _effects_layout(
    findings: Findings, at: int, texts: Sequence[str], ratios: Sequence[float], logarithmic: bool
) -> Figure:
    low, high = min(ratios), max(ratios)
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low * 0.8 <= tick <= high * 1.25]
    if high < 2.2 * low:
        ticks = [tick for tick in (0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6) if low * 0.95 <= tick <= high * 1.05]
    upwards: Figure = {"type": "linear", "range": [low - 0.05 * (high - low), high + 0.05 * (high - low)]}
    if logarithmic:
        room = 0.05 * float(np.log10(high / low)) + 0.01
        upwards = {
            "type": "log",
            "range": [float(np.log10(low)) - room, float(np.log10(high)) + room],
            "tickvals": ticks,
            "ticktext": [f"{tick:g}x" for tick in ticks],
        }
    # As many as stand beside each other in a narrow picture; both ends among them.
    fit = max(2, min(len(texts), _TICK_LETTERS // (2 + max(map(len, texts)))))
    shown = np.unique(np.linspace(0, len(texts) - 1, fit).round().astype(int)).tolist()
    return {
        "height": 215,
        "margin": {"l": 8, "r": 24, "t": 8, "b": 8},
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": {
            "title": {"text": plain(findings.labels[findings.axes[at].name])},
            "tickvals": shown,
            "ticktext": [plain(texts[place]) for place in shown],
            "range": [-0.35, len(texts) - 0.65],
            "tickangle": 0,
            "automargin": True,
            "zeroline": False,
            "showgrid": False,
        },
        "yaxis": {**upwards, "automargin": True, "zeroline": False},
        "shapes": [
            {
                "type": "line",
                "layer": "below",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 1,
                "y1": 1,
                "line": {"color": "@quiet", "width": 1, "dash": "dot"},
            }
        ],
    }


def sensitivity_figures(findings: Findings) -> dict[str, Figure]:
    """For each objective, what each axis explains: alone, and in total where that is known."""
    return {
        f"sensitivity{number}": _sensitivity(findings, number, shares) for number, shares in enumerate(findings.shares)
    }


def _sensitivity(findings: Findings, number: int, shares: Sequence[Any]) -> Figure:
    ticks = [wrapped(findings.labels[share.axis], 22) for share in shares]
    series = [("alone", SERIES[number], [share.first for share in shares])]
    if all(share.total is not None for share in shares):
        series.insert(0, ("with interactions", f"@band{number + 1}", [share.total or 0.0 for share in shares]))
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": ticks,
            "x": values,
            "text": [percent(value) for value in values],
            "textposition": "outside",
            "cliponaxis": False,
            "marker": {"color": colour},
            "hovertemplate": f"%{{y}}, {name}: %{{text}}<extra></extra>",
        }
        for name, colour, values in series
    ]
    largest = max((value for _, _, values in series for value in values), default=1.0)
    return {
        "data": data,
        "layout": {
            "height": 110 + len(ticks) * (18 + 20 * len(series)),
            "margin": {"l": 10, "r": 10, "t": 40, "b": 10},
            "bargap": 0.25,
            "bargroupgap": 0.06,
            "xaxis": {
                "title": {"text": f"share of the variance of {plain(figure_name(findings.goals.figures[number]))}"},
                "range": [0, (largest or 1) * 1.22],
                # Not past the whole.
                "tickvals": _share_ticks(largest),
                "tickformat": ".0%",
                "automargin": True,
                "fixedrange": True,
            },
            "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True, "ticks": ""},
            "showlegend": True,
            "legend": {"traceorder": "reversed"},
        },
    }


def _share_ticks(largest: float) -> list[float]:
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if step == 0.2 or largest <= 6 * step)
    return [round(place * step, 2) for place in range(round(1 / step) + 1)]
