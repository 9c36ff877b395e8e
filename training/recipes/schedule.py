"""What a recipe changes over a training run: ramps of its own, STEP's switch, or phases and repetitions."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ...configs.section import Section
from .courses import DeclaredPhase, Repeats, left_to_go


class VarianceSwitch(Section):
    """STEP's rule: dense Adam until its second moment settles, then N:M with that moment frozen."""

    earliest_share: float = Field(default=0.1, ge=0, le=1, description="of all steps, before which it never switches")
    latest_share: float = Field(default=0.5, ge=0, le=1, description="of all steps, at which it switches at last")
    change: float = Field(default=1e-8, gt=0, description="mean change of the second moment a step that counts as none")
    average: Literal["arithmetic", "geometric"] = Field(default="arithmetic", description="over the weights")

    @model_validator(mode="after")
    def _earliest_is_first(self) -> Self:
        if self.earliest_share > self.latest_share:
            raise ValueError(f"earliest_share: got {self.earliest_share}, need at most latest_share")
        return self


class Ramp(Section):
    """A share of zeros that grows, update by update, from an initial one to the full."""

    shape: Literal["cubic", "linear", "cosine"] = Field(
        default="cubic",
        description="zeros left to come fall with the cube of the time left, evenly, or by a half cosine",
    )
    initial_percent: float = Field(default=0.0, ge=0, lt=100, description="zeros before the first update")
    updates: int = Field(default=10, ge=1, le=1000, description="of the masks, evenly spread; the last one is full")

    def zeros_percent(self, full: float, update: int) -> float:
        """Zeros after an update, the first is 1, on the way to a full share.

        >>> [round(Ramp(updates=4).zeros_percent(80.0, update), 2) for update in (1, 2, 3, 4)]
        [46.25, 70.0, 78.75, 80.0]
        """
        share = left_to_go(self.shape, update / self.updates)
        return full + (min(self.initial_percent, full) - full) * share


class RecipeSchedule(Section):
    """What changes over a training run. Shares are of all its steps; nothing changes unless something here says so."""

    dense_share: float = Field(default=0.0, ge=0, le=1, description="trained dense first")
    final_share: float = Field(default=0.0, ge=0, le=1, description="trained last with the hard mask at the full ratio")
    shares_of: Literal["steps", "compute"] = Field(
        default="steps",
        description="what dense_share and final_share are of: all steps, or the compute of the run, a step's being the "
        "share of pruned weights that it keeps",
    )
    leak: Literal["linear", "exponential"] | None = Field(
        default=None, description="between them pruned weights count with a factor that falls from 1 (MDGF)"
    )
    leak_folds: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="of an exponential leak: factors of e that it falls by"
    )
    frames: Literal["stepwise", "geometric"] | None = Field(
        default=None, description="between them the ratio tightens in equal frames (SDGF)"
    )
    ramp: Ramp | None = Field(
        default=None,
        description="between them a share of zeros grows update by update; N:M is at its full ratio at once",
    )
    switch: VarianceSwitch | None = Field(default=None, description="dense until Adam's variance settles (STEP)")
    phases: tuple[DeclaredPhase, ...] = Field(default=(), description="one by one, in place of all of the above")
    repeats: Repeats | None = Field(default=None, description="prune, rewind, retrain, again and again")

    @model_validator(mode="after")
    def _one_change_at_a_time(self) -> Self:
        said = [name for name in ("leak", "frames", "ramp", "switch", "repeats") if getattr(self, name) is not None]
        said += ["phases"] if self.phases else []
        if len(said) > 1:
            raise ValueError(f"got {' and '.join(said)}, need one of them")
        if {*said} & {"phases", "repeats"} and (self.dense_share or self.final_share):
            raise ValueError(f"got {said[0]} with dense_share or final_share, need {said[0]} alone to say when")
        if sum(phase.share or 0.0 for phase in self.phases) > 1 + 1e-9:
            raise ValueError("phases: got shares of more than 1 together, need at most 1")
        if sum(phase.share is None and phase.steps is None for phase in self.phases) > 1:
            raise ValueError("phases: got several without share and steps, need at most one, which takes the rest")
        tasks = [phase.task or 0 for phase in self.phases]
        if any(tasks) and tasks != list(range(1, len(tasks) + 1)):
            raise ValueError(f"phases: got tasks {', '.join(map(str, tasks))}, need one a phase, from 1 on, in order")
        if any(tasks) and not all(phase.sparsity == "full" and not phase.zeros_percent for phase in self.phases):
            raise ValueError(
                "phases: got a task with sparsity or zeros_percent, need the run's own: its masks are drawn"
            )
        if self.switch is not None and (self.dense_share or self.final_share):
            raise ValueError("got switch with dense_share or final_share, need the switch alone to say when")
        if self.dense_share + self.final_share > 1:
            raise ValueError(
                f"got dense_share + final_share of {self.dense_share + self.final_share:g}, need at most 1"
            )
        return self
