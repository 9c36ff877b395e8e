"""How a figure stands to the dense step's, in words."""

from __future__ import annotations

from .quantities import percent, times

EVEN = 0.005
"""A ratio this close to 1 is no gain and no loss."""


def speed_words(speedup: float) -> str:
    """A speedup in words.

    >>> speed_words(1.754), speed_words(0.8), speed_words(1.001)
    ('1.75x as fast as dense', '0.80x as fast as dense (slower)', 'as fast as dense')
    """
    if abs(speedup - 1) < EVEN:
        return "as fast as dense"
    return f"{times(speedup)} as fast as dense{' (slower)' if speedup < 1 else ''}"


def energy_words(ratio: float) -> str:
    """An energy ratio in words: below 1 saves.

    >>> energy_words(0.66), energy_words(1.2), energy_words(1.0)
    ('0.66x its energy (saves 34%)', '1.20x its energy (costs 20% more)', 'the same energy')
    """
    if abs(ratio - 1) < EVEN:
        return "the same energy"
    change = f"saves {percent(1 - ratio)}" if ratio < 1 else f"costs {percent(ratio - 1)} more"
    return f"{times(ratio)} its energy ({change})"
