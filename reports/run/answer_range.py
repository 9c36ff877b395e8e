"""How far the answer moves within what its assumptions leave open, in words."""

from __future__ import annotations

from ...sim.results.answer_range import MATTERS, AnswerRange, Interval, Swing
from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import percent, significant, times

_NAMED = 3
"""Assumptions that the sentence names."""

_MOVES = 0.005
"""A swing smaller than this is none to speak of."""


def interval_words(interval: Interval) -> str:
    """From where to where."""
    return f"{times(interval.low)} to {times(interval.high)}"


def range_sentence(result: SimulationResult) -> str:
    """Where the answer lies, and what moves it most; empty where nobody asked."""
    found = result.range
    if found is None:
        return ""
    movers = [each for each in found.swings if each.width("speedups", result.speedup_vs_dense) >= _MOVES][:_NAMED]
    named = ", ".join(f"{swing_name(each)} ({ends_words(each)})" for each in movers)
    most = f" What moves it most: {named}." if named else ""
    return (
        f"Within what its assumptions leave open the speedup is {interval_words(found.speedup)} and the energy ratio "
        f"{interval_words(found.energy_ratio)}.{most}"
    )


def range_note(found: AnswerRange) -> str:
    """How the range was found, and what it leaves out."""
    refused = f"; {found.refused} of them cannot run the step" if found.refused else ""
    return (
        f"Nine in ten of {found.draws} designs drawn within the ranges of {len(found.swings)} parameters at "
        f"once{refused}.{_with(found)}"
    )


def _with(found: AnswerRange) -> str:
    """What becomes of parameters without a range of their own."""
    told = [
        f"{number} {words}"
        for number, words in (
            (found.varied_with, "more are varied with them, in proportion"),
            (len(found.fixed), "assumed ones are kept, for reasons that the files give"),
            (found.without_range, "assumed ones have no range in the files, and are kept as they are"),
        )
        if number
    ]
    return f" {'; '.join(told)}." if told else ""


def matter_words(result: SimulationResult, found: AnswerRange) -> str:
    """How many assumptions matter."""
    speed = {each.parameter for each in found.matter("speedups", result.speedup_vs_dense)}
    energy = {each.parameter for each in found.matter("energy_ratios", result.energy_ratio_vs_dense)}
    return (
        f"Of {len(found.swings)} parameters varied alone {len(speed)} move the speedup by {percent(MATTERS)} or more, "
        f"{len(energy)} the energy ratio, {len(found.swings) - len(speed | energy)} neither."
    )


def swing_name(swing: Swing) -> str:
    """Its parameter, without what every name begins with."""
    return swing.parameter.partition(".")[2]


def value_words(value: object) -> str:
    """A value of a parameter, readable."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return significant(value) if isinstance(value, float) else str(value)


def ends_words(swing: Swing) -> str:
    """What an assumption was varied to."""
    words = list(map(value_words, swing.values))
    if len(words) > 1 and not isinstance(swing.value, bool | str):
        return " to ".join(words)
    return f"or {' or '.join(words)}"
