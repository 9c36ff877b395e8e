"""What the mapping search minimises: time, energy, or their product.

Each grows with time, so a bound on time bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..accel.energy import EnergyModel
from ..accel.specification import Hardware
from ..configs.arrays import FloatArray, IntArray

Name = Literal["time", "energy", "energy-delay"]
NAMES: tuple[Name, ...] = get_args(Name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One of the names, with what it takes to price a candidate.

    Attributes:
        name: what is minimised.
        energy: prices of the design's actions; ``time`` does not look at them.
    """

    name: Name
    energy: EnergyModel | None = None

    def __post_init__(self) -> None:
        if self.needs_energy and self.energy is None:
            raise ValueError(f"objective {self.name} needs an energy model")

    @property
    def needs_energy(self) -> bool:
        """Whether candidates must be priced."""
        return self.name != "time"

    def value(self, hardware: Hardware, cycles: IntArray, dynamic_joules: FloatArray | None) -> FloatArray:
        """The value of candidates that take ``cycles`` and spend ``dynamic_joules``; arrays broadcast."""
        time = cycles.astype(np.float64)
        if self.energy is None or dynamic_joules is None or not self.needs_energy:
            return time
        joules: FloatArray = dynamic_joules + self.energy.static_watts * time / hardware.clock_hz
        return joules * time if self.name == "energy-delay" else joules


TIME = Objective(name="time")
