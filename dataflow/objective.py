"""What the mapping search minimises: time, energy, or their product.

Each grows with time, so a bound on time bounds it. Mappings whose times differ by less than ``ALIKE`` are equally fast:
of these the one that takes the least energy is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..accel.energy import COMPONENT_OF, EnergyModel
from ..accel.specification import Hardware
from ..configs.arrays import Counts, FloatArray
from ..configs.errors import ConfigError

ALIKE = 1000
"""Mappings that take up to one part in so many longer than the fastest count as fast."""

NEVER = 1 << 60
"""Cycles, or bytes, of what is not there: more than anything takes, and far from the end of 64 bits."""

Name = Literal["time", "energy", "energy-delay"]
NAMES: tuple[Name, ...] = get_args(Name)


def parse_objective(text: str) -> Name:
    """Read the name of an objective.

    Raises:
        ConfigError: there is none of this name.

    >>> parse_objective("energy")
    'energy'
    """
    for name in NAMES:
        if text == name:
            return name
    raise ConfigError(f"objective: got {text!r}, need one of {', '.join(NAMES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One of the names, with what it takes to price a candidate.

    Attributes:
        name: what is minimised.
        energy: prices of the design's actions; None only for ``time``, which then asks for the fewest bytes in DRAM.
    """

    name: Name
    energy: EnergyModel | None = None

    def __post_init__(self) -> None:
        if self.needs_energy and self.energy is None:
            raise ValueError(f"objective {self.name} needs an energy model")

    @property
    def needs_energy(self) -> bool:
        """Whether energy is part of what is minimised, and not only what decides between the fastest."""
        return self.name != "time"

    @property
    def prices(self) -> EnergyModel:
        """By which mappings that are equally fast are told apart."""
        return self.energy or BYTES_ALONE

    def joules(self, hardware: Hardware, cycles: Counts, dynamic_joules: FloatArray) -> FloatArray:
        """Energy of candidates that take ``cycles`` and spend ``dynamic_joules`` otherwise; arrays broadcast."""
        found: FloatArray = joules_in_all(dynamic_joules, self.prices.static_watts, cycles, hardware.clock_hz)
        return found

    def value(self, hardware: Hardware, cycles: Counts, dynamic_joules: FloatArray | None) -> FloatArray:
        """The value of candidates that take ``cycles`` and spend ``dynamic_joules``; arrays broadcast."""
        time: FloatArray = cycles.astype(np.float64)
        if self.energy is None or dynamic_joules is None or not self.needs_energy:
            return time
        joules = self.joules(hardware, cycles, dynamic_joules)
        return joules * time if self.name == "energy-delay" else joules


BYTES_ALONE = EnergyModel(prices_pj=dict.fromkeys(COMPONENT_OF, 0.0) | {"dram_bits": 1.0}, static_watts=0.0)
"""Prices where nothing is known of a design's energy but that most of it goes into DRAM."""

TIME = Objective(name="time")
"""Time, and of what is equally fast the fewest bytes between DRAM and chip."""


def joules_in_all(dynamic_joules: Any, static_watts: Any, cycles: Any, clock_hz: Any) -> Any:
    """Joules of actions, and of power that flows meanwhile."""
    return dynamic_joules + static_watts * cycles / clock_hz


def slowest_alike(cycles: Counts) -> Counts:
    """Cycles up to which a mapping is as fast as one that takes so many.

    >>> slowest_alike(123_456)
    123579
    """
    return slower_by_a_part(cycles, ALIKE)


def slower_by_a_part(cycles: Counts, parts: int) -> Counts:
    """Cycles and one part of so many more, whole ones."""
    return cycles + cycles // parts
