"""What an answer is most sensitive to, for a terminal: the headlines with their intervals, and a tornado of each."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import shorten

from ...sim.results.answer_range import AnswerRange, Interval, Swing
from ...sim.results.simulation_result import SimulationResult
from ..shared.plain_text import wrapped
from ..shared.provenance import parameters, status_words
from ..shared.quantities import joules, times
from .answer_range import ends_words, interval_words, matter_words, range_note, swing_name
from .verdict import bound_words

_DRAWN = 12
"""Assumptions of a tornado; the files have them all."""

_BAR = 20
"""Characters of the widest bar."""

_WORDS = 24
"""Characters of what a parameter was varied to; the files have it whole."""


def sensitivity_text(result: SimulationResult) -> str:
    """A result that has a range, as plain text."""
    found = result.range
    assert found is not None, "it was asked for"
    return "\n".join(line.rstrip() for line in _lines(result, found))


def _lines(result: SimulationResult, found: AnswerRange) -> Iterator[str]:
    names = result.inputs
    trained = f"{names['workload'].name} at batch {result.batch} on {names['hardware'].name}"
    yield from wrapped(
        f"{names['recipe'].name} {result.sparsity} trains {trained} {times(result.speedup_vs_dense)} as fast as dense, "
        f"within {interval_words(found.speedup)}, at {times(result.energy_ratio_vs_dense)} of its energy, within "
        f"{interval_words(found.energy_ratio)}: {_joules(found)}. {bound_words(result)}"
    )
    yield ""
    yield from _tornado(found, "speedup", "speedups", result.speedup_vs_dense)
    yield ""
    yield from _tornado(found, "energy ratio", "energy_ratios", result.energy_ratio_vs_dense)
    yield ""
    yield from wrapped(f"{matter_words(result, found)} {range_note(found)}")
    yield from wrapped(f"Rests on {status_words(parameters([result]))} parameters.")


def _joules(found: AnswerRange) -> str:
    own, dense = (_span(found.beside[name]) for name in ("energy_joules", "dense.energy_joules"))
    return f"{own} a step, {dense} dense"


def _span(interval: Interval) -> str:
    return f"{joules(interval.low)} to {joules(interval.high)}"


def _tornado(found: AnswerRange, title: str, figure: str, nominal: float) -> Iterator[str]:
    """A line an assumption: a bar from the least to the most, around a bar that stands for the answer."""
    shown = found.matter(figure, nominal)[:_DRAWN]
    if not shown:
        yield f"{title}: {times(nominal)}; no parameter alone moves it by 1%"
        return
    spans = [_ends(each, figure, nominal) for each in shown]
    low, high = min(least for least, _ in spans), max(most for _, most in spans)
    names = [swing_name(each).removesuffix(".cycles_per_element") for each in shown]
    width = max(map(len, names))
    yield f"{title}, {times(nominal)} as assumed; each parameter alone:"
    for name, swing, (least, most) in zip(names, shown, spans, strict=True):
        left, middle, right = (_column(each, low, high) for each in (least, nominal, most))
        bar = "".join("|" if at == middle else "#" if left <= at <= right else " " for at in range(_BAR + 1))
        yield f"{name.ljust(width)} {times(least)} {bar} {times(most)} {shorten(ends_words(swing), _WORDS)}"


def _column(value: float, low: float, high: float) -> int:
    return round(_BAR * (value - low) / (high - low))


def _ends(swing: Swing, figure: str, nominal: float) -> tuple[float, float]:
    values = [nominal, *(each for each in getattr(swing, figure) if each is not None)]
    return min(values), max(values)
