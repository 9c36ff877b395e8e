"""Time that can be skipped: simpy's clock, and the cycles of repeating work that was not played.

Everything pending is relative to simpy's own time, so skipping changes nothing that is under way.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

Process = Generator[simpy.Event, Any, None]
"""What runs on a clock: it yields events, is resumed when they come, and is sent their values."""


class Clock:
    """The cycle counter of one machine.

    Attributes:
        environment: plays the events.
        skipped_cycles: of repetitions that were not played.
    """

    def __init__(self) -> None:
        self.environment = simpy.Environment()
        self.skipped_cycles = 0

    @property
    def now(self) -> int:
        """The cycle that it is, skipped ones included."""
        return int(self.environment.now) + self.skipped_cycles

    def wait(self, cycles: int) -> simpy.Timeout:
        """An event that many cycles ahead."""
        return self.environment.timeout(cycles)
