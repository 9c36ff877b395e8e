"""The declaration of a recipe, as its YAML file states it.

A recipe says which operand of which stage carries an N:M pattern, how the masks are chosen and when, which operators
stay dense, and what work the masks cost. The ratio itself is chosen a run; ``layers`` may give some operators their
own. One declaration serves two readers: ``annotation`` lays it over a graph to be simulated, ``in_torch`` over a
module to be trained.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from ...configs.errors import ConfigError
from ...configs.quantity import FormatText
from ...configs.schema import Loaded, load_annotated
from ...configs.section import Section
from ..rewrites.kinds import AnyRewrite


class PrunedStage(Section):
    """What one stage prunes. The groups always lie along the stage's own contraction axis."""

    operand: Literal["weight", "gradient"] = Field(description="weight, or the output gradient (backward only)")
    online: bool = Field(
        default=False, description="made on the way in each step, from an operand that changes each step"
    )
    permuted: bool = Field(
        default=False, description="N:M holds in a permuted channel order: the dense operand is gathered"
    )
    selection: Literal["magnitude", "random"] = Field(
        default="magnitude", description="which N of a group are kept: the largest, or any (of a gradient only)"
    )
    rescale: bool = Field(
        default=False,
        description="a pruned gradient keeps the L1 norm of each sample and channel (SDGP's maxnorm)",
    )

    @model_validator(mode="after")
    def _only_gradients_are_drawn_or_rescaled(self) -> Self:
        if self.operand == "weight" and (self.selection == "random" or self.rescale):
            raise ValueError("got selection random or rescale with operand weight, need operand gradient")
        return self


class MaskSearch(Section):
    """How masks are found, and what that costs in passes over the weights beyond the compression of each stage."""

    method: Literal["top-n", "transposable", "given"] = Field(
        default="top-n",
        description="the N largest of each group, one mask that is N:M along both axes, or masks that are given and "
        "stay: N:M, or any share of zeros",
    )
    passes: float = Field(
        default=0.0, ge=0, description="passes over the weights, a search; of a permuted mask, a random order each"
    )
    every_steps: PositiveInt = Field(default=1, description="steps between searches")


class Decay(Section):
    """SR-STE's term: pruned weights shrink by ``strength`` a step. The update engine reads the mask, a bit a weight."""

    strength: float = Field(ge=0, allow_inf_nan=False)
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
    sparsity: FormatText
    stages: tuple[Literal["FF", "BP"], ...] = Field(
        default=("FF", "BP"), min_length=1, description="stages that the ratio holds in"
    )


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
        left = 1 - update / self.updates
        match self.shape:
            case "cubic":
                share = left**3
            case "linear":
                share = left
            case "cosine":
                share = (1 - math.cos(math.pi * left)) / 2
        return full + (min(self.initial_percent, full) - full) * share


class RecipeSchedule(Section):
    """What changes over a training run. Shares are of all its steps; nothing changes unless something here says so."""

    dense_share: float = Field(default=0.0, ge=0, le=1, description="trained dense first")
    final_share: float = Field(default=0.0, ge=0, le=1, description="trained last with the hard mask at the full ratio")
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

    @model_validator(mode="after")
    def _one_change_at_a_time(self) -> Self:
        said = [name for name in ("leak", "frames", "ramp", "switch") if getattr(self, name) is not None]
        if len(said) > 1:
            raise ValueError(f"got {' and '.join(said)}, need one of them")
        if self.switch is not None and (self.dense_share or self.final_share):
            raise ValueError("got switch with dense_share or final_share, need the switch alone to say when")
        if self.dense_share + self.final_share > 1:
            raise ValueError(
                f"got dense_share + final_share of {self.dense_share + self.final_share:g}, need at most 1"
            )
        return self


class Recipe(Section):
    """A sparse-training method."""

    name: str = Field(pattern=r"^[^/\\]+$", description="without a slash: it names folders")
    title: str
    source: str = Field(description="where the method is defined")
    definition: Literal["published", "assumed"] = Field(
        default="published", description="whether the method as stated here was published, or is our reading"
    )
    forward: PrunedStage | None = None
    backward: PrunedStage | None = None
    backward_weight: Literal["master", "forward"] = Field(
        default="master",
        description="what a backward pass without a mask of its own multiplies by: the master weights, or those that "
        "the forward pass multiplied by (their zeros save nothing there)",
    )
    mask_search: MaskSearch = MaskSearch()
    decay: Decay | None = None
    dense: DenseRule = DenseRule()
    layers: tuple[LayerRule, ...] = ()
    schedule: RecipeSchedule = RecipeSchedule()
    rewrites: tuple[AnyRewrite, ...] = Field(
        default=(), description="what is made of the network's layers before anything is pruned, one after another"
    )

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

    @model_validator(mode="after")
    def _method_and_schedule_have_a_stage(self) -> Self:
        both = self.forward is not None and self.backward is not None and self.backward.operand == "weight"
        if self.mask_search.method == "given":
            if "gradient" in {stage.operand for stage in (self.forward, self.backward) if stage is not None}:
                raise ValueError(
                    "mask_search.method: got given, need pruned weights: a gradient has no mask that stays"
                )
            if self.mask_search.passes or self.decay is not None:
                raise ValueError("mask_search.method: got given, need neither passes nor decay: nothing is searched")
        if self.mask_search.method == "transposable":
            if not both:
                raise ValueError("mask_search.method: got transposable, need weights pruned in forward and backward")
            for number, rule in enumerate(self.layers):
                if {*rule.stages} != {"FF", "BP"}:
                    raise ValueError(f"layers.{number}.stages: got {rule.stages[0]}, need FF and BP: they share a mask")
        if self.schedule != RecipeSchedule() and not self.prunes:
            raise ValueError("schedule: got a change over time, need a stage that is pruned")
        if self.schedule.dense_share == 1:
            raise ValueError("schedule.dense_share: got 1, need less: nothing would ever be pruned")
        if self.name == "dense" and (self.prunes or self.rewrites):
            does = "prunes" if self.prunes else "rewrites layers"
            raise ValueError(f"name: got dense of a recipe that {does}, need another: dense is the baseline")
        return self

    def check_trains(self) -> None:
        """Refuse to train by a recipe that is simulated only.

        Raises:
            ConfigError: it rewrites layers.
        """
        if self.rewrites:
            raise ConfigError(
                f"recipe: got {self.name}, which rewrites layers ({self.rewrites[0].title}) and is simulated only, "
                "need one that prunes and no more; try bisparse simulate with it",
                field="rewrites",
            )

    @property
    def unpruned(self) -> Recipe:
        """The same network with nothing pruned: its rewrites alone."""
        return self.model_copy(
            update={"forward": None, "backward": None, "layers": (), "schedule": RecipeSchedule(), "decay": None}
        )

    @property
    def is_baseline(self) -> bool:
        """Whether it trains the network as it is, dense."""
        return not self.prunes and not self.rewrites

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
