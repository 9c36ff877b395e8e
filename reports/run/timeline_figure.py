"""The step over time as a plotly figure: operators, what the tensor engine does, other engines, what buffers hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...dataflow.cycle_causes import CYCLE_CAUSES
from ...sim.results.simulation_result import SimulationResult
from ...sim.results.step_profile import OperatorSpan, Profile
from ..shared.plotly_data import Figure, plain
from ..shared.quantities import axis_scale, cycles, percent, scaled

CAUSE_COLOURS = {
    "busy": "@sparse",
    "bubble": "@pale",
    "fill_drain": "@bound",
    "dependence": "@dense",
    "reduction": "@published",
    "update": "@given",
    "west": "@loss",
    "north": "@assumed",
    "output": "@gain",
    "idle": "@line",
}
STAGE_COLOURS = {"FF": "@sparse", "BP": "@loss", "WU": "@gain", "vector": "@dense"}
STAGE_NAMES = {"FF": "forward", "BP": "input gradients", "WU": "weight gradients", "vector": "vector work"}
_ENGINE_COLOURS = {
    "DRAM": "@loss",
    "vector engine": "@dense",
    "load lanes": "@assumed",
    "update engine": "@given",
    "reduction engine": "@published",
}
_SIDE_COLOURS = {"west": "@loss", "north": "@assumed", "output": "@gain"}

_SHORT = {
    "busy": "busy",
    "bubble": "adder latency",
    "fill_drain": "fill, drain",
    "dependence": "vector engine",
    "reduction": "reduction",
    "update": "update",
    "west": "west",
    "north": "north",
    "output": "output",
    "idle": "idle",
}
"""Causes as a legend has room for them."""

_VISIBLE = 0.01
"""A cause that never has this share of a part would only fill the legend; the table beside has it."""

_BANDS = (("y", 0.94, 1.0), ("y2", 0.55, 0.82), ("y3", 0.27, 0.43), ("y4", 0.0, 0.15))
"""Where each of the four stands, from and to: operators, tensor engine, other engines, buffers."""


def timeline_figure(result: SimulationResult, profile: Profile) -> Figure:
    """One step, left to right, in four bands that share the axis of time."""
    per_second, prefix_of_seconds = axis_scale([result.step_seconds])
    tick = 1 / (result.clock_hz * per_second)
    length = result.total_cycles * tick
    times = [(part + 0.5) * length / profile.parts for part in range(profile.parts)]
    largest = max((max(row) for row in profile.held_bytes.values()), default=0)
    divisor, prefix = axis_scale([largest])
    traces = [
        *_operators(profile.operators, tick),
        *_tensor(profile, times),
        *_engines(profile, times),
        *_held(profile, times, divisor),
    ]
    titles = {"y2": "tensor engine", "y3": "busy", "y4": f"taken, {prefix}B"}
    axes: Figure = {
        name.replace("y", "yaxis"): {
            "domain": [low, high],
            "fixedrange": True,
            "automargin": True,
            "gridcolor": "@line",
            "zerolinecolor": "@line",
            "title": {"text": titles.get(name, ""), "font": {"size": 12}},
        }
        for name, low, high in _BANDS
    }
    legends = {name.replace("y", "legend"): _legend(high) for name, _, high in _BANDS}
    axes["yaxis"] |= {"showgrid": False, "showticklabels": False, "ticks": "", "autorange": "reversed"}
    shares = {"range": [0, 1], "tickformat": ".0%", "tickvals": [0, 0.5, 1]}
    axes["yaxis2"] |= shares
    axes["yaxis3"] |= shares
    axes["yaxis4"] |= {"rangemode": "tozero", "nticks": 3}
    return {
        "data": traces,
        "layout": {
            **axes,
            **legends,
            "height": 700,
            "margin": {"l": 10, "r": 10, "t": 40, "b": 10},
            "barmode": "overlay",
            "bargap": 0,
            "hovermode": "closest",
            "showlegend": True,
            "xaxis": {
                "title": {"text": f"time in the step, {prefix_of_seconds}s"},
                "range": [0, length],
                "automargin": True,
                "anchor": "y4",
            },
        },
    }


def _legend(top: float) -> Figure:
    """Over its band."""
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": top,
        "yanchor": "bottom",
        "font": {"size": 11},
        "itemclick": False,
        "itemdoubleclick": False,
        "traceorder": "normal",
    }


def _operators(spans: Sequence[OperatorSpan], tick: float) -> Iterator[Figure]:
    """A bar for each operator: products above, vector work below, since they may run side by side."""
    for stage, colour in STAGE_COLOURS.items():
        own = [span for span in spans if span.stage == stage]
        if not own:
            continue
        yield {
            "type": "bar",
            "orientation": "h",
            "name": STAGE_NAMES[stage],
            "y": ["vector" if stage == "vector" else "product"] * len(own),
            "base": [span.start_cycle * tick for span in own],
            "x": [(span.end_cycle - span.start_cycle) * tick for span in own],
            "marker": {"color": colour, "line": {"width": 0}},
            "text": [f"{plain(span.name)}: {cycles(span.end_cycle - span.start_cycle)}" for span in own],
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }


def _tensor(profile: Profile, times: list[float]) -> Iterator[Figure]:
    for cause, shares in profile.tensor.items():
        if max(shares) < _VISIBLE:
            continue
        yield {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "tensor",
            "name": _SHORT[cause],
            "legend": "legend2",
            "x": times,
            "y": list(shares),
            "yaxis": "y2",
            "line": {"width": 0, "shape": "hvh", "color": CAUSE_COLOURS[cause]},
            "fillcolor": CAUSE_COLOURS[cause],
            "customdata": [percent(share) for share in shares],
            "hovertemplate": f"{CYCLE_CAUSES[cause]}: %{{customdata}}<extra></extra>",
        }


def _engines(profile: Profile, times: list[float]) -> Iterator[Figure]:
    for name, shares in profile.engines.items():
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "legend": "legend3",
            "x": times,
            "y": list(shares),
            "yaxis": "y3",
            "line": {"width": 1.5, "shape": "hvh", "color": _ENGINE_COLOURS.get(name, "@ink")},
            "customdata": [percent(share) for share in shares],
            "hovertemplate": f"{name}: %{{customdata}}<extra></extra>",
        }


def _held(profile: Profile, times: list[float], divisor: float) -> Iterator[Figure]:
    for side, held in profile.held_bytes.items():
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": f"{side} buffer",
            "legend": "legend4",
            "x": times,
            "y": [each / divisor for each in held],
            "yaxis": "y4",
            "line": {"width": 1.5, "shape": "hvh", "color": _SIDE_COLOURS[side]},
            "customdata": [scaled(each, "B") for each in held],
            "hovertemplate": f"{side} buffer holds %{{customdata}}<extra></extra>",
        }
