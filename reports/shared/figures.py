"""Plotly figures as plain data. The page draws them and gives them its colours.

A colour is written ``@name`` and stands for the page's CSS variable ``--name``, so that light, dark and print share one
figure.
Figures are built by hand because importing plotly's own builders costs more than the simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...sim.results.simulation_result import SimulationResult
from .ladder import Rung
from .quantities import axis_scale, count, scaled, times

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
            "name": name,
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
    layout = _bar_layout(_axis_title(quantity, prefix, unit), max(both, default=0) / divisor, len(dense), len(series))
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
        {**{key: value for key, value in series.items() if key not in small}, rest: sum(series[key] for key in small)}
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
    sums = {key: sum(values.get(key, 0) for values in parts.values()) for key in keys}
    divisor, prefix = axis_scale(sums.values())
    traces: list[Figure] = []
    for (part, values), colour in zip(parts.items(), colours, strict=True):
        last = len(traces) == len(parts) - 1
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": part,
                "y": [wrapped(key) for key in keys],
                "x": [values.get(key, 0) / divisor for key in keys],
                "text": [ends[key] if ends else scaled(sums[key], unit) for key in keys] if last else None,
                "customdata": [scaled(values.get(key, 0), unit) for key in keys],
                "textposition": "outside" if last else "none",
                "cliponaxis": False,
                "marker": {"color": colour},
                "hovertemplate": f"%{{y}}, {plain(part)}: %{{customdata}}<extra></extra>",
            }
        )
    layout = _bar_layout(_axis_title(quantity, prefix, unit), max(sums.values(), default=0) / divisor, len(keys), 1)
    return {
        "data": traces,
        "layout": {**layout, "barmode": "stack", "showlegend": True, "legend": {"traceorder": "normal"}},
    }


def ladder_figure(rungs: Sequence[Rung]) -> Figure:
    """The waterfall from the dense step to this one; totals stand on the ground and changes hang between them."""
    dense = rungs[0].cycles
    divisor, prefix = axis_scale([dense])
    bases, lengths, texts, colours = [], [], [], []
    level = 0.0
    for position, rung in enumerate(rungs):
        if rung.kind == "total":
            bases.append(0.0)
            lengths.append(rung.cycles / divisor)
            level = rung.cycles
            texts.append(f"{count(rung.cycles)} ({times(dense / rung.cycles)})" if rung.cycles else "0")
            colours.append({0: DENSE, len(rungs) - 1: SPARSE}.get(position, "@bound"))
        else:
            bases.append(min(level, level + rung.cycles) / divisor)
            lengths.append(abs(rung.cycles) / divisor)
            level += rung.cycles
            texts.append(signed(rung.cycles))
            colours.append(LOSS if rung.cycles > 0 else GAIN)
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [wrapped(rung.name) for rung in rungs],
        "x": lengths,
        "base": bases,
        "text": texts,
        "customdata": [plain(rung.note) for rung in rungs],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": colours},
        "hovertemplate": "%{y}: %{text}<br>%{customdata}<extra></extra>",
    }
    layout = _bar_layout(_axis_title("step", prefix, "cycles"), dense / divisor, len(rungs), 1)
    return {"data": [trace], "layout": {**layout, "showlegend": False}}


def signed(value: float) -> str:
    """A change with its sign and an SI prefix, without the unit."""
    return f"{'+' if value > 0 else '−'}{count(abs(value))}"


def speedup_figure(names: Sequence[str], results: Sequence[SimulationResult]) -> Figure:
    """Speedup of the whole step and of the products, a pair for each run, with the FLOP bound as a mark."""
    ticks = [wrapped(name) for name in names]
    scopes = [
        ("whole step", SPARSE, [result.by_scope["step"].speedup_vs_dense for result in results]),
        ("matrix products", "@pale", [result.by_scope["gemm"].speedup_vs_dense for result in results]),
    ]
    bounds = [result.flop_bound_speedup for result in results]
    traces = [_ratio_bars(name, colour, ticks, values) for name, colour, values in scopes]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "FLOP bound",
            "x": bounds,
            "y": ticks,
            "marker": {"symbol": "line-ns-open", "size": 30, "color": "@ink", "line": {"width": 2}},
            "hovertemplate": "%{y}, FLOP bound: %{x:.2f}x<extra></extra>",
        }
    )
    largest = max(*bounds, *(value for _, _, values in scopes for value in values))
    return {"data": traces, "layout": _bar_layout("speedup against dense, x", largest, len(names), 2)}


def energy_ratio_figure(names: Sequence[str], results: Sequence[SimulationResult]) -> Figure:
    """Energy against dense of the whole step and of the products, a pair for each run."""
    ticks = [wrapped(name) for name in names]
    scopes = [
        ("whole step", SPARSE, [result.by_scope["step"].energy_ratio_vs_dense for result in results]),
        ("matrix products", "@pale", [result.by_scope["gemm"].energy_ratio_vs_dense for result in results]),
    ]
    traces = [_ratio_bars(name, colour, ticks, values) for name, colour, values in scopes]
    largest = max(value for _, _, values in scopes for value in values)
    layout = _bar_layout("energy against dense, x (below 1 saves)", largest, len(names), 2)
    return {"data": traces, "layout": layout}


def _ratio_bars(name: str, colour: str, ticks: list[str], values: list[float]) -> Figure:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": ticks,
        "x": values,
        "text": [times(value) for value in values],
        "textposition": "inside",
        "insidetextanchor": "start",
        "insidetextfont": {"color": "@paper" if colour == SPARSE else "@ink"},
        "marker": {"color": colour},
        "hovertemplate": f"%{{y}}, {name}: %{{x:.3f}}x<extra></extra>",
    }


def _bar_layout(title: str, largest: float, categories: int, series: int) -> Figure:
    # Room for the labels that stand outside the longest bar.
    return {
        "height": 96 + categories * (20 + 20 * series),
        "margin": {"l": 10, "r": 10, "t": 34 if series > 1 else 10, "b": 10},
        "bargap": 0.25,
        "bargroupgap": 0.06,
        "xaxis": {
            "title": {"text": title},
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


def _axis_title(quantity: str, prefix: str, unit: str) -> str:
    joined = f"{prefix}{unit}" if len(unit) <= 2 else f"{prefix} {unit}".strip()
    return f"{quantity}, {joined}"


def wrapped(text: str, width: int = 18) -> str:
    """Text broken for an axis label; plotly reads a little HTML there."""
    lines: list[str] = []
    for word in plain(text).split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "<br>".join(lines)


def plain(text: str) -> str:
    """Text that plotly shows as it is: it would read tags and ``%{...}`` otherwise."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "% {")
