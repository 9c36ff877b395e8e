"""Numbers as people read them: three significant digits, an SI prefix, and always the unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
Formatter = Callable[[float], str]
"""Words a figure."""

_SMALLEST, _LARGEST = min(_PREFIXES), max(_PREFIXES)


def significant(value: float, digits: int = 3) -> str:
    """The value to ``digits`` significant digits, without an exponent; from five places on with separators.

    >>> significant(0.65651), significant(1723.4), significant(2), significant(113419.3)
    ('0.657', '1723', '2.00', '113,419')
    """
    if value == 0:
        return "0"
    # Round first: 9.996 is 10.0, not 10.00.
    rounded = float(f"{value:.{digits - 1}e}") if abs(value) < 10 ** (digits - 1) else value
    if abs(rounded) >= 10_000:
        return f"{rounded:,.0f}"
    return f"{rounded:.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def scaled(value: float, unit: str, *, whole: bool = False) -> str:
    """The value with an SI prefix and its unit.

    Args:
        value: in the unit without prefix.
        unit: such as ``B``.
        whole: the value counts something, so that a small one has no decimals.

    >>> scaled(16_660_000_000, "cycles"), scaled(0.0123, "J"), scaled(12, "MACs", whole=True)
    ('16.7 G cycles', '12.3 mJ', '12 MACs')
    """
    if not math.isfinite(value):
        return f"{value} {unit}"
    power = _power(value, whole=whole)
    if power == 0:
        return f"{value:.0f} {unit}" if whole or value == 0 else f"{significant(value)} {unit}"
    number = significant(value / 10**power)
    # A prefix belongs to a unit's symbol, but not to a word.
    return f"{number} {_PREFIXES[power]}{'' if len(unit) <= 2 else ' '}{unit}"


def axis_scale(values: Iterable[float]) -> tuple[float, str]:
    """The divisor and prefix that suit the largest of the values: what an axis is labelled with."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    power = _power(largest)
    return 10.0**power, _PREFIXES[power]


def cycles(value: float) -> str:
    """Clock cycles."""
    return scaled(value, "cycles", whole=True)


def count(value: float) -> str:
    """A count whose unit stands in a heading or on an axis.

    >>> count(16_660_000_000), count(0)
    ('16.7 G', '0')
    """
    return scaled(value, "", whole=True).strip()


def seconds(value: float) -> str:
    """Seconds."""
    return scaled(value, "s")


def duration(value: float) -> str:
    """Seconds as people plan by them.

    >>> duration(0.25), duration(90), duration(1234), duration(82_300), duration(864_000)
    ('250 ms', '90.0 s', '20.6 min', '22.9 h', '10.0 days')
    """
    for unit, length, least in (("days", 86400, 172800), ("h", 3600, 7200), ("min", 60, 120)):
        if value >= least:
            return f"{significant(value / length)} {unit}"
    return seconds(value)


def joules(value: float) -> str:
    """Joules."""
    return scaled(value, "J")


def byte_count(value: float) -> str:
    """Bytes, decimal prefixes: 1 kB is 1000 bytes."""
    return scaled(value, "B", whole=True)


def macs(value: float) -> str:
    """Multiply-accumulates."""
    return scaled(value, "MACs", whole=True)


def times(value: float) -> str:
    """A ratio.

    >>> times(1.7512)
    '1.75x'
    """
    return f"{value:.2f}x"


def percent(fraction: float) -> str:
    """A fraction as per cent; one decimal below ten, and never all or nothing for what is not quite.

    >>> percent(0.4321), percent(0.0432), percent(0.0), percent(0.0001), percent(0.9996)
    ('43%', '4.3%', '0%', '<0.1%', '>99.9%')
    """
    if fraction in (0, 1):
        return f"{100 * fraction:.0f}%"
    if 0 < fraction < 0.0005:
        return "<0.1%"
    if 0.9995 <= fraction < 1:
        return ">99.9%"
    return f"{100 * fraction:.1f}%" if abs(fraction) < 0.0995 or 0.995 <= fraction < 1 else f"{100 * fraction:.0f}%"


def _power(value: float, *, whole: bool = False) -> int:
    if value == 0:
        return 0
    # 999.6 rounds to 1000 and so takes the next prefix.
    power = 3 * math.floor(math.log10(float(f"{abs(value):.2e}")) / 3)
    return max(0 if whole else _SMALLEST, min(_LARGEST, power))
