"""What would help a step, each change simulated, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A step on the design with one thing changed. There are no figures where that cannot be, or cannot run it.

    Attributes:
        change: in words.
        fields: new values by dotted name, as ``--set`` takes them.
        step_seconds: of the step.
        gain: the step's time without the change over its time with it.
        speedup_vs_dense: of the step, over a dense step on the same changed design.
        energy_ratio_vs_dense: likewise.
        reason: why there are no figures; empty where there are.
    """

    change: str
    fields: dict[str, Any]
    step_seconds: float | None = None
    gain: float | None = None
    speedup_vs_dense: float | None = None
    energy_ratio_vs_dense: float | None = None
    reason: str = ""
