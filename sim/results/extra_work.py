"""What a method costs in a step beside its products and masks, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraWorkShare:
    """One piece of work that a recipe declares, over the layers that it is done to.

    Attributes:
        name: of the work.
        engine: that does it, see ``accel.engines.ENGINES``.
        every_steps: between two times: a step has its part of what is spread over several; 1 where every step has all.
        cycles: exposed: what the step would be shorter by.
        busy_cycles: of the engine.
        joules: of the work; static power for its exposed time added.
        share_of_time: of the step's.
        share_of_energy: of the step's.
    """

    name: str
    engine: str
    every_steps: int
    cycles: int
    busy_cycles: int
    joules: float
    share_of_time: float
    share_of_energy: float
