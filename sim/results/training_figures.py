"""Time and energy of a whole training run, as plain data: phases of steps that cost alike, and their sums.

Training steps alone: no validation, no loading of data, no host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ...configs.formats import parse_format
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
        name: that the schedule gives it, or empty.
        pass_: ``training``, or ``inference`` of forward passes alone.
        times: that all of it is trained.
        step_useful_macs: multiply-accumulates of each step that the algorithm keeps.
        event_cycles: of what happens every so many steps, or once, in all of it.
        event_seconds: the same.
        event_joules: the same.
        event_useful_macs: the same; below 0 where it does without some of a step's.
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
    name: str = ""
    pass_: str = "training"
    times: int = 1
    step_useful_macs: int = 0
    event_cycles: int = 0
    event_seconds: float = 0.0
    event_joules: float = 0.0
    event_useful_macs: int = 0

    @property
    def cycles(self) -> int:
        """Of all of it."""
        return self.times * self.steps * self.step_cycles + self.event_cycles

    @property
    def seconds(self) -> float:
        """Of all of it."""
        return self.times * self.steps * self.step_seconds + self.event_seconds

    @property
    def joules(self) -> float:
        """Of all of it."""
        return self.times * self.steps * self.step_joules + self.event_joules

    @property
    def useful_macs(self) -> int:
        """Of all of it."""
        return self.times * self.steps * self.step_useful_macs + self.event_useful_macs


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEvent:
    """Work of a method that is not in every step, over a whole run: what the steps with it take beyond those without.

    Attributes:
        name: of the work.
        engine: that does it, see ``accel.engines.ENGINES``.
        every_steps: from one time to the next; 0 of what is done once a cycle.
        times: in the run.
        cycles: of all of them.
        seconds: of all of them.
        joules: of all of them.
        useful_macs: of all of them.
    """

    name: str
    engine: str
    every_steps: int
    times: int
    cycles: int
    seconds: float
    joules: float
    useful_macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A whole training run: a weighted sum of simulated steps.

    Attributes:
        steps: of the run; of one training where it is repeated.
        switch_step: after which STEP switched; None for recipes without a switch.
        switch_assumed: nobody said when it did: at the latest step.
        phases: in order; together they are all steps, those of every repetition.
        total_cycles: of the run.
        seconds: of the run.
        joules: of the run.
        dense_cycles: of as many dense steps as ``steps``.
        dense_seconds: of as many dense steps.
        dense_joules: of as many dense steps.
        speedup_vs_dense: dense cycles over these.
        energy_ratio_vs_dense: these joules over the dense ones; below 1 saves.
        useful_macs: multiply-accumulates that the algorithm keeps, over the run.
        dense_useful_macs: of as many dense steps.
        events: what happens every so many steps; counted in the phases.
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
    useful_macs: int = 0
    dense_useful_macs: int = 0
    events: tuple[TrainingEvent, ...] = ()

    @property
    def all_steps(self) -> int:
        """Steps of every repetition."""
        return sum(phase.steps * phase.times for phase in self.phases)

    @property
    def average_density(self) -> float:
        """Mean share of what is pruned that a training step keeps: times its weights, the average parameter count.

        As the recipe declares it of the network; where pruned weights still count, all are kept.
        """
        trained = [(phase.steps * phase.times, phase) for phase in self.phases if phase.pass_ == "training"]
        kept = sum_in_order(steps * _density(phase) for steps, phase in trained)
        return kept / max(sum(steps for steps, _ in trained), 1)

    def seconds_after(self, steps: int) -> float:
        """Seconds of the first so many steps; what happens every so many of them is spread over its phase."""
        return self._of_first(steps, lambda phase: (phase.step_seconds, phase.event_seconds))

    def joules_after(self, steps: int) -> float:
        """Joules of the first so many steps, likewise."""
        return self._of_first(steps, lambda phase: (phase.step_joules, phase.event_joules))

    def _of_first(self, steps: int, each: Callable[[TrainingPhase], tuple[float, float]]) -> float:
        return sum_in_order(self._of_phase(phase, steps, *each(phase)) for phase in self.phases)

    @staticmethod
    def _of_phase(phase: TrainingPhase, steps: int, of_step: float, of_events: float) -> float:
        own = phase.steps * phase.times
        done = min(max(steps - phase.first_step, 0), own)
        return done * of_step + (done / own * of_events if of_events else 0.0)

    def document(self) -> dict[str, Any]:
        """The run as plain data, ready for JSON."""
        return {**asdict(self), "phases": [asdict(each) for each in self.phases]} | {
            "events": [asdict(each) for each in self.events]
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> TrainingRun:
        """The run that a document was made of; one that was written before events were tracked has none."""
        return cls(
            **document
            | {
                "phases": tuple(TrainingPhase(**each) for each in document["phases"]),
                "events": tuple(TrainingEvent(**each) for each in document.get("events", ())),
            }
        )


def _density(phase: TrainingPhase) -> float:
    return 1.0 if phase.kind in ("dense", "leak") else parse_format(phase.sparsity).density
