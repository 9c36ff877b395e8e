"""The picture of methods side by side: a bar each, what is promised and what stands between on top of it."""

from __future__ import annotations

from ...sim.results.method_split import BETWEEN
from ..shared.plotly_data import DENSE, GAIN, LOSS, SPARSE, Figure, bar_layout, plain, wrapped
from .splits import REST, Splits

_COLOURS = {
    "gradients": LOSS,
    "zeros": "@bound",
    "edges": "@given",
    "lanes": "@north",
    "fill": "@pale",
    "vector": DENSE,
    "update": GAIN,
    "memory": "@assumed",
    "extra": "@fitted",
    "phases": "@derived",
    REST: "@ink",
}


def split_figure(splits: Splits) -> Figure:
    """Bars in % of dense time; what shrank by more than the arithmetic stands to the left of nothing."""
    rows = splits.rows
    ticks = [wrapped(row.name) for row in rows]
    promised = [100 * row.split.of_dense(row.split.promised_cycles) for row in rows]
    taken = [100 * row.split.of_dense(row.split.taken_cycles) for row in rows]
    between = {part: [100 * splits.share(row, part) for row in rows] for part in splits.parts}
    traces = [_bars("promised by the arithmetic", SPARSE, ticks, promised)]
    traces += [_bars(BETWEEN.get(part, part), _COLOURS[part], ticks, values) for part, values in between.items()]
    ends = [_ends([first, *(values[at] for values in between.values())]) for at, first in enumerate(promised)]
    traces += [_marks(ticks, taken), _figures(ticks, taken, [high for _, high in ends])]
    layout = bar_layout("time, % of dense", max(high for _, high in ends), len(rows), 1)
    layout["xaxis"]["range"] = [1.1 * min(low for low, _ in ends), layout["xaxis"]["range"][1]]
    lines = max(tick.count("<br>") + 1 for tick in ticks)
    # Of the height a legend of many lines takes its part on a telephone.
    layout |= {"height": 170 + max(38, 8 + 15 * lines) * len(rows), "barmode": "relative", "showlegend": True}
    layout["margin"]["t"] = 50
    return {"data": traces, "layout": {**layout, "legend": {"traceorder": "normal"}}}


def _ends(parts: list[float]) -> tuple[float, float]:
    """How far a bar reaches to the left of nothing, and to the right."""
    return sum(min(part, 0.0) for part in parts), sum(max(part, 0.0) for part in parts)


def _bars(name: str, colour: str, ticks: list[str], values: list[float]) -> Figure:
    return {
        "type": "bar",
        "orientation": "h",
        "name": plain(name),
        "y": ticks,
        "x": values,
        "marker": {"color": colour},
        "hovertemplate": f"%{{y}}, {plain(name)}: %{{x:.1f}}%<extra></extra>",
    }


def _marks(ticks: list[str], taken: list[float]) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "taken",
        "x": taken,
        "y": ticks,
        "marker": {"symbol": "line-ns-open", "size": 22, "color": "@ink", "line": {"width": 2}},
        "hovertemplate": "%{y}, taken: %{x:.1f}%<extra></extra>",
    }


def _figures(ticks: list[str], taken: list[float], ends: list[float]) -> Figure:
    """What is taken, in words, where nothing is drawn any more."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": ends,
        "y": ticks,
        "text": [f"  {value:.1f}%" for value in taken],
        "textposition": "middle right",
        "cliponaxis": False,
        "hoverinfo": "skip",
        "showlegend": False,
    }
