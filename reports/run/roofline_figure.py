"""The roofline as a plotly figure: products and whole steps against the array's peak and the DRAM's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...sim.results.simulation_result import SimulationResult
from ..shared.plotly_data import DENSE, SPARSE, Figure, plain
from ..shared.quantities import axis_scale, cycles, significant
from . import roofline


def roofline_figure(result: SimulationResult, baseline: SimulationResult | None) -> Figure:
    """Products and whole steps under the roofline of the array's peak and the DRAM's.

    Args:
        result: the run.
        baseline: the dense run of the same network and hardware, when it is in the report.
    """
    mine = roofline.points(result)
    groups = [
        ("product, dense run", DENSE, "circle-open", roofline.points(baseline) if baseline else ()),
        ("product left dense", DENSE, "circle", tuple(point for point in mine if point.sparsity == "dense")),
        ("pruned product", SPARSE, "circle", tuple(point for point in mine if point.sparsity != "dense")),
    ]
    steps = roofline.whole_steps(result)
    drawn = [*steps, *(point for _, _, _, group in groups for point in group)]
    ridge = roofline.ridge_macs_per_byte(result)
    low = min([ridge / 4, *(point.macs_per_byte for point in drawn)]) / 2
    high = max([ridge * 4, *(point.macs_per_byte for point in drawn)]) * 2
    floor = min([result.peak_macs_per_cycle / 8, *(point.macs_per_cycle for point in drawn)]) / 2
    traces = _roof(result, low, ridge, high)
    largest = max((point.cycles for _, _, _, group in groups for point in group), default=1)
    traces += [_dots(name, colour, symbol, group, largest) for name, colour, symbol, group in groups if group]
    traces += [_step_mark(point) for point in steps]
    return {
        "data": traces,
        "layout": {
            "height": 460,
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "xaxis": _log_axis("MACs a byte of DRAM traffic", low, high),
            "yaxis": _log_axis("kept MACs a cycle", floor, result.peak_macs_per_cycle * 2),
            "showlegend": True,
            "hovermode": "closest",
        },
    }


def _roof(result: SimulationResult, low: float, ridge: float, high: float) -> list[Figure]:
    peak, rate = result.peak_macs_per_cycle, result.dram_bytes_per_cycle
    line = {"type": "scatter", "mode": "lines", "x": [low, ridge, high], "y": [low * rate, peak, peak]}
    names = {
        "type": "scatter",
        "mode": "text",
        "x": [high / 1.1, low * 1.15],
        "y": [peak * 1.1, low * rate],
        "text": [f"array peak {peak} MACs/cycle", f"DRAM {significant(rate)} B/cycle"],
        "textposition": ["top left", "bottom right"],
    }
    quiet = {"showlegend": False, "hoverinfo": "skip"}
    return [{**line, **quiet, "line": {"color": "@ink", "width": 2}}, {**names, **quiet}]


def _dots(name: str, colour: str, symbol: str, group: Sequence[roofline.Point], largest: int) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point.macs_per_byte for point in group],
        "y": [point.macs_per_cycle for point in group],
        # Area follows time, so that the eye goes where the cycles are.
        "marker": {
            "color": colour,
            "symbol": symbol,
            "opacity": 0.75,
            "size": [round(5 + 15 * math.sqrt(point.cycles / largest), 1) if largest else 5 for point in group],
            "line": {"width": 1, "color": "@paper" if symbol == "circle" else colour},
        },
        "text": [
            f"<b>{plain(point.name)}</b> ({plain(point.sparsity)})<br>{cycles(point.cycles)} exposed"
            f"<br>limit: {plain(point.limit) or 'not said'}"
            for point in group
        ],
        "hovertemplate": "%{text}<br>%{x:.3~s} MACs/B<br>%{y:.0f} MACs/cycle<extra></extra>",
    }


def _step_mark(point: roofline.Point) -> Figure:
    dense = point.name == "dense step"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"whole step, {'dense' if dense else 'this run'}",
        "x": [point.macs_per_byte],
        "y": [point.macs_per_cycle],
        "marker": {
            "symbol": "diamond",
            "size": 15,
            "color": DENSE if dense else SPARSE,
            "line": {"width": 2, "color": "@ink"},
        },
        "hovertemplate": f"whole {point.name}<br>%{{x:.3~s}} MACs/B<br>%{{y:.0f}} MACs/cycle<extra></extra>",
    }


def _log_axis(title: str, low: float, high: float) -> Figure:
    ticks = decade_ticks(low, high)
    return {
        "type": "log",
        "title": {"text": title},
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [tick_text(tick) for tick in ticks],
        "automargin": True,
    }


def tick_text(value: float) -> str:
    """A tick with its SI prefix.

    >>> tick_text(0.1), tick_text(2), tick_text(20_000)
    ('0.1', '2', '20k')
    """
    divisor, prefix = axis_scale([value]) if value >= 1 else (1.0, "")
    return f"{value / divisor:g}{prefix}"


def decade_ticks(low: float, high: float) -> list[float]:
    """Whole decades; of a narrow range 2 and 5 times them too.

    >>> decade_ticks(0.5, 30_000), decade_ticks(30, 3000)
    ([1, 10, 100, 1000, 10000], [50, 100, 200, 500, 1000, 2000])
    """
    steps = (1,) if high > 1000 * low else (1, 2, 5)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10**decade for decade in decades for step in steps]
    return [tick for tick in ticks if low <= tick <= high]
