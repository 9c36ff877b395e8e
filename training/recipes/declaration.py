"""The declaration of a recipe, as its YAML file states it.

A recipe says which operand of which stage carries an N:M pattern, how the masks are chosen and when, which operators
stay dense, and what work the masks cost. The ratio itself is chosen a run; ``layers`` may give some operators their
own. One declaration serves two readers: ``annotation`` lays it over a graph to be simulated, ``in_torch`` over a
module to be trained.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, ValidationInfo, field_validator, model_validator

from ...configs.errors import ConfigError
from ...configs.quantity import FormatText
from ...configs.schema import Loaded, load_annotated
from ...configs.section import Section
from ..graph import Stage
from ..rewrites.kinds import AnyRewrite
from .about import About
from .courses import DeclaredPhase, Repeats, left_to_go
from .extra_work import ExtraWork
from .pruned_stage import PRODUCT_STAGES, PrunedStage


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
        tasks = [phase.task or 0 for phase in self.phases]
        if any(tasks) and tasks != list(range(1, len(tasks) + 1)):
            raise ValueError(f"phases: got tasks {', '.join(map(str, tasks))}, need one a phase, from 1 on, in order")
        if any(tasks) and not all(phase.sparsity == "full" and not phase.zeros_percent for phase in self.phases):
            raise ValueError(
                "phases: got a task with sparsity or zeros_percent, need the run's own: its masks are drawn"
            )
        if self.switch is not None and (self.dense_share or self.final_share):
            raise ValueError("got switch with dense_share or final_share, need the switch alone to say when")
        if self.dense_share + self.final_share > 1:
            raise ValueError(
                f"got dense_share + final_share of {self.dense_share + self.final_share:g}, need at most 1"
            )
        return self


class Recipe(About):
    """A sparse-training method."""

    pass_: Literal["training", "inference"] = Field(
        default="training",
        alias="pass",
        description="that it is of: inference of a kernel that is given pruned weights, and refuses a training step",
    )
    forward: PrunedStage | None = None
    backward: PrunedStage | None = None
    weight_update: PrunedStage | None = Field(
        default=None,
        description="of the product that makes the weight gradient an operand, in groups along samples and positions",
    )
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
    optimizer_state: Literal["dense", "kept"] = Field(
        default="dense",
        description="of every weight, or of kept weights alone: a pruned one has neither master weight nor state, and "
        "is never updated",
    )
    layer_density: Literal["uniform", "erk", "erk-plus"] = Field(
        default="uniform", description="how layers share the zeros of a network; erk-plus leaves the last one dense"
    )
    extra_work: tuple[ExtraWork, ...] = Field(default=(), description="beside products and masks, and how often")
    rewrites: tuple[AnyRewrite, ...] = Field(
        default=(), description="what is made of the network's layers before anything is pruned, one after another"
    )

    @field_validator("forward", "backward", "weight_update")
    @classmethod
    def _stages_prune_their_own_operands(cls, stage: PrunedStage | None, info: ValidationInfo) -> PrunedStage | None:
        if stage is not None:
            stage.check_place(str(info.field_name))
        return stage

    @model_validator(mode="after")
    def _layers_are_in_pruned_stages(self) -> Self:
        pruned = [stage.value for stage in PRODUCT_STAGES if self.pruned_in(stage) is not None]
        for number, rule in enumerate(self.layers):
            if pruned and not set(rule.stages) & set(pruned):
                raise ValueError(f"layers.{number}.stages: got {', '.join(rule.stages)}, need {' or '.join(pruned)}")
        return self

    @model_validator(mode="after")
    def _method_and_schedule_have_a_stage(self) -> Self:
        both = [self.forward and self.forward.operand, self.backward and self.backward.operand] == ["weight", "weight"]
        if self.mask_search.method == "given":
            streams = {stage.operand for stage in self.pruned_stages if stage.operand != "weight"}
            if streams:
                raise ValueError(
                    f"mask_search.method: got given, need pruned weights: a {min(streams)} has no mask that stays"
                )
            if self.mask_search.passes or self.decay is not None:
                raise ValueError("mask_search.method: got given, need neither passes nor decay: nothing is searched")
        soft = self.forward is not None and self.forward.soft
        if soft and (self.mask_search.method != "top-n" or self.schedule.leak is not None or both):
            raise ValueError("forward.soft: got it with masks of another kind, need the N largest of FF alone")
        if self.mask_search.method == "transposable":
            if not both:
                raise ValueError("mask_search.method: got transposable, need weights pruned in forward and backward")
            for number, rule in enumerate(self.layers):
                if not {"FF", "BP"} <= {*rule.stages} and {*rule.stages} != {"WU"}:
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
        forward = self.forward is not None and self.forward.operand == "weight"
        if self.optimizer_state == "kept" and (self.mask_search.method != "given" or not forward):
            raise ValueError("optimizer_state: got kept, need weight masks that are given: others bring weights back")
        if self.backward is not None and self.backward.within_forward and not forward:
            raise ValueError("backward.within_forward: got true, need weights pruned in forward")
        for name, stage in (("forward", self.forward), ("backward", self.backward)):
            if stage is not None and stage.terms and self.mask_search.method != "given":
                raise ValueError(f"{name}.terms: got a sum, need masks that are given: others take no share of zeros")
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
                "weight_update": None,
                "layers": (),
                "schedule": RecipeSchedule(),
                "decay": None,
                "weight_gradient": "dense",
                "optimizer_state": "dense",
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
        return bool(self.pruned_stages)

    @property
    def pruned_stages(self) -> tuple[PrunedStage, ...]:
        """What it prunes, stage by stage."""
        return tuple(stage for stage in (self.forward, self.backward, self.weight_update) if stage is not None)

    def pruned_in(self, stage: Stage) -> PrunedStage | None:
        """What it prunes in a stage; None where nothing is."""
        match stage:
            case Stage.FORWARD:
                return self.forward
            case Stage.BACKWARD:
                return self.backward
            case Stage.WEIGHT_GRADIENT:
                return self.weight_update
        return None

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
        if self.pass_ == "inference":
            return "pass: inference"
        if self.rewrites:
            return f"rewrites of layers ({self.rewrites[0].title})"
        if fault := self._untrained_phase:
            return fault
        said = "schedule.repeats" if self.schedule.repeats is not None else "tasks" if self.tasks else ""
        if said and self.mask_search.method != "given":
            return f"{said} of masks that do not stay (mask_search.method: {self.mask_search.method})"
        if any(work.work == "mask-update" for work in self.extra_work):
            return "a mask-update, which moves masks by a rule of its own"
        return ""

    @property
    def trains_once(self) -> bool:
        """Whether it trains, and asks nothing of a loop but to go through the data once."""
        asked = any(each.task or each.freeze or each.batch or each.accumulate > 1 for each in self.schedule.phases)
        return not self.simulated_only and self.schedule.repeats is None and not asked

    @property
    def tasks(self) -> int:
        """How many its phases train, one after another; 0 where they all train what the data are."""
        return max((phase.task or 0 for phase in self.schedule.phases), default=0)

    @property
    def _untrained_phase(self) -> str:
        for number, phase in enumerate(self.schedule.phases):
            if phase.pass_ != "training":
                return f"forward passes alone (schedule.phases.{number}.pass)"
            for path in phase.set_:
                if path.partition(".")[0] in ("rewrites", "schedule"):
                    return f"a phase that sets {path} (schedule.phases.{number}.set)"
        return ""

    def check_trains(self) -> None:
        """Refuse a recipe that is simulated alone.

        Raises:
            ConfigError: it is one; the message says why.
        """
        if self.simulated_only:
            remedy = "--training-steps" if self.pass_ == "training" else "--pass inference"
            raise ConfigError(
                f"{self.name}: got a recipe that is simulated alone, for training does not know {self.simulated_only}; "
                f"try bisparse simulate {remedy}"
            )


def load_recipe(name_or_path: str) -> Loaded[Recipe]:
    """Load a shipped recipe by name, or a user's file by path.

    One that extends another does not inherit what was published of it, nor its row of the catalogue.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    loaded = load_annotated(name_or_path, Recipe, "recipes")
    places, own = loaded.document.places, str(loaded.sources[0])
    inherited = {
        field: unsaid
        for field, unsaid in _OF_THE_METHOD_ITSELF.items()
        if len(loaded.sources) > 1 and (field,) in places and str(places[field,].file) != own
    }
    return replace(loaded, model=loaded.model.model_copy(update=inherited)) if inherited else loaded


_OF_THE_METHOD_ITSELF: dict[str, Any] = {"method": "", "published": ()}
"""Fields of a recipe that speak of it alone, with what they are where nothing is said."""
