"""What a schedule may say beyond the recipe's own ramps: phases one by one, parameters over time, repeated runs.

Declarations alone; ``run_plan`` makes stretches of equal steps of them.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ...configs.quantity import FormatText
from ...configs.section import Section
from .group_penalty import GroupPenalty

CourseShape = Literal["constant", "linear", "cubic", "cosine", "geometric", "steps"]


def left_to_go(shape: CourseShape, passed: float) -> float:
    """Share of a change that is still to come when a share of its updates has passed.

    >>> [round(left_to_go(shape, 0.25), 4) for shape in ("constant", "linear", "cubic", "cosine")]
    [0.0, 0.75, 0.4219, 0.8536]
    """
    left = 1 - passed
    match shape:
        case "cubic":
            return left**3
        case "linear":
            return left
        case "cosine":
            return (1 - math.cos(math.pi * left)) / 2
        case _:
            return 0.0


class Course(Section):
    """A parameter over the time of a phase: a value an update, updates evenly spread, the last one at the end value."""

    shape: CourseShape = Field(
        default="linear",
        description="what is left to come falls evenly, with the cube of the time left, by a half cosine, each value a "
        "fixed multiple of the one before it, or is given value by value (steps)",
    )
    start: float | None = Field(default=None, allow_inf_nan=False, description="before the first update")
    end: float | None = Field(default=None, allow_inf_nan=False, description="of the last update")
    updates: int = Field(default=10, ge=1, le=1000, description="values in turn; of steps as many as are given")
    values: tuple[float, ...] = Field(default=(), description="of steps: one after another")

    @model_validator(mode="after")
    def _says_what_its_shape_needs(self) -> Self:
        if (self.shape == "steps") != bool(self.values):
            need = "values" if self.shape == "steps" else "none: only steps have them"
            raise ValueError(f"values: got {list(self.values)} of {self.shape}, need {need}")
        if self.shape == "geometric" and not all(each is None or each > 0 for each in (self.start, self.end)):
            raise ValueError("start, end: got a value of a geometric course that is not above 0, need one that is")
        return self

    def over(self, start: float, end: float) -> tuple[float, ...]:
        """Its values in turn.

        Args:
            start: before the first update, unless the course says.
            end: of the last, unless the course says.

        >>> [round(each, 2) for each in Course(shape="cubic", updates=4).over(0.0, 80.0)]
        [46.25, 70.0, 78.75, 80.0]
        >>> Course(shape="geometric", updates=3).over(1.0, 0.125)
        (0.5, 0.25, 0.125)
        >>> Course(shape="constant").over(0.0, 3.0), Course(shape="steps", values=(1, 4)).over(0.0, 8.0)
        ((3.0,), (1.0, 4.0))
        """
        if self.shape == "steps":
            return self.values
        first = start if self.start is None else self.start
        last = end if self.end is None else self.end
        if self.shape == "constant":
            return (last,)
        shares = [number / self.updates for number in range(1, self.updates + 1)]
        if self.shape == "geometric":
            return tuple(first * (last / first) ** share for share in shares)
        return tuple(last + (first - last) * left_to_go(self.shape, share) for share in shares)


class DeclaredPhase(Section):
    """A phase of a run: some steps, and what holds in them."""

    name: str = Field(min_length=1, description="in reports")
    share: float | None = Field(default=None, gt=0, le=1, description="of all steps")
    steps: PositiveInt | None = Field(
        default=None, description="so many; what no phase says goes to the one that says neither"
    )
    sparsity: FormatText | Literal["dense", "full"] | tuple[FormatText, ...] = Field(
        default="full", description="dense, full (that of the run), one of its own, or several in turn, equally long"
    )
    zeros_percent: Course | None = Field(
        default=None,
        description="over the phase, from 0 to the run's unless said; N:M is at once at its full ratio",
    )
    pass_: Literal["training", "inference"] = Field(
        default="training", alias="pass", description="whole steps, or forward passes alone (a calibration)"
    )
    freeze: str = Field(default="", description="parameters that do not learn, as of --freeze")
    batch: PositiveInt | None = Field(default=None, description="samples of a step; the run's unless said")
    accumulate: PositiveInt = Field(default=1, description="micro-batches that a step is cut into")
    task: PositiveInt | None = Field(
        default=None,
        description="of several, one after another: the group of the data's classes, equally many in each, that it "
        "trains to tell apart. A task has masks of its own, drawn at random; weights of earlier ones stay as they are",
    )
    rewrites: Literal["none", "full"] | Course = Field(
        default="full",
        description="whether the recipe's rewrites hold: none, full, or of what keep takes away a share that changes "
        "over the phase, from 0 to 1 unless said",
    )
    groups_to_zero: GroupPenalty | None = Field(
        default=None,
        description="of channels, heads and neurons those that the next phase's rewrites leave out are driven to zero",
    )
    drawn: bool = Field(
        default=False,
        description="the values of rewrites are drawn, one for each step, all equally likely, rather than in turn: the "
        "network is trained whole, and each step trains one of those within it",
    )
    set_: dict[str, Course | bool | int | float | str | list[Any]] = Field(
        default={}, alias="set", description="fields of the recipe by their path, constant or over time"
    )

    @model_validator(mode="after")
    def _is_told_one_way(self) -> Self:
        if self.share is not None and self.steps is not None:
            raise ValueError(f"got share {self.share} and steps {self.steps}, need one of them")
        if self.zeros_percent is not None and self.sparsity != "full":
            raise ValueError("got sparsity and zeros_percent, need one of them")
        if not all(0 <= share <= 1 for share in self.rewritten_shares):
            raise ValueError(f"rewrites: got shares {list(self.rewritten_shares)}, need them between 0 and 1")
        return self

    @property
    def is_full(self) -> bool:
        """Whether whole steps at the run's own ratio end it."""
        return self.sparsity == "full" and self.pass_ == "training" and self.rewrites == "full"

    @property
    def rewritten_shares(self) -> tuple[float, ...]:
        """How much of the rewrites holds, one after another."""
        if isinstance(self.rewrites, Course):
            return self.rewrites.over(0.0, 1.0)
        return (0.0 if self.rewrites == "none" else 1.0,)


class Repeats(Section):
    """Pruned again and again: after a dense training each cycle prunes, rewinds and trains anew."""

    cycles: int = Field(ge=1, le=1000, description="of prune, rewind, retrain after the first training")
    density: Course = Field(
        default=Course(shape="geometric"), description="kept of the weights, cycle by cycle, from 1 to the run's"
    )
    retrain_share: float = Field(default=1.0, gt=0, le=1, description="of a training's steps, that each retraining has")
    rewind: Literal["weights", "learning-rate", "restart"] = Field(
        default="weights",
        description="what goes back to where a retraining begins in the first training: weights, optimizer and "
        "learning rate (a lottery ticket); the learning rate alone, with an optimizer that starts anew; or nothing: "
        "the learning rate starts anew, too, and falls from its highest over the retraining's own steps",
    )
    retrainings: PositiveInt = Field(default=1, description="of each cycle, whose weights are averaged (model soups)")

    @model_validator(mode="after")
    def _every_cycle_has_a_density(self) -> Self:
        values = self.density.values
        if values and len(values) != self.cycles:
            raise ValueError(f"density.values: got {len(values)}, need one a cycle, {self.cycles}")
        if not all(0 < each <= 1 for each in (*values, self.density.start or 1.0, self.density.end or 1.0)):
            raise ValueError("density: got a value outside, need shares above 0, at most 1")
        return self

    def densities(self, full: float) -> tuple[float, ...]:
        """Kept in each cycle.

        >>> [round(each, 3) for each in Repeats(cycles=3).densities(0.512)]
        [0.8, 0.64, 0.512]
        """
        if self.density.shape in ("steps", "constant"):
            return self.density.over(1.0, full) * (1 if self.density.values else self.cycles)
        return self.density.model_copy(update={"updates": self.cycles}).over(1.0, full)
