"""The declaration of a recipe, as its YAML file states it.

A recipe says which operand of which stage carries an N:M pattern, which operators stay dense, and what work the
masks cost. The ratio itself is chosen a run; ``layers`` may give some operators their own.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from ...configs.quantity import PatternText
from ...configs.schema import Loaded, load_annotated


class Section(BaseModel):
    """Base of every part of a recipe: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PrunedStage(Section):
    """What one stage prunes. The groups always lie along the stage's own contraction axis."""

    operand: Literal["weight", "gradient"] = Field(description="weight, or the output gradient (backward only)")
    online: bool = Field(
        default=False, description="made on the way in each step, from an operand that changes each step"
    )
    permuted: bool = Field(
        default=False, description="N:M holds in a permuted channel order: the dense operand is gathered"
    )


class MaskSearch(Section):
    """Extra passes over the weights that a mask needs beyond the compression of each stage."""

    passes: float = Field(default=0.0, ge=0, description="passes over the weights, a search")
    every_steps: PositiveInt = Field(default=1, description="steps between searches")


class Decay(Section):
    """SR-STE's term: pruned weights shrink by ``strength`` a step. The update engine reads the mask, a bit a weight."""

    strength: float = Field(ge=0)
    mask: Literal["forward", "backward"] = "forward"


class DenseRule(Section):
    """Operators that stay dense."""

    first_convolution: bool = Field(default=True, description="the first convolution of the network")
    tied_embedding: bool = Field(default=True, description="a product whose weight is also an embedding table")
    indivisible: bool = Field(
        default=True, description="channels not divisible by M; otherwise the last group is short"
    )
    names: tuple[str, ...] = Field(default=(), description="module paths, with * and ?")


class LayerRule(Section):
    """A ratio of their own for some operators."""

    names: tuple[str, ...] = Field(min_length=1, description="module paths, with * and ?")
    sparsity: PatternText
    stages: tuple[Literal["FF", "BP"], ...] = Field(
        default=("FF", "BP"), min_length=1, description="stages that the ratio holds in"
    )


class Recipe(Section):
    """A sparse-training method."""

    name: str
    title: str
    source: str = Field(description="where the method is defined")
    definition: Literal["published", "assumed"] = Field(
        default="published", description="whether the method as stated here was published, or is our reading"
    )
    forward: PrunedStage | None = None
    backward: PrunedStage | None = None
    mask_search: MaskSearch = MaskSearch()
    decay: Decay | None = None
    dense: DenseRule = DenseRule()
    layers: tuple[LayerRule, ...] = ()

    @field_validator("forward")
    @classmethod
    def _forward_prunes_weights(cls, stage: PrunedStage | None) -> PrunedStage | None:
        if stage is not None and stage.operand == "gradient":
            raise ValueError("got operand gradient, need weight: the forward pass has no gradient")
        return stage

    @model_validator(mode="after")
    def _layers_are_in_pruned_stages(self) -> Self:
        pruned = [name for name, stage in (("FF", self.forward), ("BP", self.backward)) if stage is not None]
        for number, rule in enumerate(self.layers):
            if pruned and not set(rule.stages) & set(pruned):
                raise ValueError(f"layers.{number}.stages: got {', '.join(rule.stages)}, need {' or '.join(pruned)}")
        return self

    @property
    def prunes(self) -> bool:
        """Whether anything is pruned at all."""
        return self.forward is not None or self.backward is not None


def load_recipe(name_or_path: str) -> Loaded[Recipe]:
    """Load a shipped recipe by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    return load_annotated(name_or_path, Recipe, "recipes")
