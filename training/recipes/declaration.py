"""The declaration of a recipe, as its YAML file states it.

A recipe says which operand of which stage carries an N:M pattern, how the masks are chosen and when, which operators
stay dense, and what work the masks cost. The ratio itself is chosen a run; ``layers`` may give some operators their
own. One declaration serves two readers: ``annotation`` lays it over a graph to be simulated, ``in_torch`` over a
module to be trained.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ...configs import library
from ...configs.errors import ConfigError
from ...configs.schema import Loaded, load_annotated
from ..graph import Stage
from ..rewrites.kinds import AnyRewrite
from .about import About
from .declared_rules import ActivationRule, Decay, DenseRule, LayerRule
from .extra_work import ExtraWork
from .mask_search import MaskSearch
from .pruned_stage import PRODUCT_STAGES, PrunedStage
from .pruned_weights import PrunedWeights
from .rewritten_phases import (
    change_widths,
    check_rewritten_phases,
    chooses,
    is_gated_rank,
    sets_widths,
    untrained_widths,
)
from .schedule import RecipeSchedule


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
    pruned_weights: PrunedWeights = PrunedWeights()
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
        if self.mask_search.graph is not None and (
            self.mask_search.method != "given" or self.dense.all_but_weights != "state"
        ):
            raise ValueError(
                "mask_search.graph: got it, need mask_search.method: given and dense.all_but_weights: state: a graph "
                "joins the units of one layer"
            )
        if self.mask_search.method == "transposable":
            if not both:
                raise ValueError("mask_search.method: got transposable, need weights pruned in forward and backward")
            for number, rule in enumerate(self.layers):
                if not {"FF", "BP"} <= {*rule.stages} and {*rule.stages} != {"WU"}:
                    raise ValueError(f"layers.{number}.stages: got {rule.stages[0]}, need FF and BP: they share a mask")
        self._check_masks_that_change()
        check_rewritten_phases(self.schedule.phases, self.rewrites)
        if self.schedule != RecipeSchedule() and not (self.prunes or (self.schedule.phases and self.rewrites)):
            raise ValueError("schedule: got a change over time, need a stage that is pruned, or phases of rewrites")
        if self.schedule.dense_share == 1:
            raise ValueError("schedule.dense_share: got 1, need less: nothing would ever be pruned")
        if self.name == "dense" and (self.prunes or self.rewrites):
            does = "prunes" if self.prunes else "rewrites layers"
            raise ValueError(f"name: got dense of a recipe that {does}, need another: dense is the baseline")
        return self

    def _check_masks_that_change(self) -> None:
        """What pruned weights do, and how masks move, on masks that are given."""
        state, moves, schedule = self.pruned_weights.state, self.mask_search.moves, self.schedule
        if state != "learning" and (self.mask_search.method != "given" or not self.prunes):
            raise ValueError(f"pruned_weights.state: got {state}, need learning, or mask_search.method: given")
        if self.masks_change_together and self.backward is not None and self.backward.permuted:
            raise ValueError("backward.permuted: got true with masks that are scored, drawn, moved or held, need false")
        if moves is not None and state != "frozen":
            raise ValueError(f"mask_search.moves: got it with {state} weights, need pruned_weights.state: frozen")
        if self.pruned_weights.count and (not schedule.final_share or schedule.leak or schedule.frames):
            raise ValueError(
                f"pruned_weights.state: got {state}, need schedule.final_share above 0, with the hard mask, and "
                "neither leak nor frames"
            )

    @model_validator(mode="after")
    def _extra_work_has_a_place(self) -> Self:
        if (self.extra_work or self.weight_gradient == "kept") and not self.prunes:
            raise ValueError("extra_work, weight_gradient: got them, need a stage that is pruned")
        forward = self.forward is not None and self.forward.operand == "weight"
        if self.optimizer_state == "kept" and (self.mask_search.method != "given" or not forward):
            raise ValueError("optimizer_state: got kept, need weight masks that are given: others bring weights back")
        if self.optimizer_state == "kept" and self.weight_gradient == "dense":
            raise ValueError("optimizer_state: got kept, need weight_gradient: kept beside it: others are updated")
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
        titles = [work.title for work in self.works]
        for number, work in enumerate(self.extra_work):
            if work.title in titles[:number] + titles[len(self.extra_work) :]:
                raise ValueError(
                    f"extra_work.{number}.name: got {work.title!r} twice, need names that differ; what "
                    "mask_search.moves costs is not told again"
                )
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
                "mask_search": self.mask_search.model_copy(update={"moves": None}),
                "pruned_weights": PrunedWeights(),
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
    def usual_sparsity(self) -> str:
        """The ratio that it is usually run with; where it says none, 80% of given masks, 2:8 of others."""
        if self.usual is not None:
            return self.usual.sparsity
        return "80%" if self.mask_search.method == "given" else "2:8"

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
    def changes_widths(self) -> bool:
        """Whether its rewrites hold in some phases only, or in part."""
        return change_widths(self.schedule.phases, self.rewrites)

    @property
    def masks_change_together(self) -> bool:
        """Whether masks take more to be found than the weight of their own layer, or pruned weights are held back."""
        plain = MaskSearch().model_copy(
            update={name: getattr(self.mask_search, name) for name in ("method", "passes", "every_steps", "graph")}
        )
        return self.mask_search.method == "given" and (
            self.mask_search != plain or self.pruned_weights.state != "learning"
        )

    @property
    def works(self) -> tuple[ExtraWork, ...]:
        """What it costs beside products and masks: what it lists, and what its moving masks cost."""
        return (*self.extra_work, *self.mask_search.moves_cost(kept_gradients=self.weight_gradient == "kept"))

    @property
    def works_while_pruned_count(self) -> tuple[ExtraWork, ...]:
        """What each step costs beside while pruned weights still count."""
        return self.pruned_weights.works_while_they_count(whole_network=self.mask_search.scope == "network")

    @property
    def left_to_run(self) -> tuple[str, ...]:
        """What a step at its full ratio does not show: phases that come after, and work that is not in every step."""
        phases = () if self.changes_over_time else self.schedule.phases
        later = [phase.name for phase in phases if not phase.is_full]
        works = (*self.works_while_pruned_count, *(work for work in self.works if not work.in_every_step))
        return (*later, *(work.title for work in works))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of a training step must know: that no phase of the recipe is made of such steps alone."""
        phases = self.schedule.phases
        if not phases or any(each.is_full for each in phases):
            return ()
        if any(each.drawn for each in phases):
            return (
                f"{self.name} trains another of its networks in each step, drawn: this is a step of the smallest. "
                "What a whole run takes: --training-steps N.",
            )
        return (
            f"No phase of {self.name} trains what it leaves: this is what a training step of it would take. What a "
            "whole run takes: --training-steps N.",
        )

    @property
    def simulated_only(self) -> str:
        """Which of its fields ``bisparse.apply`` and ``bisparse train`` do not know; empty when they know all."""
        if self.pass_ == "inference":
            return "pass: inference"
        untrained = [each.title for each in self.rewrites if not each.trains]
        if untrained:
            return f"rewrites of layers ({untrained[0]})"
        if fault := self._untrained_phase:
            return fault
        said = "schedule.repeats" if self.schedule.repeats is not None else "tasks" if self.tasks else ""
        if said and self.mask_search.method != "given":
            return f"{said} of masks that do not stay (mask_search.method: {self.mask_search.method})"
        if self.masks_change_together and (self.schedule.phases or said) and not self._masks_are_a_tasks:
            return f"{said or 'schedule.phases'} of masks that are scored, drawn, moved or held (mask_search)"
        if any(work.work == "mask-update" for work in self.extra_work):
            return "a mask-update, which moves masks by a rule of its own (mask_search.moves has one)"
        return ""

    @property
    def trains_once(self) -> bool:
        """Whether it trains, and asks nothing of a loop but to go through the data once."""
        phases = self.schedule.phases
        asked = any(
            each.task or each.freeze or each.batch or each.accumulate > 1 or each.pass_ != "training" for each in phases
        )
        asked |= self.schedule.repeats is not None or self.changes_widths or chooses(self.rewrites)
        return not (self.simulated_only or asked or any(each.adds_to_loss for each in self.rewrites))

    @property
    def tasks(self) -> int:
        """How many its phases train, one after another; 0 where they all train what the data are."""
        return max((phase.task or 0 for phase in self.schedule.phases), default=0)

    @property
    def _masks_are_a_tasks(self) -> bool:
        """Whether each task draws its masks, and by their weights alone, layer by layer, moves them."""
        search = self.mask_search
        by_weights = (search.score, search.scope, search.graph) == ("magnitude", "layer", None)
        return self.tasks > 0 and by_weights and self.pruned_weights.state in ("learning", "frozen")

    @property
    def _untrained_phase(self) -> str:
        for number, phase in enumerate(self.schedule.phases):
            for path in phase.set_:
                known = is_gated_rank(path, self.rewrites) or sets_widths(path, self.rewrites)
                if path.startswith(_NOT_SET_BY_PHASES) and not known:
                    return f"a phase that sets {path} (schedule.phases.{number}.set)"
        soft = self.forward is not None and self.forward.soft
        masks_stay = self.prunes and (soft or self.mask_search.method != "top-n")
        return untrained_widths(self.schedule.phases, self.rewrites, masks_stay=masks_stay)

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


@cache
def shipped_kind(name: str, sha256: str) -> str:
    """The kind of method that a shipped recipe is, by its name and the hash of what it says; empty of any other."""
    if name not in library.names("recipes"):
        return ""
    loaded = load_recipe(name)
    return loaded.model.kind or "" if loaded.sha256 == sha256 else ""


_NOT_SET_BY_PHASES = (
    *("rewrites", "schedule", "pruned_weights"),
    *(f"mask_search.{name}" for name in ("score", "scope", "start", "moves", "refined", "graph")),
)
"""Fields that training reads once, before the first phase."""

_OF_THE_METHOD_ITSELF: dict[str, Any] = {"method": "", "published": ()}
"""Fields of a recipe that speak of it alone, with what they are where nothing is said."""
