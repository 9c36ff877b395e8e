"""The pictures of an ablation: what each setting spends its time on, and what each switch buys."""

from __future__ import annotations

from ...sim.studies.ablation.ablation import Ablation
from ..shared.plotly_data import DENSE, GAIN, LOSS, SPARSE, Figure, stacked_bars, wrapped
from ..shared.quantities import seconds, times
from .words import PARTS, fine, gains, parts, row_name

_COLOURS = dict(zip(PARTS, (SPARSE, "@assumed", LOSS, "@bound", "@given", DENSE, GAIN), strict=True))


def time_figure(ablation: Ablation) -> Figure:
    """A bar a setting, made of what the tensor engine did or waited for, with the speedup at its end."""
    rows = [(row, row.figures) for row in ablation.rows if row.figures is not None]
    lengths = {
        part: {row_name(row): parts(row)[part] / ablation.clock_hz for row, _ in rows}
        for part in PARTS
        if any(parts(row)[part] for row, _ in rows)
    }
    ends = {
        row_name(row): seconds(own.step_seconds) + (f" ({times(row.speedup)})" if row.speedup else "")
        for row, own in rows
    }
    drawn = stacked_bars(
        lengths, quantity="time of a step", unit="s", colours=[_COLOURS[part] for part in lengths], ends=ends
    )
    drawn["layout"]["height"] = 130 + 34 * len(rows)
    # Room for a legend of several lines on a telephone.
    drawn["layout"]["margin"]["t"] = 60
    drawn["layout"]["xaxis"]["range"][1] *= 1.08
    return drawn


def gains_figure(ablation: Ablation) -> Figure:
    """Two bars a switch: its gain when the others are off, and when they are on; 1 is nothing."""
    shown = [gain for gain in gains(ablation) if not gain.reason]
    ticks = [wrapped(gain.name) for gain in shown]
    series = {
        "the others off": ("@pale", [gain.alone for gain in shown]),
        "the others on": (SPARSE, [gain.last for gain in shown]),
    }
    largest = max((value or 1.0 for _, values in series.values() for value in values), default=1.0)
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "y": ticks,
                "x": values,
                "text": [fine(value) for value in values],
                "textposition": "outside",
                "cliponaxis": False,
                "marker": {"color": colour},
                "hovertemplate": f"%{{y}}, {name}: %{{text}}<extra></extra>",
            }
            for name, (colour, values) in series.items()
        ],
        "layout": {
            "height": 110 + 56 * len(shown),
            "margin": {"l": 10, "r": 10, "t": 34, "b": 10},
            "bargap": 0.25,
            "bargroupgap": 0.06,
            "xaxis": {
                "title": {"text": "gain of the switch, x (1 is nothing)"},
                "range": [0, largest * 1.22],
                "automargin": True,
                "fixedrange": True,
            },
            "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True, "ticks": ""},
            "showlegend": True,
            "shapes": [
                {
                    "type": "line",
                    "x0": 1,
                    "x1": 1,
                    "y0": 0,
                    "y1": 1,
                    "yref": "paper",
                    "line": {"color": "@ink", "width": 1},
                }
            ],
        },
    }
