"""How a study's axes, settings and figures are worded: short labels, sizes with units, ratios to the base design."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...sim.studies.explore.figures import ACCURACY
from ...sim.studies.explore.part_figures import about
from ..shared.quantities import byte_count, percent, scaled, significant, times

_UNITS = ("_bytes_per_second", "_bytes", "_hz", "_seconds")
_BINARY = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_SHORT = {
    "step_seconds": "step time",
    "energy_joules": "energy",
    "energy_delay_joule_seconds": "energy-delay product",
    "total_cycles": "cycles",
    "pe_count": "processing elements",
    "on_chip_bytes": "on-chip capacity",
    "dram_bytes": "DRAM traffic",
    "samples_per_joule": "samples a joule",
    "samples_per_second": "samples a second",
    "array_utilisation": "array utilisation",
    "speedup_vs_dense": "speedup against dense",
    "energy_ratio_vs_dense": "energy against dense",
    "memory.peak_bytes": "peak memory",
    ACCURACY: "accuracy",
}
_SHARES = ("array_utilisation", ACCURACY)
NOTHING = "–"


def axis_labels(names: Sequence[str]) -> dict[str, str]:
    """A label for each axis: its shortest tail that no other has, without the unit, an engine without that word.

    >>> names = ["hardware.tensor_engine.rows", "hardware.buffers.west.capacity_bytes",
    ...          "hardware.buffers.north.capacity_bytes", "hardware.clock_hz", "sparsity"]
    >>> list(axis_labels(names).values())
    ['rows', 'west.capacity', 'north.capacity', 'clock', 'sparsity']
    """
    parts = {name: [word.removesuffix("_engine") for word in _without_unit(name).split(".")] for name in names}
    counts = Counter(tail for words in parts.values() for tail in _tails(words))
    labels = {}
    for name, words in parts.items():
        labels[name] = next((tail for tail in _tails(words) if counts[tail] == 1), name)
    return labels


def _tails(words: Sequence[str]) -> list[str]:
    return [".".join(words[at:]) for at in range(len(words) - 1, -1, -1)]


def _without_unit(name: str) -> str:
    return name.removesuffix(_unit_of(name))


def _unit_of(name: str) -> str:
    return next((unit for unit in _UNITS if name.endswith(unit)), "")


def setting_text(axis: str, value: Any) -> str:
    """A value of an axis, with the unit that the axis's name tells.

    >>> setting_text("hardware.clock_hz", 2e8), setting_text("hardware.buffers.west.capacity_bytes", 2 * 2**20)
    ('200 MHz', '2 MiB')
    >>> setting_text("hardware.dram.channel_bytes_per_second", 19.2e9), setting_text("rows", 32)
    ('19.2 GB/s', '32')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, int | float):
        return str(value)
    unit = _unit_of(axis)
    if unit == "_bytes":
        return size(value)
    if unit == "_bytes_per_second":
        return f"{byte_count(value)}/s"
    if unit:
        return scaled(value, {"_hz": "Hz", "_seconds": "s"}[unit])
    return f"{value:g}" if isinstance(value, float) else str(value)


def size(value: float) -> str:
    """Bytes, with a binary prefix where at most one decimal tells them.

    >>> size(2 * 2**20), size(1.5 * 2**20), size(1_000_000)
    ('2 MiB', '1.5 MiB', '1.00 MB')
    """
    for unit, name in _BINARY:
        if value >= unit and 10 * value % unit == 0:
            return f"{value / unit:g} {name}"
    return byte_count(value)


def settings_text(settings: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """A configuration in a line: ``rows 32, cols 32, sparsity 2:8``."""
    return ", ".join(f"{labels.get(axis, axis)} {setting_text(axis, value)}" for axis, value in settings.items())


def figure_name(figure: str) -> str:
    """A figure in a word or two.

    >>> figure_name("step_seconds"), figure_name("stalls.west")
    ('step time', 'cycles of the tensor engine by cause: west, step')
    """
    return _SHORT.get(figure) or about(figure).title


def figure_text(figure: str, value: float) -> str:
    """A figure with its unit.

    >>> figure_text("step_seconds", 0.0123), figure_text("energy_delay_joule_seconds", 0.0042)
    ('12.3 ms', '4.20 mJ s')
    >>> figure_text("pe_count", 1024), figure_text("samples_per_joule", 31.4), figure_text("speedup_vs_dense", 1.5)
    ('1,024', '31.4 /J', '1.50x')
    """
    if math.isnan(value):
        return NOTHING
    if figure.rpartition(".")[2] in _SHARES:
        return f"{100 * value:.2f}%" if figure == ACCURACY else percent(value)
    known = about(figure)
    if figure in ("on_chip_bytes", "memory.peak_bytes"):
        return size(value)
    if known.unit == "J s":
        return f"{scaled(value, 'J')} s"
    if known.unit.startswith("1/"):
        return scaled(value, known.unit.removeprefix("1"))
    if known.unit:
        return scaled(value, known.unit, whole=known.whole)
    if known.whole:
        return f"{value:,.0f}"
    return times(value) if "speedup" in figure or "ratio" in figure else significant(value)


def listed(words: Sequence[str]) -> str:
    """Words joined as in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def many(number: int, word: str) -> str:
    """A count with its noun.

    >>> many(1, "design"), many(20736, "design")
    ('1 design', '20,736 designs')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"
