"""What a step is bound by, and what would help it: the verdict of a profiler, in words."""

from __future__ import annotations

from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import percent, times

BOUNDS: dict[str, tuple[str, ...]] = {
    "the array at work": ("busy",),
    "lanes that wait for each other": ("imbalance",),
    "vector work": ("dependence", "idle"),
    "memory and ports": ("west", "north", "output"),
    "the weight update and N:M reduction": ("update", "reduction"),
    "fill and drain of the array": ("fill_drain", "bubble"),
}
"""What may bound a step, and the causes of cycles that it is."""

_HELPS = 1.01
"""A gain below this is none to speak of."""


def bound_words(result: SimulationResult) -> str:
    """What takes most of the step, and what most of the rest: a sentence."""
    shares = {
        name: sum(result.stalls.get(cause, 0) for cause in causes) / max(result.total_cycles, 1)
        for name, causes in BOUNDS.items()
    }
    (first, most), (second, next_most) = sorted(shares.items(), key=lambda each: -each[1])[:2]
    beside = f", then by {second} ({percent(next_most)})" if next_most >= _NOTABLE else ""
    return f"The step is bound by {first} ({percent(most)} of its time){beside}."


_NOTABLE = 0.1
"""A share of the step below which nobody names a second bound."""


def help_words(result: SimulationResult) -> str:
    """What would help most, as simulated; empty where nobody asked."""
    if not result.what_if:
        return ""
    helping = [
        f"{each.change}: {times(each.gain)} as fast, {times(each.speedup_vs_dense)} against dense"
        for each in result.what_if
        if each.gain is not None and each.speedup_vs_dense is not None and each.gain >= _HELPS
    ]
    refused = [f"{each.change} ({each.reason})" for each in result.what_if if each.reason]
    cannot = f" What cannot be, or cannot run the step: {'; '.join(refused)}." if refused else ""
    if not helping:
        return f"Nothing that was tried makes it faster by a hundredth.{cannot}"
    return f"What would help, each alone and simulated: {'; '.join(helping[:3])}.{cannot}"
