"""What a sweep file says: a base, axes over it, fields that follow from them, constraints, objectives, a strategy.

Structure only: what the names in it mean, and whether the values suit the fields that they set, is checked where a
sweep is loaded, see ``loading``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ....configs.quantity import FormatText
from ....configs.section import Section

MOST_OBJECTIVES = 4
"""Past four, nearly every design is on the front, and a front says nothing."""


class Base(Section):
    """What every point has unless an axis says otherwise."""

    hardware: str | None = Field(default=None, description="name or path of the design")
    workload: str | None = Field(default=None, description="name or path of the workload")
    recipe: str | None = Field(default=None, description="name or path of the recipe")
    sparsity: FormatText | None = Field(default=None, description="N:M")
    batch: PositiveInt | None = Field(default=None, description="samples; the workload's own when not given")
    options: dict[str, Any] = Field(default_factory=dict, description="how steps are scheduled")


class Goal(Section):
    """One objective, by the figure that it is about."""

    minimise: str | None = Field(default=None, description="figure of which less is better")
    maximise: str | None = Field(default=None, description="figure of which more is better")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.minimise is None) == (self.maximise is None):
            got = "neither" if self.minimise is None else "both"
            raise ValueError(f"got {got} of minimise and maximise, need one of them")
        return self

    @property
    def figure(self) -> str:
        """What it is about."""
        figure = self.maximise if self.minimise is None else self.minimise
        assert figure is not None, "one of them is given"
        return figure


class Exhaustive(Section):
    """Every design."""

    name: Literal["exhaustive"] = "exhaustive"


class Sobol(Section):
    """Designs spread evenly over the space, by a scrambled Sobol sequence."""

    name: Literal["sobol"]
    points: int = Field(ge=1, le=1_000_000, description="designs, each another")
    seed: int = Field(default=0, ge=0, description="of the scrambling")


class NonDominatedSorting(Section):
    """NSGA-II: a population that is bred towards the front."""

    name: Literal["nsga2"]
    evaluations: int = Field(ge=1, le=1_000_000, description="designs, each another")
    population: int = Field(default=64, ge=2, le=10_000, description="designs of a generation")
    seed: int = Field(default=0, ge=0, description="of every choice")


class ParzenEstimator(Section):
    """TPE: a model of where good designs lie, multivariate."""

    name: Literal["tpe"]
    evaluations: int = Field(ge=1, le=100_000, description="designs, each another")
    batch: int = Field(default=32, ge=1, le=10_000, description="designs asked for before the model learns of them")
    seed: int = Field(default=0, ge=0, description="of every choice")


Strategy = Annotated[Exhaustive | Sobol | NonDominatedSorting | ParzenEstimator, Field(discriminator="name")]
"""How designs are chosen."""


class Sweep(Section):
    """A whole sweep, its axes as they were written."""

    name: str = Field(pattern=r"^[^/\\]+$", description="without a slash: it names folders")
    title: str = ""
    base: Base = Base()
    axes: dict[str, Any] = Field(min_length=1, description="what varies, by name")
    scenarios: dict[str, Any] = Field(default_factory=dict, description="what every design is judged over")
    derived: dict[str, str] = Field(default_factory=dict, description="what follows from the axes")
    constraints: tuple[str, ...] = Field(default=(), description="what a design must be")
    objectives: tuple[Goal, ...] = Field(min_length=1, max_length=MOST_OBJECTIVES, description="what is sought")
    strategy: Strategy = Exhaustive()
    accuracy: str | None = Field(default=None, description="directory of a co-design study")
