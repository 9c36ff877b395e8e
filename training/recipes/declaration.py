"""The declaration of a recipe, as its YAML file states it.

A recipe says which operand of which stage carries an N:M pattern, how the masks are chosen and when, which operators
stay dense, and what work the masks cost. The ratio itself is chosen a run; ``layers`` may give some operators their
own. One declaration serves two readers: ``annotation`` lays it over a graph to be simulated, ``in_torch`` over a
module to be trained.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from ...configs.errors import ConfigError
from ...configs.quantity import FormatText
from ...configs.schema import Loaded, load_annotated
from ...configs.section import Section
from ..rewrites.kinds import AnyRewrite
from .courses import DeclaredPhase, Repeats, left_to_go
from .extra_work import ExtraWork
from .random_graph import RandomGraph


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
    graph: RandomGraph | None = Field(
        default=None, description="of given masks of recurrent layers: units are joined by a random graph"
    )


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
    all_but: Literal["recurrent", "state"] | None = Field(
        default=None,
        description="everything but the weights of recurrent layers, or but those that a layer's own state meets",
    )


class LayerRule(Section):
    """A ratio of their own for some operators."""

    names: tuple[str, ...] = Field(min_length=1, description="module paths, with * and ?")
    sparsity: FormatText
    stages: tuple[Literal["FF", "BP"], ...] = Field(
        default=("FF", "BP"), min_length=1, description="stages that the ratio holds in"
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
            if text is not None and ("%" not in text or "block" in text):
                raise ValueError(f"{name}: got {text}, need a share of zeros such as 90%: activations have no rule")
        return self


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
    activations: tuple[ActivationRule, ...] = Field(
        default=(),
        description="zeros of activations and gradients, as declared: training neither makes nor checks them",
    )
    schedule: RecipeSchedule = RecipeSchedule()
    weight_gradient: Literal["dense", "kept"] = Field(
        default="dense",
        description="all of it, or of the kept weights alone: what the algorithm asks for, not every array can skip",
    )
    layer_density: Literal["uniform", "erk", "erk-plus"] = Field(
        default="uniform", description="how layers share the zeros of a network; erk-plus leaves the last one dense"
    )
    extra_work: tuple[ExtraWork, ...] = Field(default=(), description="beside products and masks, and how often")
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
        if self.mask_search.graph is not None and (self.mask_search.method != "given" or self.dense.all_but != "state"):
            raise ValueError(
                "mask_search.graph: got it, need mask_search.method: given and dense.all_but: state: a graph joins the "
                "units of one layer"
            )
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

    @model_validator(mode="after")
    def _extra_work_has_a_place(self) -> Self:
        if (self.extra_work or self.weight_gradient == "kept") and not self.prunes:
            raise ValueError("extra_work, weight_gradient: got them, need a stage that is pruned")
        if self.layer_density != "uniform" and self.mask_search.method != "given":
            raise ValueError(
                f"layer_density: got {self.layer_density}, need uniform, or masks that are given: N:M is the same "
                "everywhere"
            )
        titles = [work.title for work in self.extra_work]
        for number, work in enumerate(self.extra_work):
            if work.title in titles[:number]:
                raise ValueError(f"extra_work.{number}.name: got {work.title!r} twice, need names that differ")
            if work.work == "weight-gradient" and self.weight_gradient == "dense":
                raise ValueError(f"extra_work.{number}: got weight-gradient, need weight_gradient: kept beside it")
        return self

    @property
    def unpruned(self) -> Recipe:
        """The same network with nothing pruned: its rewrites alone."""
        return self.model_copy(
            update={
                "forward": None,
                "backward": None,
                "layers": (),
                "schedule": RecipeSchedule(),
                "decay": None,
                "weight_gradient": "dense",
                "layer_density": "uniform",
                "extra_work": (),
            }
        )

    @property
    def is_baseline(self) -> bool:
        """Whether it trains the network as it is, dense."""
        return not self.prunes and not self.rewrites

    @property
    def prunes(self) -> bool:
        """Whether anything is pruned at all."""
        return self.forward is not None or self.backward is not None

    @property
    def changes_over_time(self) -> bool:
        """Whether its steps differ over a run, the last ones being at its full ratio."""
        phases = self.schedule.phases
        return self.schedule != RecipeSchedule() and (not phases or phases[-1].is_full)

    @property
    def left_to_run(self) -> tuple[str, ...]:
        """What a step at its full ratio does not show: phases that come after, and work that is not in every step."""
        phases = () if self.changes_over_time else self.schedule.phases
        later = [phase.name for phase in phases if not phase.is_full]
        return (*later, *(work.title for work in self.extra_work if not work.in_every_step))

    @property
    def simulated_only(self) -> str:
        """Which of its fields ``bisparse.apply`` and ``bisparse train`` do not know; empty when they know all."""
        if self.rewrites:
            return f"rewrites of layers ({self.rewrites[0].title})"
        if self.schedule.phases:
            return "schedule.phases"
        if self.schedule.repeats is not None:
            return "schedule.repeats"
        if any(work.work == "mask-update" for work in self.extra_work):
            return "a mask-update, which moves masks by a rule of its own"
        return ""

    def check_trains(self) -> None:
        """Refuse a recipe that is simulated alone.

        Raises:
            ConfigError: it is one; the message says why.
        """
        if self.simulated_only:
            raise ConfigError(
                f"{self.name}: got a recipe that is simulated alone, for training does not know {self.simulated_only}; "
                "try bisparse simulate --training-steps"
            )


def load_recipe(name_or_path: str) -> Loaded[Recipe]:
    """Load a shipped recipe by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    return load_annotated(name_or_path, Recipe, "recipes")
