"""What a recipe says of some operators: which stay dense, ratios and zeros of their own, and the decay of SR-STE."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ...configs.formats import parse_format
from ...configs.operand_format import OperandFormat
from ...configs.quantity import FormatText
from ...configs.section import Section
from ...configs.unstructured import Unstructured


class Decay(Section):
    """SR-STE's term: pruned weights shrink by ``strength`` a step. The update engine reads the mask, a bit a weight."""

    strength: float = Field(ge=0, allow_inf_nan=False)
    mask: Literal["forward", "backward"] = "forward"


class DenseRule(Section):
    """Operators that stay dense."""

    first_convolution: bool = Field(default=True, description="the first convolution of the network")
    tied_embedding: bool = Field(default=True, description="a product whose weight is also an embedding table")
    wide_kernels: bool = Field(
        default=False, description="convolutions whose kernel has more than one position, depthwise ones among them"
    )
    indivisible: bool = Field(
        default=True,
        description="channels not divisible by M; otherwise the last group is short, as it always is in weight_update, "
        "whose groups run along samples and positions",
    )
    names: tuple[str, ...] = Field(default=(), description="module paths, with * and ?")
    all_but: tuple[str, ...] = Field(
        default=(), description="all but these module paths, with * and ?; none because of this where it is empty"
    )
    all_but_weights: Literal["recurrent", "state"] | None = Field(
        default=None,
        description="everything but the weights of recurrent layers, or but those that a layer's own state meets",
    )


class LayerRule(Section):
    """A ratio of their own for some operators."""

    names: tuple[str, ...] = Field(min_length=1, description="module paths, with * and ?")
    sparsity: FormatText
    stages: tuple[Literal["FF", "BP", "WU"], ...] = Field(
        default=("FF", "BP", "WU"), min_length=1, description="stages that the ratio holds in"
    )


class ActivationRule(Section):
    """Zeros that some operators find in what streams past their weights: declared, where nothing measured them."""

    names: tuple[str, ...] = Field(min_length=1, description="module paths, with * and ?")
    input: FormatText | None = Field(default=None, description="zeros of the activations multiplied in FF and WU")
    gradient: FormatText | None = Field(default=None, description="zeros of the output gradient, in BP and WU")

    @model_validator(mode="after")
    def _says_shares(self) -> Self:
        if self.input is None and self.gradient is None:
            raise ValueError("got neither input nor gradient, need a share of zeros such as 90%")
        for name, text in (("input", self.input), ("gradient", self.gradient)):
            if text is not None and not _lies_anywhere(parse_format(text)):
                raise ValueError(
                    f"{name}: got {text}, need a share of zeros such as 90%, or 90% in each row: activations have no "
                    "rule, and lie dense in memory"
                )
        return self


def _lies_anywhere(zeros: OperandFormat) -> bool:
    """Whether zeros are single elements without a rule, of which no encoding is told."""
    return isinstance(zeros, Unstructured) and zeros.block == (1, 1) and zeros.encoding == "bitmap"
