"""Which names of a sweep depend on which, directly or through others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from graphlib import TopologicalSorter

from .fields import HARDWARE, OPTIONS


def needed_by(
    mentioned: Mapping[str, Iterable[str]], setting: Collection[str], settled: Collection[str]
) -> dict[str, frozenset[str]]:
    """What each name depends on, through whatever chain.

    Args:
        mentioned: of each name with an expression, the names in it.
        setting: names that are axes or derived.
        settled: names whose value never comes from elsewhere: axes that always apply, and what the base gives outright.

    Raises:
        graphlib.CycleError: they depend on each other in a circle.

    >>> sorted(needed_by({"a": ["b"], "b": ["hardware.clock_hz"]}, ["a", "b", "hardware"], [])["a"])
    ['b', 'hardware', 'hardware.clock_hz']
    """
    direct = {}
    for name, names in mentioned.items():
        direct[name] = set(names)
        for each in names:
            if each not in settled:
                direct[name] |= {other for other in setting if follows(each, other)}
    every: dict[str, frozenset[str]] = {}
    for name in TopologicalSorter(direct).static_order():
        inner = direct.get(name, set())
        every[name] = frozenset(inner).union(*(every[each] for each in inner))
    return every


def follows(name: str, other: str) -> bool:
    """Whether a name that nothing sets may have its value from another one.

    >>> follows("hardware.clock_hz", "hardware"), follows("sparsity.kept", "sparsity"), follows("a", "b")
    (True, True, False)
    """
    if other == "hardware":
        return name.startswith((HARDWARE, OPTIONS))
    if other.startswith(HARDWARE):
        # A field of a part; an option that is left open is the design's policy.
        option = f"{OPTIONS}{other.rpartition('.')[2]}"
        return name.startswith(f"{other}.") or name == option
    return (other == "sparsity" and name.startswith("sparsity.")) or (other == "workload" and name == "batch")
