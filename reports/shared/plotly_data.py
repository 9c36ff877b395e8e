"""Plotly figures as plain data. The page draws them and gives them its colours.

A colour is written ``@name`` and stands for the page's CSS variable ``--name``, so that light, dark and print share one
figure.
Figures are built by hand because importing plotly's own builders costs more than the simulation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...configs.sums import sum_in_order
from .quantities import axis_scale, count, scaled

Figure = dict[str, Any]


SMALL = 0.01
"""Bars shorter than this share of the longest may be pooled."""


DENSE, SPARSE, LOSS, GAIN = "@dense", "@sparse", "@loss", "@gain"


def paired_bars(
    dense: Mapping[str, float], sparse: Mapping[str, float] | None, *, quantity: str, unit: str, names: tuple[str, str]
) -> Figure:
    """Horizontal bars, dense above sparse, a pair for each key of ``dense``.

    Args:
        dense: figures of the dense step.
        sparse: figures of this step under the same keys; None when this step is the dense one.
        quantity: what the axis measures.
        unit: of the figures.
        names: of the two series.
    """
    both = [*dense.values(), *(sparse or {}).values()]
    divisor, prefix = axis_scale(both)
    series = [(names[0], DENSE, dense)] + ([(names[1], SPARSE, sparse)] if sparse is not None else [])
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": plain(name),
            "y": [wrapped(key) for key in dense],
            "x": [values.get(key, 0) / divisor for key in dense],
            "text": [_label(values.get(key, 0), unit) for key in dense],
            "textposition": "outside",
            "cliponaxis": False,
            "marker": {"color": colour},
            "hovertemplate": f"%{{y}}, {plain(name)}: %{{text}}{_spoken(unit)}<extra></extra>",
        }
        for name, colour, values in series
    ]
    layout = bar_layout(axis_title(quantity, prefix, unit), max(both, default=0) / divisor, len(dense), len(series))
    return {"data": traces, "layout": layout}


def pooled(dense: Mapping[str, float], sparse: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Both series with the keys too small to see gathered into one, if they are several; the tables keep them apart.

    >>> pooled({"a": 1000, "b": 1, "c": 2}, {"a": 500, "b": 0, "c": 2})
    ({'a': 1000, 'the other 2': 3}, {'a': 500, 'the other 2': 2})
    """
    floor = SMALL * max((*dense.values(), *sparse.values()), default=0)
    small = [key for key in dense if dense[key] < floor and sparse[key] < floor]
    if len(small) < 2:
        return dict(dense), dict(sparse)
    rest = f"the other {len(small)}"
    first, second = (
        {
            **{key: value for key, value in series.items() if key not in small},
            rest: sum_in_order(series[key] for key in small),
        }
        for series in (dense, sparse)
    )
    return first, second


def stacked_bars(
    parts: Mapping[str, Mapping[str, float]],
    *,
    quantity: str,
    unit: str,
    colours: Sequence[str],
    ends: Mapping[str, str] | None = None,
) -> Figure:
    """Horizontal bars made of parts: ``parts[part][key]``; at its end each says ``ends[key]``, or its whole length."""
    keys = list(dict.fromkeys(key for values in parts.values() for key in values))
    sums = {key: sum_in_order(values.get(key, 0) for values in parts.values()) for key in keys}
    divisor, prefix = axis_scale(sums.values())
    traces: list[Figure] = []
    for (part, values), colour in zip(parts.items(), colours, strict=True):
        last = len(traces) == len(parts) - 1
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": plain(part),
                "y": [wrapped(key) for key in keys],
                "x": [values.get(key, 0) / divisor for key in keys],
                "text": [plain(ends[key]) if ends else scaled(sums[key], unit) for key in keys] if last else None,
                "customdata": [scaled(values.get(key, 0), unit) for key in keys],
                "textposition": "outside" if last else "none",
                "cliponaxis": False,
                "marker": {"color": colour},
                "hovertemplate": f"%{{y}}, {plain(part)}: %{{customdata}}<extra></extra>",
            }
        )
    layout = bar_layout(axis_title(quantity, prefix, unit), max(sums.values(), default=0) / divisor, len(keys), 1)
    return {
        "data": traces,
        "layout": {**layout, "barmode": "stack", "showlegend": True, "legend": {"traceorder": "normal"}},
    }


def bar_layout(title: str, largest: float, categories: int, series: int) -> Figure:
    """The layout of horizontal bars: ``series`` of them for each category, the longest ``largest`` long."""
    return {
        "height": 96 + categories * (20 + 20 * series),
        "margin": {"l": 10, "r": 10, "t": 34 if series > 1 else 10, "b": 10},
        "bargap": 0.25,
        "bargroupgap": 0.06,
        "xaxis": {
            "title": {"text": title},
            # Room for the labels that stand outside the longest bar.
            "range": [0, (largest or 1) * 1.22],
            "automargin": True,
            "fixedrange": True,
        },
        "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True, "ticks": ""},
        "showlegend": series > 1,
    }


def _label(value: float, unit: str) -> str:
    # "cycles" stands on the axis; beside every bar it would only be in the way.
    return count(value) if unit == "cycles" else scaled(value, unit)


def _spoken(unit: str) -> str:
    return " cycles" if unit == "cycles" else ""


def axis_title(quantity: str, prefix: str, unit: str) -> str:
    """What an axis says: a quantity, and its unit with the prefix of ``axis_scale``."""
    joined = f"{prefix}{unit}" if len(unit) <= 2 else f"{prefix} {unit}".strip()
    return f"{quantity}, {joined}"


def wrapped(text: str, width: int = 18) -> str:
    """Text broken for an axis label, after commas where that will do; plotly reads a little HTML there.

    >>> wrapped("bdwp 2:8, sat-vcu1525, batch 512")
    'bdwp 2:8,<br>sat-vcu1525,<br>batch 512'
    """
    lines: list[str] = []
    for part in re.split(r"(?<=,)\s+", plain(text)):
        for words in [part] if len(part) <= width else part.split():
            if lines and len(lines[-1]) + 1 + len(words) <= width:
                lines[-1] += f" {words}"
            else:
                lines.append(words)
    return "<br>".join(lines)


def lines_of(labels: Iterable[str]) -> int:
    """The lines that the longest of some labels takes."""
    return max((wrapped(each).count("<br>") + 1 for each in labels), default=1)


def plain(text: str) -> str:
    """Text that plotly shows as it is: it would read tags and ``%{...}`` otherwise."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "% {")
