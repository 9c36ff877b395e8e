"""What becomes of a weight that is pruned: it learns on, stays at zero, counts softly, or is shrunk little by little.

Declarations alone; ``in_torch`` trains by them. While pruned weights still count nothing is saved: such steps cost as
dense ones do, and as what finds their masks.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ...configs.section import Section
from .extra_work import ExtraWork


class PrunedWeights(Section):
    """What pruned weights do."""

    state: Literal["learning", "frozen", "soft", "shrinking"] = Field(
        default="learning",
        description="they learn on behind the mask; are zero, and so is their momentum, after every update; count with "
        "a factor that the loss is differentiated through (PDP); or count, and lose a share after every update "
        "(ISS-P). The last two until final_share, with the hard mask",
    )
    temperature: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="of soft: tau in e^(w^2/tau) / (e^(w^2/tau) + e^(t^2/tau))"
    )
    shrunk_by: float | None = Field(default=None, gt=0, le=1, description="of shrinking: share of w lost an update")

    @model_validator(mode="after")
    def _says_what_its_state_needs(self) -> Self:
        for name, state in (("temperature", "soft"), ("shrunk_by", "shrinking")):
            value = getattr(self, name)
            if (value is not None) != (self.state == state):
                need = "a number" if self.state == state else f"none: only {state} weights have it"
                raise ValueError(f"{name}: got {value} with state {self.state}, need {need}")
        return self

    @property
    def count(self) -> bool:
        """Whether products multiply by them until the hard mask comes."""
        return self.state in ("soft", "shrinking")

    def works_while_they_count(self, *, whole_network: bool) -> tuple[ExtraWork, ...]:
        """What every step costs beside as long as they count: their masks follow the weights.

        The weights are sorted for the threshold. A soft mask takes four operations a weight (a square, an exponential,
        a division, a product), a shrinkage one, on weights that pass through the update anyway: assumed.

        Args:
            whole_network: one sorted list of all layers' weights, not one a layer.
        """
        if not self.count:
            return ()
        name = "sort of all weights" if whole_network else "sort of weights"
        soft = self.state == "soft"
        return (
            ExtraWork(work="sort", name=name, whole_network=whole_network),
            ExtraWork(
                work="threshold", name="soft mask" if soft else "shrinkage", passes=4.0 if soft else 1.0, passing=True
            ),
        )
