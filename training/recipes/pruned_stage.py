"""What a recipe prunes in one stage of a step: which operand of its product, which of a group are kept, and how."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ...configs.formats import parse_format
from ...configs.operand_format import OperandFormat
from ...configs.quantity import FormatText
from ...configs.section import Section
from ...configs.terms import Terms
from ...configs.unstructured import Unstructured
from ..graph import Stage

PRODUCT_STAGES = (Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
"""Stages of products, in the order in which a step has them."""

_OPERANDS = {"forward": ("weight", "input"), "backward": ("weight", "gradient"), "weight_update": ("gradient", "input")}


class PrunedStage(Section):
    """What one stage prunes. The groups always lie along the stage's own contraction axis."""

    operand: Literal["weight", "gradient", "input"] = Field(
        description="weight (forward, backward), the output gradient (backward, weight_update), or the layer's input "
        "(forward, weight_update)"
    )
    online: bool = Field(
        default=False, description="made on the way in each step, from an operand that changes each step"
    )
    permuted: bool = Field(
        default=False, description="N:M holds in a permuted channel order: the dense operand is gathered"
    )
    selection: Literal["magnitude", "random", "unbiased"] = Field(
        default="magnitude",
        description="which N of a group are kept: the largest, or of a gradient any, or any drawn by magnitude "
        "and scaled so that their mean is the gradient, with the least variance (MVUE)",
    )
    terms: FormatText | None = Field(
        default=None,
        description="a sum of N:M terms, such as 2:8+1:8, that a share of zeros is multiplied as where the sum holds "
        "as many as are kept: term by term the largest of those, and what no term takes is left out",
    )
    within_forward: bool = Field(
        default=False,
        description="the largest of what the forward mask keeps, not of all weights (double pruning; backward only)",
    )
    soft: bool = Field(
        default=False,
        description="kept weights are less by the largest magnitude pruned from their group, times a scale "
        "of the whole weight that is found once (S-STE; forward only)",
    )
    rescale: bool = Field(
        default=False,
        description="a pruned gradient keeps the L1 norm of each sample and channel (SDGP's maxnorm)",
    )

    @model_validator(mode="after")
    def _only_gradients_are_drawn_or_rescaled(self) -> Self:
        if self.operand != "gradient" and (self.selection != "magnitude" or self.rescale):
            wrong = "rescale" if self.selection == "magnitude" else f"selection {self.selection}"
            raise ValueError(f"got {wrong} with operand {self.operand}, need operand gradient")
        if self.operand != "weight" and self.soft:
            raise ValueError(f"got soft with operand {self.operand}, need operand weight")
        if self.selection == "unbiased" and self.rescale:
            raise ValueError("got rescale with selection unbiased, need one of them: what is drawn is scaled already")
        return self

    @model_validator(mode="after")
    def _terms_are_a_sum_of_weights(self) -> Self:
        if self.terms is not None and (self.operand != "weight" or not isinstance(parse_format(self.terms), Terms)):
            raise ValueError(f"got terms {self.terms} of operand {self.operand}, need a sum such as 2:8+1:8 of weights")
        return self

    def multiplied_as(self, own: OperandFormat) -> OperandFormat:
        """A format as the array is given it.

        >>> stage = PrunedStage(operand="weight", terms="2:8+1:8")
        >>> [str(stage.multiplied_as(parse_format(text))) for text in ("80%", "50%", "2:4")]
        ['2:8+1:8', '50%', '2:4']
        """
        if self.terms is None or not isinstance(own, Unstructured):
            return own
        terms = parse_format(self.terms)
        return terms if own.density <= terms.density else own

    def check_place(self, name: str) -> None:
        """Refuse what a stage's product has no operand for, or cannot do.

        Args:
            name: of the stage, as a recipe calls it.

        Raises:
            ValueError: it cannot.
        """
        if self.operand not in _OPERANDS[name]:
            need = " or ".join(_OPERANDS[name])
            raise ValueError(f"got operand {self.operand}, need {need}: {name} multiplies by no other")
        if self.within_forward and (name, self.operand) != ("backward", "weight"):
            raise ValueError("got within_forward, need it in backward alone, of weights")
        if self.soft and name != "forward":
            raise ValueError("got soft, need it in forward alone; try backward_weight: forward")
        if (name, self.operand) == ("backward", "gradient"):
            return
        if self.operand != "weight" and not self.online:
            raise ValueError(f"got operand {self.operand} with online false, need true: it is another in every step")
        if self.operand != "weight" and self.permuted:
            raise ValueError(f"got permuted with operand {self.operand}, need operand weight")
        if self.rescale:
            raise ValueError("got rescale, need it in backward alone: norms are of a sample and channel")
