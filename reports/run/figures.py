"""Pictures of a run: the ladder from the dense step to the prediction, and runs side by side."""

from __future__ import annotations

from collections.abc import Sequence

from ...sim.results.simulation_result import SimulationResult
from ..shared.plotly_data import (
    DENSE,
    GAIN,
    LOSS,
    SPARSE,
    Figure,
    axis_title,
    bar_layout,
    lines_of,
    plain,
    stacked_bars,
    wrapped,
)
from ..shared.quantities import axis_scale, count, times
from .answer import are_alike
from .ladder import Rung
from .verdict import BOUNDS


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
    layout = bar_layout(axis_title("step", prefix, "cycles"), dense / divisor, len(rungs), 1)
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
    return {"data": traces, "layout": bar_layout("speedup against dense, x", largest, len(names), 2)}


def time_figure(names: Sequence[str], results: Sequence[SimulationResult]) -> Figure:
    """Where the time of each run goes, a bar a run: of a step, or of a sample where steps do not compare."""
    alike = are_alike(results)
    lengths = {
        part: {
            name: sum(result.stalls.get(cause, 0) for cause in causes)
            / result.clock_hz
            / (1 if alike else result.batch)
            for name, result in zip(names, results, strict=True)
        }
        for part, causes in BOUNDS.items()
    }
    seen = {part: values for part, values in lengths.items() if any(values.values())}
    colours = dict(zip(BOUNDS, (SPARSE, "@assumed", DENSE, LOSS, GAIN, "@bound"), strict=True))
    what = "time of a step" if alike else "time of a sample"
    drawn = stacked_bars(seen, quantity=what, unit="s", colours=[colours[part] for part in seen])
    drawn["layout"]["height"] = 150 + max(38, 8 + 15 * lines_of(names)) * len(results)
    # Room for a legend of several lines on a telephone.
    drawn["layout"]["margin"]["t"] = 80
    return drawn


def energy_ratio_figure(names: Sequence[str], results: Sequence[SimulationResult]) -> Figure:
    """Energy against dense of the whole step and of the products, a pair for each run."""
    ticks = [wrapped(name) for name in names]
    scopes = [
        ("whole step", SPARSE, [result.by_scope["step"].energy_ratio_vs_dense for result in results]),
        ("matrix products", "@pale", [result.by_scope["gemm"].energy_ratio_vs_dense for result in results]),
    ]
    traces = [_ratio_bars(name, colour, ticks, values) for name, colour, values in scopes]
    largest = max(value for _, _, values in scopes for value in values)
    layout = bar_layout("energy against dense, x (below 1 saves)", largest, len(names), 2)
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
