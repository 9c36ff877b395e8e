"""Time and energy of a whole training run, as plain data: phases of steps that cost alike, and their sums.

Training steps alone: no validation, no loading of data, no host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ...configs.sums import sum_in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPhase:
    """Consecutive steps that cost alike.

    Attributes:
        kind: ``dense``, ``leak``, ``frame`` or ``sparse``, see ``training.recipes.phases``.
        first_step: counted from 0.
        steps: how many.
        sparsity: N:M that is trained with, or ``dense``.
        costs_as: N:M that is simulated, or ``dense``.
        reason: why the two differ, or empty.
        optimizer: of the updates, see ``accel.engines.OPTIMIZERS``.
        step_cycles: of each step.
        step_seconds: of each step.
        step_joules: of each step.
    """

    kind: str
    first_step: int
    steps: int
    sparsity: str
    costs_as: str
    reason: str
    optimizer: str
    step_cycles: int
    step_seconds: float
    step_joules: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A whole training run: a weighted sum of simulated steps.

    Attributes:
        steps: of the run.
        switch_step: after which STEP switched; None for recipes without a switch.
        switch_assumed: nobody said when it did: at the latest step.
        phases: in order; together they are all steps.
        total_cycles: of the run.
        seconds: of the run.
        joules: of the run.
        dense_cycles: of as many dense steps.
        dense_seconds: of as many dense steps.
        dense_joules: of as many dense steps.
        speedup_vs_dense: dense cycles over these.
        energy_ratio_vs_dense: these joules over the dense ones; below 1 saves.
    """

    steps: int
    switch_step: int | None
    switch_assumed: bool
    phases: tuple[TrainingPhase, ...]
    total_cycles: int
    seconds: float
    joules: float
    dense_cycles: int
    dense_seconds: float
    dense_joules: float
    speedup_vs_dense: float
    energy_ratio_vs_dense: float

    def seconds_after(self, steps: int) -> float:
        """Seconds of the first so many steps."""
        return self._of_first(steps, lambda phase: phase.step_seconds)

    def joules_after(self, steps: int) -> float:
        """Joules of the first so many steps."""
        return self._of_first(steps, lambda phase: phase.step_joules)

    def _of_first(self, steps: int, each: Callable[[TrainingPhase], float]) -> float:
        return sum_in_order(min(max(steps - phase.first_step, 0), phase.steps) * each(phase) for phase in self.phases)

    def document(self) -> dict[str, Any]:
        """The run as plain data, ready for JSON."""
        return {**asdict(self), "phases": [asdict(phase) for phase in self.phases]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> TrainingRun:
        """The run that a document was made of."""
        return cls(**document | {"phases": tuple(TrainingPhase(**each) for each in document["phases"])})
