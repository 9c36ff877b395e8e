"""What a recipe may say of an activation: how values are set to zero, what is added to the loss, what decoding skips.

Sources: a threshold that a share of a layer's magnitudes lie below, CATS (Lee et al., 2024, arXiv 2404.08763); one a
channel, CHESS (He et al., 2024, arXiv 2409.01366); a given one, FATReLU as in ProSparse (Song et al., 2024, arXiv
2402.13516), whose L1 term rises in stages along half cosines; top-k of each token, Li et al., ICLR 2023 (arXiv
2210.06313); neurons of a sentence, CoreInfer (Wang et al., 2024, arXiv 2410.18311); the sum of tanh, DEFT (Runwal et
al., 2024, arXiv 2402.01911); of differences in time, Yousefzadeh and Sifalakis, 2021 (arXiv 2107.07305). Free of torch.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ...configs.section import Section
from ..recipes.courses import left_to_go

CutBy = Literal["threshold", "channel-threshold", "value", "top-k", "core"]

_FOUND = ("threshold", "channel-threshold")


class Cut(Section):
    """How values behind an activation function are set to zero."""

    by: CutBy = Field(
        description="threshold: magnitudes below one that so many of a layer's lie below; channel-threshold: likewise "
        "of magnitudes times what their channel is multiplied by on average; value: magnitudes below a given value; "
        "top-k: all but the largest of each token; core: all but the neurons that the first tokens of a sentence choose"
    )
    value: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="of value: the least that stays")
    from_share: float = Field(default=0.0, ge=0, le=1, description="of a run's updates after which it is in force")
    found_over: PositiveInt = Field(
        default=8,
        description="updates whose batches thresholds are the mean of, the last ones before they are in force; of "
        "channel-threshold as many before these, which the factors of channels are the mean of",
    )
    token_percent: float | None = Field(
        default=None, gt=0, lt=100, description="of core: zeros of each token that is asked which neurons are largest"
    )
    prefill_share: float = Field(
        default=0.5, gt=0, lt=1, description="of core: of a sequence's tokens, the first ones, that choose"
    )

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        for name, of in (("value", "value"), ("token_percent", "core")):
            if (getattr(self, name) is None) == (self.by == of):
                need = "a number" if self.by == of else f"none: only {of} has one"
                raise ValueError(f"{name}: got {getattr(self, name)} of {self.by}, need {need}")
        return self

    @property
    def finds(self) -> bool:
        """Whether its thresholds are found in batches."""
        return self.by in _FOUND

    def begins(self, steps: int) -> int:
        """Updates of a run of so many after which it is in force: at least those that thresholds are found in.

        >>> [Cut(by="threshold", from_share=share).begins(100) for share in (0.0, 0.9)]
        [8, 90]
        """
        windows = _FOUND.index(self.by) + 1 if self.finds else 0
        return min(max(round(self.from_share * steps), windows * self.found_over), steps)


class PenaltyStage(Section):
    """Updates in a row over which a penalty's strength changes."""

    share: float = Field(gt=0, le=1, description="of the run's updates")
    strength: float = Field(ge=0, allow_inf_nan=False, description="at its end")


class ActivationPenalty(Section):
    """What activations add to the loss, a mean over a layer's elements, summed over layers."""

    norm: Literal["l1", "tanh", "differences"] = Field(
        default="l1",
        description="l1: |a|. tanh: tanh(scale |a|), which nears the share of non-zero elements. differences: |a - b|, "
        "b the same channel's value one token before",
    )
    scale: float = Field(default=20.0, gt=0, allow_inf_nan=False, description="of tanh: how steep it is")
    stages: tuple[PenaltyStage, ...] = Field(
        min_length=1,
        description="strengths over the run: that of the first stage throughout it, then in each from that of the "
        "one before along a half cosine; the last one stays",
    )

    @model_validator(mode="after")
    def _fits_a_run(self) -> Self:
        if (total := sum(each.share for each in self.stages)) > 1 + 1e-9:
            raise ValueError(f"stages: got shares that add up to {total:g}, need 1 at most")
        return self

    def strength_at(self, passed: float) -> float:
        """The factor when a share of the run's updates has passed.

        >>> stages = tuple(PenaltyStage(share=0.5, strength=each) for each in (1.0, 3.0))
        >>> [ActivationPenalty(stages=stages).strength_at(each) for each in (0.0, 0.25, 0.5, 0.75, 1.0)]
        [1.0, 1.0, 1.0, 2.0, 3.0]
        """
        before, began = self.stages[0].strength, 0.0
        for stage in self.stages:
            if passed < began + stage.share:
                gone = (passed - began) / stage.share
                return round(stage.strength + (before - stage.strength) * left_to_go("cosine", gone), 15)
            before, began = stage.strength, began + stage.share
        return before


class DecodedNeurons(Section):
    """Neurons that a decoding step leaves out because no token of the batch needs them."""

    known: Literal["behind", "ahead"] = Field(
        description="behind: once the activation is computed, so that what reads it is smaller, and what it is "
        "multiplied by; ahead: before, so that the product that makes it is smaller too"
    )
    predictor_rank: PositiveInt | None = Field(
        default=None,
        description="of ahead: two products foretell the neurons of each token, by way of so many channels; none where "
        "they are fixed",
    )

    @model_validator(mode="after")
    def _predicts_ahead(self) -> Self:
        if self.predictor_rank is not None and self.known == "behind":
            raise ValueError("predictor_rank: got one of neurons that are known behind, need known: ahead")
        return self


def needed_share(density: float, tokens: int) -> float:
    """Neurons that one of some tokens needs, each of which needs a share of them as if drawn by itself.

    >>> [needed_share(0.5, tokens) for tokens in (1, 2, 8)]
    [0.5, 0.75, 0.99609375]
    """
    return 1 - (1 - density) ** tokens
