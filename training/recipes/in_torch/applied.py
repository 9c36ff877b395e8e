"""A recipe at work on a model: what hangs on its layers and on its optimizer, until it is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ...graph import Stage
from ...rewrites.in_torch.beside import merge_adapter, shrink_gates
from ...rewrites.in_torch.partial_layer import make_whole
from ...rewrites.in_torch.scored_layer import ScoredLayer, make_single
from ..declaration import Recipe
from ..phases import Phase
from ..rewritten_phases import gated_rank
from ..run_plan import Stretch
from .activations_at_work import ActivationsAtWork
from .frozen_adam import FrozenVarianceAdam
from .group_steps.driver import GroupDriver
from .hosting import release
from .kept_weights import Kept, kept_weights, zero_the_rest
from .layer import Layer
from .mask_engine import MaskEngine
from .saved_state import check_state, on_device
from .shortcuts import ClosedShortcuts
from .step_clock import StepClock
from .tally import Tally
from .task_masks import TaskMasks
from .variance_watch import VarianceWatch
from .whole_network import whole_network_masks


class AppliedRecipe:
    """What ``apply`` returns.

    Attributes:
        recipe: the method.
        pattern: its full ratio.
        layers: every layer that multiplies, by dotted path; ``patterns`` of a layer says which stages are pruned.
        activations: those with a cut or a penalty.
        dense_reasons: why a layer stays dense in a stage that the recipe prunes, by ``path:FF`` and ``path:BP``.
        left_over: of groups that were driven to zero, by the first layer that makes them, the share of their squared
            norm that was set to zero at the end.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        pattern: OperandFormat,
        clock: StepClock,
        modules: dict[str, nn.Module],
        layers: dict[str, Layer],
        dense_reasons: dict[str, str],
        generator: torch.Generator,
        shortcuts: ClosedShortcuts,
        engine: MaskEngine | None,
        task_masks: TaskMasks,
        activations: ActivationsAtWork,
    ) -> None:
        self.recipe, self.pattern = recipe, pattern
        self.layers, self.dense_reasons = layers, dense_reasons
        self._clock, self._modules, self._generator = clock, modules, generator
        self._shortcuts, self._engine, self._task_masks = shortcuts, engine, task_masks
        self.activations = activations
        self.left_over: dict[str, float] = {}
        self._drivers: list[GroupDriver] = []
        self._hooks: list[Any] = []
        self._kept: Kept = []
        self._removed = False
        self._watch: VarianceWatch | None = None
        self._watch_state: dict[str, Any] | None = None

    @property
    def step(self) -> int:
        """Updates done."""
        return self._clock.step

    @property
    def phase(self) -> Phase:
        """Of the next update."""
        return self._clock.phase

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All of them, as far as they are known."""
        return self._clock.phases

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Of a recipe that declares its phases one by one, or repeats its training; else none."""
        return self._clock.stretches

    @property
    def switch_step(self) -> int | None:
        """The update after which STEP switched; None before it, and for other recipes."""
        return self._clock.switch_step

    def pass_over(self) -> None:
        """Count a step of a phase of forward passes alone, in which nothing is updated."""
        self._clock.step += 1
        self.activations.tell(self._clock)

    # With the optimizer ---------------------------------------------------------------------------------------------

    def begin(self, step: int, *, prune: bool) -> None:
        """Begin a training, of a recipe that repeats its own.

        Masks stay until a later one prunes, whatever the weights are set to. Zeros without a rule are the smallest
        weights of the whole network where the recipe sorts all of them in one list, else those of each layer.

        Args:
            step: updates of the run before it, those that were left out included.
            prune: whether to choose its masks, in the weights as they are now.
        """
        self._clock.begin(step)
        self.activations.tell(self._clock)
        if not prune:
            return
        formats = {path: layer.formats_now() for path, layer in self.layers.items()}
        masters = {path: self.master(path) for path, each in formats.items() if each}
        found: dict[str, Tensor] = {}
        if any(work.whole_network for work in self.recipe.extra_work):
            found = whole_network_masks(masters, {path: next(iter(formats[path].values())) for path in masters})
        for path, master in masters.items():
            self.layers[path].prune(master, found.get(path))

    def draw(self, step: int, taken: Mapping[str, Tensor]) -> None:
        """Begin a task, of several: masks at random, in which weights that earlier ones took stay as they are.

        What it does not multiply by stays as it is, too, for later ones.

        Args:
            step: updates of the run before it, those that were left out included.
            taken: of each layer's weight, what earlier tasks multiply by.
        """
        self._clock.begin(step)
        self.activations.tell(self._clock)
        self._task_masks.draw(taken)

    def keep(self, taken: Mapping[str, Tensor]) -> None:
        """Let only those weights learn that the masks at work keep and no earlier task took."""
        self._task_masks.keep(taken)

    def drive(self, drivers: list[GroupDriver]) -> None:
        """Let updates drive groups of weights to zero: before ``attach``."""
        self._drivers = drivers

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimizer's updates carry the recipe: its decay before each one, its masks and phases after it.

        Raises:
            ConfigError: it is attached or removed already, the recipe needs another optimizer, or this one holds none
                of the weights that are pruned.
        """
        if self._removed:
            raise ConfigError("attach: got a recipe that was removed, need one at work; try apply again")
        if self._hooks:
            raise ConfigError("attach: got a second optimizer, need one; try apply on a fresh model")
        masters = (self.master(path) for path, layer in self.layers.items() if layer.is_pruned)
        # Frozen ones are pruned as they are.
        pruned = {id(each) for each in masters if each.requires_grad}
        if pruned and not pruned & _owned(optimizer):
            raise ConfigError(
                "optimizer: got one that holds none of the pruned weights, need the one that updates them; "
                "try one of model.parameters()"
            )
        rule = self.recipe.schedule.switch
        if rule is not None:
            if not isinstance(optimizer, FrozenVarianceAdam):
                raise ConfigError(
                    f"optimizer: got {type(optimizer).__name__}, need FrozenVarianceAdam: {self.recipe.name} freezes "
                    "Adam's second moment"
                )
            assert self._clock.steps is not None, "a recipe with a switch knows the steps of its run"
            self._watch = VarianceWatch(rule, self._clock.steps, optimizer.param_groups[0]["betas"][1])
            if self._watch_state is not None:
                self._watch.load_state_dict(self._watch_state)
        self._hooks = [
            optimizer.register_step_pre_hook(self._before_update),
            optimizer.register_step_post_hook(lambda *_: self._after_update(optimizer)),
        ]
        for layer in self.layers.values():
            # Updates move torch's counters.
            layer.cached = True

    def _before_update(
        self, optimizer: torch.optim.Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        looked_at = self.recipe.decay is not None or self._engine is not None or bool(self._drivers)
        if looked_at and any(each is not None for each in (*arguments[1:], *named.values())):
            why = "groups are driven to zero by" if self._engine is None else "masks are found by"
            why = why if self.recipe.decay is None else "the recipe's decay is added to"
            raise ConfigError(
                f"optimizer.step: got a closure, need gradients that are there already: {why} them; try calling "
                "backward before step()"
            )
        self._kept = kept_weights(self._masks_at_work())
        decayed: set[int] = set()
        owned = _owned(optimizer)
        for path, layer in self.layers.items():
            master = self.master(path)
            # Two layers may share a weight; it decays once.
            if master.grad is None or id(master) in decayed or id(master) not in owned:
                continue
            decay = layer.decay(master)
            if decay is not None:
                master.grad.add_(decay)
                decayed.add(id(master))
        if self._engine is not None:
            self._engine.before_update(owned)
        for driver in self._drivers:
            driver.before_update(self._clock.step)
        if self._watch is not None and self._clock.waits_for_switch:
            self._watch.before_update(optimizer)

    def _masks_at_work(self) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Weights whose pruned elements have no gradient, with the masks of this update; none if a pass has none."""
        if self._clock.recipe_now.weight_gradient != "kept" or (self._engine is not None and self._engine.freezes):
            # The engine holds them at zero itself.
            return
        for path, layer in self.layers.items():
            stages = [stage for stage in (Stage.FORWARD, Stage.BACKWARD) if layer.multiplies_by_its_own(stage)]
            masks = [layer.mask(self.master(path), stage) for stage in stages]
            found = [mask for mask in masks if mask is not None]
            yield self.master(path), found if len(found) == len(masks) else []

    def _after_update(self, optimizer: torch.optim.Optimizer) -> None:
        if not self._task_masks.after_update(optimizer):
            zero_the_rest(self._kept, optimizer)
        for driver in self._drivers:
            driver.after_update(self._clock.step, optimizer)
            self.left_over |= driver.left_over
        shrink_gates(self._modules.values(), optimizer, self._ranks)
        self._clock.step += 1
        if self._watch is not None and self._clock.waits_for_switch:
            self._watch.after_update(optimizer)
            if self._watch.settled(self._clock.step):
                assert isinstance(optimizer, FrozenVarianceAdam), "attach saw to it"
                optimizer.freeze()
                self._clock.switch()
        if self._engine is not None:
            self._engine.after_update(optimizer, _owned(optimizer))
        self.activations.tell(self._clock)

    @property
    def _ranks(self) -> int | None:
        """Of gated adapters that stay in this phase."""
        number = self.phase.stretch
        return gated_rank(self.recipe.rewrites if number is None else self.stretches[number].rewrites)

    # What the layers hold -------------------------------------------------------------------------------------------

    def master(self, path: str) -> Tensor:
        """The dense master weight of a layer."""
        weight = self._modules[path].weight
        assert isinstance(weight, Tensor), "a layer that multiplies has a weight"
        return weight

    def mask(self, path: str, stage: Stage) -> Tensor | None:
        """The mask of a layer's weight in FF or BP now; None where it is dense."""
        self.layers[path].expect_writes()
        return self.layers[path].mask(self.master(path), stage)

    def weight(self, path: str, stage: Stage) -> Tensor:
        """What FF or BP of a layer multiplies by now."""
        self.layers[path].expect_writes()
        return self.layers[path].weight(self.master(path), stage)

    @contextmanager
    def watched(self) -> Iterator[dict[str, Tally]]:
        """Count non-zero inputs and output gradients of every layer, in training steps run inside."""
        tallies = {path: Tally() for path in self.layers}
        for path, layer in self.layers.items():
            layer.tally = tallies[path]
        try:
            yield tallies
        finally:
            for layer in self.layers.values():
                layer.tally = None

    def refresh(self) -> None:
        """Make every mask anew at its next use: after weights were written through ``.data``, which torch hides.

        Transposable masks are searched anew, too; a permuted order stays until its next search, as do masks that are
        drawn, that moved, or that gradients decided.
        """
        if self._engine is not None:
            self._engine.refresh()
        for layer in self.layers.values():
            layer.refresh()

    def remove(self) -> None:
        """Leave a plain model whose weights are those that its forward pass multiplied by, merged adapters among it."""
        if self._removed:
            return
        # All weights first: two layers may share one.
        pruned = {path: self.weight(path, Stage.FORWARD).clone() for path in self.layers}
        self.let_go()
        for path, module in self._modules.items():
            if self.layers[path].is_pruned or isinstance(module, ScoredLayer):
                with torch.no_grad():
                    self.master(path).copy_(pruned[path])
        for module in self._modules.values():
            merge_adapter(module)
            make_whole(module)
            make_single(module)

    def let_go(self) -> None:
        """Leave a plain model with its master weights: it is changed, and trains on under the recipe applied anew."""
        self._removed = True
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        for module in self._modules.values():
            release(module)
        self._shortcuts.reopen()

    def go_on_from(self, other: AppliedRecipe) -> None:
        """Go on where another stood, of a model that was another; masks are found in the weights as they are now."""
        self._clock.load_state_dict(other._clock.state_dict())
        self._generator.set_state(other._generator.get_state())
        self.left_over = dict(other.left_over)

    # Copies ---------------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, or of one that is saved, with its model: hooks stay with the optimizer."""
        watch = self._watch_state if self._watch is None else self._watch.state_dict()
        return self.__dict__ | {"_hooks": [], "_kept": [], "_drivers": [], "_watch": None, "_watch_state": watch}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        # A model copied alone goes by the clock of the one that trains; with its recipe it has its own.
        for layer in self.layers.values():
            layer.follow(self._clock, self._generator, self._engine)

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What the model's and the optimizer's own state dicts do not tell."""
        engine = {} if self._engine is None else {"engine": self._engine.state_dict()}
        drivers = [each.state_dict() for each in self._drivers]
        driven = {"drivers": drivers, "left_over": dict(self.left_over)} if drivers or self.left_over else {}
        return (
            engine
            | driven
            | {
                "recipe": self.recipe.name,
                "sparsity": str(self.pattern),
                "clock": self._clock.state_dict(),
                "generator": self._generator.get_state(),
                "watch": self._watch_state if self._watch is None else self._watch.state_dict(),
                "layers": {path: layer.state_dict() for path, layer in self.layers.items()},
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; the model and the optimizer load theirs themselves.

        Raises:
            ConfigError: it is the state of another recipe, ratio or model.
        """
        check_state(state, self.state_dict())
        self._clock.load_state_dict(state["clock"])
        self.activations.tell(self._clock)
        self._generator.set_state(state["generator"])
        self._watch_state = state["watch"]
        if self._watch is not None and self._watch_state is not None:
            self._watch.load_state_dict(self._watch_state)
        if self._engine is not None:
            self._engine.load_state_dict(state["engine"])
        self.left_over = dict(state.get("left_over", {}))
        # Those of phases that are over are gone with the groups that they drove.
        for driver, own in zip(self._drivers, state.get("drivers", [])[-len(self._drivers) :], strict=False):
            driver.load_state_dict(own)
        for path, layer in self.layers.items():
            layer.load_state_dict(on_device(self.master(path).device, state["layers"][path]))


def _owned(optimizer: torch.optim.Optimizer) -> set[int]:
    return {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
