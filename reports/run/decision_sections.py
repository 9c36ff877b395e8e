"""What a decision needs beside the answer: how far it moves within its assumptions, and what would help."""

from __future__ import annotations

from collections.abc import Iterator

from ...sim.results.answer_range import AnswerRange, Swing
from ...sim.results.simulation_result import SimulationResult
from ..shared.plotly_data import DENSE, SPARSE, Figure, plain, wrapped
from ..shared.quantities import seconds, times
from ..shared.section import Part, Section
from ..shared.table import Cell, Table
from .answer_range import ends_words, matter_words, range_note, range_sentence, swing_name, value_words
from .run_view import RunView
from .verdict import bound_words, help_words

_DRAWN = 10
"""Assumptions in the picture; the table has them all."""


def range_section(view: RunView) -> Section | None:
    """The tornado, where it was asked for."""
    found = view.result.range
    if found is None:
        return None
    heading, table = "How far the answer moves", _range_table(found)
    words = f"{range_sentence(view.result)} {matter_words(view.result, found)} {range_note(found)}"
    return Section(
        heading=heading,
        lede=f"{words} In the pictures each parameter moves alone, from one end of its range to the other.",
        figures={
            "range": _tornado(found, "speedups", view.result.speedup_vs_dense),
            "energy-range": _tornado(found, "energy_ratios", view.result.energy_ratio_vs_dense),
        },
        table=table,
        template="run/range.html.jinja",
        markdown=(Part(heading=heading, words=words, table=table),),
    )


_AXES = {
    "speedups": ("speedup, x", ("slower", "faster"), (DENSE, SPARSE)),
    "energy_ratios": ("energy ratio, x of dense", ("less energy", "more energy"), (SPARSE, DENSE)),
}
"""Of a figure: words at its axis, what its bars are called, and their colours: the better one has the pruned step's."""


def _tornado(found: AnswerRange, figure: str, nominal: float) -> Figure:
    """A bar a parameter from the figure's least to its most, around the answer."""
    words, names, colours = _AXES[figure]
    shown = sorted(found.swings, key=lambda swing: -swing.width(figure, nominal))[:_DRAWN]
    spans = [_span(swing, figure, nominal) for swing in shown]
    least, most = min(low for low, _ in spans), max(high for _, high in spans)
    room = (most - least) * 0.08 or 0.01
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "y": [_tick(swing) for swing in shown],
                "base": nominal,
                "x": [end - nominal for end in ends],
                "customdata": [
                    f"{times(end)}, {plain(ends_words(swing))}" for end, swing in zip(ends, shown, strict=True)
                ],
                "marker": {"color": colour},
                "hovertemplate": "%{y}: %{customdata}<extra></extra>",
            }
            for name, colour, ends in zip(names, colours, zip(*spans, strict=True), strict=True)
        ],
        "layout": {
            "height": 96 + 44 * len(shown),
            "margin": {"l": 10, "r": 10, "t": 34, "b": 10},
            "barmode": "overlay",
            "bargap": 0.3,
            "xaxis": {
                "title": {"text": f"{words}; {times(nominal)} as assumed"},
                "range": [least - room, most + room],
                "automargin": True,
                "fixedrange": True,
            },
            "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True, "ticks": ""},
            "showlegend": True,
        },
    }


def _tick(swing: Swing) -> str:
    """A parameter at its bar: the last words of its name, which tell it from the others."""
    words = swing_name(swing).removesuffix(".cycles_per_element").split(".")[-2:]
    return wrapped(" ".join(words).replace("_", " "))


def _span(swing: Swing, figure: str, nominal: float) -> tuple[float, float]:
    """The least and the most of a figure, the answer among them."""
    values = [nominal, *(each for each in getattr(swing, figure) if each is not None)]
    return min(values), max(values)


def _range_table(found: AnswerRange) -> Table:
    rows = tuple(
        (
            Cell(swing_name(swing) if swing.parameter.startswith("hardware.") else swing.parameter),
            Cell(value_words(swing.value)),
            Cell(ends_words(swing)),
            Cell(_figures(swing.speedups)),
            Cell(_figures(swing.energy_ratios)),
        )
        for swing in found.swings
    )
    headings = ("parameter", "as assumed", "varied to", "speedup there", "energy ratio there")
    return Table(headings=headings, rows=rows, words=frozenset({0, 1, 2, 3, 4}))


def _figures(values: tuple[float | None, ...]) -> str:
    return ", ".join("cannot run" if each is None else times(each) for each in values)


def verdict_section(view: RunView) -> Section | None:
    """What was tried, where it was."""
    result = view.result
    if not result.what_if:
        return None
    heading, words, table = "What would help", f"{bound_words(result)} {help_words(result)}", _help_table(result)
    return Section(
        heading=heading,
        lede=f"{bound_words(result)} Each row is the step simulated on the design with one thing changed; the dense "
        "step that it is against has the same change. What a change costs in silicon is not known here.",
        table=table,
        markdown=(Part(heading=heading, words=words, table=table),),
    )


def _help_table(result: SimulationResult) -> Table:
    rows = tuple(
        (
            Cell(f"{each.change}: {each.reason}" if each.reason else each.change),
            Cell(" ".join(_set(each.fields))),
            *(
                Cell("–") if value is None else Cell(words(value), f"{value:.10g}")
                for words, value in (
                    (seconds, each.step_seconds),
                    (times, each.gain),
                    (times, each.speedup_vs_dense),
                    (times, each.energy_ratio_vs_dense),
                )
            ),
        )
        for each in result.what_if
    )
    headings = ("with", "--set", "a step", "faster", "against dense", "energy of dense")
    return Table(headings=headings, rows=rows, words=frozenset({0, 1}))


def _set(fields: dict[str, object]) -> Iterator[str]:
    for name, value in fields.items():
        yield f"{name}={str(value).lower() if isinstance(value, bool) else value}"
