"""The step over time as a plotly figure: operators, what the tensor engine does, other engines, what buffers hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ...dataflow.cycle_causes import CYCLE_CAUSES
from ...sim.results.simulation_result import SimulationResult
from ...sim.results.step_profile import OperatorSpan, Profile
from ..shared.plotly_data import Figure, plain
from ..shared.quantities import axis_scale, cycles, percent, scaled

CAUSE_COLOURS = {
    "busy": "@sparse",
    "imbalance": "@assumed",
    "bubble": "@pale",
    "fill_drain": "@bound",
    "dependence": "@dense",
    "reduction": "@published",
    "update": "@given",
    "west": "@west",
    "north": "@north",
    "output": "@gain",
    "idle": "@line",
}
STAGE_COLOURS = {"FF": "@sparse", "BP": "@loss", "WU": "@gain", "vector": "@dense"}
STAGE_NAMES = {"FF": "forward", "BP": "input gradients", "WU": "weight gradients", "vector": "vector work"}
_ENGINE_COLOURS = {
    "DRAM": "@loss",
    "vector engine": "@dense",
    "load lanes": "@north",
    "update engine": "@given",
    "reduction engine": "@published",
}
_SIDE_COLOURS = {"west": "@west", "north": "@north", "output": "@gain"}

_SHORT = {
    "busy": "busy",
    "imbalance": "lanes wait",
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

_BANDS = (("y", 40), ("y2", 180), ("y3", 110), ("y4", 100))
"""The four from above and the pixels that each takes: operators, tensor engine, other engines, buffers."""

_LEGEND_LINE, _GAP = 19, 26
"""Pixels of a line of a legend, and between a band and the legend under it."""

_WIDE, _NARROW = 6, 2
"""Names that stand beside each other in a legend, on a wide screen and on a narrow one."""


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
    shares = {"range": [0, 1], "tickformat": ".0%", "tickvals": [0, 0.5, 1]}
    own: dict[str, Figure] = {
        "yaxis": {"showgrid": False, "showticklabels": False, "ticks": "", "autorange": "reversed"},
        "yaxis2": shares | {"title": {"text": "tensor engine", "font": {"size": 12}}},
        "yaxis3": shares | {"title": {"text": "busy", "font": {"size": 12}}},
        "yaxis4": {"rangemode": "tozero", "nticks": 3, "title": {"text": f"taken, {prefix}B", "font": {"size": 12}}},
    }
    common = {"fixedrange": True, "automargin": True, "gridcolor": "@line", "zerolinecolor": "@line"}
    named = Counter(trace.get("legend", "legend") for trace in traces)
    wide = _places(named, _WIDE)
    layout: Figure = {
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
        **{name: common | axis | wide[name] for name, axis in own.items()},
        **{name: _LEGEND | place for name, place in wide.items() if name.startswith("legend")},
        "margin": {"l": 10, "r": 10, "t": wide["margin"]["t"], "b": 10},
        "height": wide["height"],
    }
    return {"data": traces, "layout": layout, "narrow": _places(named, _NARROW)}


_LEGEND = {
    "orientation": "h",
    "x": 0,
    "xanchor": "left",
    "yanchor": "bottom",
    "font": {"size": 11},
    "itemclick": False,
    "itemdoubleclick": False,
    "traceorder": "normal",
}
"""Over its band."""


def _places(named: Mapping[str, int], across: int) -> Figure:
    """Where bands and their legends stand, so that no legend lies over the band above it.

    Args:
        named: entries of each legend.
        across: of them beside each other.
    """
    room = {name: _LEGEND_LINE * -(-named.get(name.replace("y", "legend"), 0) // across) for name, _ in _BANDS}
    heights = dict(_BANDS)
    whole = sum(heights.values()) + sum(room[name] + _GAP for name, _ in _BANDS[1:])
    places: Figure = {"height": whole + room["y"] + 60, "margin": {"t": room["y"] + 12}}
    top = float(whole)
    for name, height in _BANDS:
        top -= 0 if name == "y" else room[name] + _GAP
        places[name.replace("y", "yaxis")] = {"domain": [max(0.0, (top - height) / whole), top / whole]}
        places[name.replace("y", "legend")] = {"y": top / whole}
        top -= height
    return places


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
