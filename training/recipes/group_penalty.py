"""Groups of weights driven to zero in a phase of a run: which rule drives them, and how strongly.

A group is all that makes one channel, or one neuron, of coupled layers: rows of their weights, their biases, gains and
shifts of the normalisations behind them. Where a whole group is zero so is what it makes, and removing it changes
nothing. How many of them become zero is what a ``keep`` of the next phase leaves out. Declarations alone;
``in_torch.group_steps`` has the rules, a function a file; what they cost is made of them here, so that the declaration
that trains is the one that is priced.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ...configs.section import Section
from .extra_work import ExtraWork

GroupRule = Literal["gradual", "half-space", "masked", "envelope"]
"""How groups come to be zero. Each is a function in ``in_torch.group_steps``."""

_OPERATIONS: dict[GroupRule, float] = {"gradual": 1.0, "half-space": 11.0, "masked": 2.0, "envelope": 3.0}
"""Operations a weight and update.

Gradual: a product. Half-space: a product and a sum for each of x g, x x and g g, two for the penalty's step, two for
the product of the weights before and after, one to set. Masked: a sign's product and a sum. Envelope: a product and a
sum for the norm, a product to shrink.
"""

_TO_CHOOSE: dict[GroupRule, float] = {"gradual": 6.0, "half-space": 6.0, "masked": 2.0, "envelope": 0.0}
"""Operations a weight when groups are chosen: a product and a sum for each of x x, x g and g g; of gains x x alone."""

_TWICE: frozenset[GroupRule] = frozenset({"half-space", "envelope"})
"""Rules that know what to do with a weight when all of its group was seen: it is read again, and written."""


class GroupPenalty(Section):
    """Groups driven to zero over a phase; at its end what is left of them is set to zero."""

    rule: GroupRule = Field(
        description="gradual: chosen in periods by saliency and shrunk to zero within each (HESSO); half-space: "
        "penalised by their norm, and set to zero where an update leaves the half-space of their direction (DHSPG of "
        "OTOv2 and OTOv3); masked: chosen once, their gains alone regularised (MaskSparsity); envelope: all of them "
        "under the proximal step of the group sparse envelope, whose level is the number that is kept (WGSEF)"
    )
    periods: PositiveInt = Field(
        default=1, description="of gradual: equal parts of the phase, in each of which as many are chosen and vanish"
    )
    strength: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="of half-space, masked and envelope: factor of the penalty; of the proximal step times the "
        "learning rate",
    )
    projects_from: float | None = Field(
        default=None, ge=0, le=1, description="of half-space: share of the phase after which it projects"
    )

    @model_validator(mode="after")
    def _says_what_its_rule_needs(self) -> Self:
        if (self.strength is None) != (self.rule == "gradual"):
            need = "none: it has no strength" if self.rule == "gradual" else "a number"
            raise ValueError(f"strength: got {self.strength} of {self.rule}, need {need}")
        if (self.projects_from is not None) != (self.rule == "half-space"):
            need = "a share" if self.rule == "half-space" else "none: only half-space projects"
            raise ValueError(f"projects_from: got {self.projects_from} of {self.rule}, need {need}")
        if self.periods > 1 and self.rule != "gradual":
            raise ValueError(f"periods: got {self.periods} of {self.rule}, need 1: only gradual has several")
        return self

    def works(self, layers: tuple[str, ...], steps: int) -> tuple[tuple[ExtraWork, int], ...]:
        """What driving takes beside the products of its steps, and how often.

        In each step a pass over the weights of the groups. The update streams them anyway; a rule that must see a whole
        group first reads them once more and writes them. When groups are chosen weights and gradients are read, as many
        bytes as weights read and written. Sorting one number a group is not counted.

        Args:
            layers: that make the groups.
            steps: of the phase.
        """
        step = ExtraWork(
            work="group-step",
            name=f"groups to zero: {self.rule}",
            passes=_OPERATIONS[self.rule],
            passing=self.rule not in _TWICE,
            layers=layers,
        )
        if not _TO_CHOOSE[self.rule]:
            return ((step, steps),)
        choice = ExtraWork(
            work="group-step", name="groups to zero: choice", passes=_TO_CHOOSE[self.rule], layers=layers
        )
        return (step, steps), (choice, min(self.periods, steps))
