"""The picture of the step's memory: what lies in it work by work, and where the card's capacity stands."""

from __future__ import annotations

from ...sim.results.memory_results import Memory
from ..shared.plotly_data import DENSE, SPARSE, Figure, plain
from ..shared.quantities import axis_scale, byte_count, significant

AREAS = (
    ("weights and state", DENSE, ()),
    ("keys and values", "@bound", ("kv_cache",)),
    ("activations and data", SPARSE, ("inputs", "activations")),
    ("gradients", "@pale", ("gradients",)),
    ("weight gradients", "@bound", ("weight_gradients",)),
)
"""Areas of the picture from the ground up: name, colour, categories. The first is what lasts across steps."""

FAR = 2.5
"""A capacity this many times the peak is named, not drawn: the step would lie flat on the ground."""


_EDGES = {"x0": 0, "dx": 1}
"""Where works begin, and the last one ends."""


def memory_figure(memory: Memory) -> Figure:
    """Bytes over the works of a step, by category, stacked; the card's capacity as a line."""
    near = memory.capacity_bytes <= FAR * memory.peak_bytes
    divisor, prefix = axis_scale([memory.peak_bytes, memory.capacity_bytes if near else 0])
    top = max(memory.peak_bytes, memory.capacity_bytes if near else 0) / divisor
    works = len(memory.curve)
    return {
        "data": [*_areas(memory, divisor), _pointer(memory, divisor), *_marks(memory, divisor, near, top)],
        "layout": {
            "height": 380,
            "margin": {"l": 10, "r": 10, "t": 34, "b": 10},
            "xaxis": {
                "title": {"text": f"work of the step, in order (of {works:,})"},
                "range": [0, works or 1],
                "automargin": True,
                "showgrid": False,
            },
            "yaxis": {
                "title": {"text": f"memory, {prefix}B"},
                "range": [0, top * 1.2 or 1],
                "automargin": True,
                "fixedrange": True,
            },
            "showlegend": True,
            "legend": {"traceorder": "normal"},
            "hovermode": "x",
        },
    }


def _areas(memory: Memory, divisor: float) -> list[Figure]:
    areas = []
    for name, colour, categories in AREAS:
        heights = [
            sum(point.bytes_by_category.get(key, 0) for key in categories) if categories else memory.across_steps_bytes
            for point in memory.curve
        ]
        if not any(heights):
            continue
        areas.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                **_EDGES,
                # A work lasts from its own edge to the next one's.
                "y": [round(height / divisor, 5) for height in (*heights, *heights[-1:])],
                "line": {"width": 0, "shape": "hv", "color": colour},
                "fillcolor": colour,
                "stackgroup": "memory",
                "hoverinfo": "skip",
            }
        )
    return areas


def _pointer(memory: Memory, divisor: float) -> Figure:
    """An unseen line along the top, which says what the pointer is at."""
    totals = [memory.across_steps_bytes + sum(point.bytes_by_category.values()) for point in memory.curve]
    return {
        "type": "scatter",
        "mode": "lines",
        "x0": 0.5,
        "dx": 1,
        "y": [round(total / divisor, 5) for total in totals],
        "text": [
            f"<b>{plain(point.operator)}</b><br>{byte_count(total)}"
            + "".join(f"<br>{plain(_words(key))} {byte_count(size)}" for key, size in point.bytes_by_category.items())
            for point, total in zip(memory.curve, totals, strict=True)
        ],
        "line": {"width": 0, "color": "@ink"},
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _words(key: str) -> str:
    return key.replace("_", " ")


def _marks(memory: Memory, divisor: float, near: bool, top: float) -> list[Figure]:
    """The capacity, drawn or named, and the end of the forward pass."""
    works = len(memory.curve)
    quiet = {"type": "scatter", "showlegend": False, "hoverinfo": "skip"}
    named = f"card: {byte_count(memory.capacity_bytes)}"
    if not near:
        named += (
            f", {significant(memory.capacity_bytes / memory.peak_bytes)} times the peak" if memory.peak_bytes else ""
        )
    height = memory.capacity_bytes / divisor if near else top * 1.1
    marks: list[Figure] = [
        {**quiet, "mode": "text", "x": [0], "y": [height], "text": [f" {named}"], "textposition": "top right"}
    ]
    if near:
        line = {"color": "@loss", "width": 2, "dash": "dash"}
        marks.append({**quiet, "mode": "lines", "x": [0, works], "y": [height, height], "line": line})
    backward = next((at for at, point in enumerate(memory.curve) if point.stage != "FF"), None)
    if backward:
        stack = (memory.across_steps_bytes + sum(memory.curve[backward].bytes_by_category.values())) / divisor
        line = {"color": "@paper", "width": 1, "dash": "dot"}
        word = {"x": [backward], "y": [stack], "text": ["backward from here"], "textposition": "top center"}
        marks += [
            {**quiet, "mode": "lines", "x": [backward] * 2, "y": [0, stack], "line": line},
            {**quiet, "mode": "text", **word},
        ]
    return marks
