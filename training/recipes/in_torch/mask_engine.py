"""The masks of a network that change, or that need more than one layer's weight to be found.

When a phase of the run begins masks are found by the recipe's score, layer by layer or with one threshold for all;
between, they move as it says. What is pruned may be held at zero: then its gradient never reaches the optimizer, it
and what the optimizer remembers of it are zero after every update, and it starts at zero when it comes back. Masks are
found and moved at the end of an update, from the weights after it and the gradients that it was made of; a score that
needs a batch before the first mask has that batch dense, and its update is masked already.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ....configs.balanced import Balanced
from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ....configs.unstructured import Unstructured
from ...graph import Stage
from ..declaration import Recipe
from .kept_weights import Kept, kept_weights, zero_the_rest
from .layer import Layer
from .mask_moves import check_moves, moved
from .refined_masks import InputTotals, check_refines, refined
from .scores import SCORES, Score, Seen
from .soft_mask import check_softens
from .step_clock import StepClock
from .weight_masks import largest_masks

Masks = dict[Stage, Tensor]


class MaskEngine:
    """Finds masks, moves them, and holds pruned weights at zero.

    Args:
        recipe: says how.
        clock: of the run.
        generator: of what is drawn.
        layers: by path; those that are pruned ask it for their masks.
        modules: whose weights they are.
        own_ratio: paths that the recipe names with a ratio of their own: no threshold of the network is theirs.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        clock: StepClock,
        generator: torch.Generator,
        layers: dict[str, Layer],
        modules: dict[str, nn.Module],
        own_ratio: frozenset[str],
    ) -> None:
        self._recipe, self._clock, self._generator = recipe, clock, generator
        self._layers = {path: layer for path, layer in layers.items() if layer.patterns}
        self._modules, self._own_ratio = modules, own_ratio
        self._search, self._score = recipe.mask_search, SCORES[recipe.mask_search.score]
        self._masks: dict[str, Masks] = {}
        self._found_at: int | None = None
        self._summed: dict[str, Tensor] = {}
        self._given: dict[str, InputTotals] = {}
        self._gradients: dict[str, Tensor] = {}
        for path, layer in self._layers.items():
            layer.engine = self
            forward = _of_forward(layer.patterns)
            if self._search.refined is not None and forward is not None:
                check_refines(path, forward, self._master(path))
            for sparse in layer.patterns.values():
                if self._search.moves is not None:
                    check_moves(path, sparse)
                if recipe.pruned_weights.state == "soft":
                    check_softens(path, sparse)

    @property
    def freezes(self) -> bool:
        """Whether pruned weights are held at zero."""
        return self._recipe.pruned_weights.state == "frozen"

    def masks(self, path: str) -> Masks:
        """Of a layer now, by stage; none where it is dense, or as long as no batch has told what its score needs."""
        if self._found_at is None:
            self._find()
        return self._masks.get(path, {})

    def refresh(self) -> None:
        """Find masks anew at the next use, where the weights alone decide."""
        if self._search.moves is None and self._search.start == "score" and self._score.needs is None:
            self._found_at = None

    # With the optimizer ---------------------------------------------------------------------------------------------

    def see_inputs(self, path: str, values: Tensor) -> None:
        """The input of a layer in a training step, as its product reads it."""
        if self._score.needs != "inputs":
            return
        axes = self._layers[path].axes
        with torch.no_grad():
            channels = values.flatten(0, -2) if axes.kernel_axes == 0 else values.movedim(1, -1).flatten(0, -2)
            self._add(path, channels.square().sum(0))
            if self._search.refined is not None:
                found, known = InputTotals.of(channels), self._given.get(path)
                self._given[path] = found if known is None else known + found

    def before_update(self, owned: set[int]) -> None:
        """Look at the gradients, and keep those of pruned weights from the optimizer.

        Args:
            owned: identities of the parameters that it updates.

        Raises:
            ConfigError: the first masks need a gradient that a layer has not got.
        """
        with torch.no_grad():
            self._see_gradients()
            if self._found_at is None and self._prunes and not self._find():
                path = next(path for path in self._layers if self._evidence(self._score, path) is None)
                raise ConfigError(
                    f"{f'{path}.weight'.lstrip('.')}: got no {self._score.needs}, need one before the first update: "
                    f"masks are found by the score {self._search.score}; try a batch that reaches every layer"
                )
            for master, kept in self._kept(owned) if self.freezes else ():
                if master.grad is not None:
                    master.grad.mul_(kept)

    def after_update(self, optimizer: torch.optim.Optimizer, owned: set[int]) -> None:
        """Find the masks of a phase that begins, move them when that is due, and hold at zero what is pruned."""
        found_before = self._found_at is not None
        with torch.no_grad():
            follows = self._recipe.pruned_weights.count and self._clock.phase.kind == "leak"
            if follows or self._found_at is None or self._found_at < self._clock.phase.first_step:
                self._find()
            if found_before and self._moves_at(self._clock.step):
                self._move()
            if follows and self._recipe.pruned_weights.shrunk_by is not None:
                self._shrink(owned, self._recipe.pruned_weights.shrunk_by)
            if self.freezes:
                zero_the_rest(self._kept(owned), optimizer)
        self._gradients = {}

    def _shrink(self, owned: set[int], share: float) -> None:
        for master, kept in self._kept(owned):
            master.copy_(torch.where(kept, master, master * (1.0 - share)))

    @property
    def _prunes(self) -> bool:
        return self._clock.phase.kind != "dense"

    def _moves_at(self, step: int) -> bool:
        moves, steps = self._search.moves, self._clock.steps
        return moves is not None and steps is not None and moves.due(step, steps)

    def _kept(self, owned: set[int]) -> Kept:
        """Weights with what any pass keeps of them."""
        masters = ((self._master(path), self._masks.get(path, {})) for path in self._modules)
        return kept_weights((master, masks.values()) for master, masks in masters if id(master) in owned)

    # Evidence -------------------------------------------------------------------------------------------------------

    def _see_gradients(self) -> None:
        step = self._clock.step + 1
        grows = self._moves_at(step) and self._search.moves is not None and self._search.moves.grow == "gradient"
        finds = self._found_at is None or self._clock.phase_at(step).first_step == step
        for path in self._layers:
            master = self._master(path)
            if master.grad is None:
                continue
            if self._score.needs == "movement":
                self._add(path, -master * master.grad)
            if grows or (self._score.needs == "gradient" and (finds or self._moves_at(step))):
                self._gradients[path] = master.grad.clone()

    def _add(self, path: str, values: Tensor) -> None:
        before = self._summed.get(path)
        self._summed[path] = values if before is None else before.to(values.device) + values

    def _evidence(self, score: Score, path: str) -> Tensor | None:
        """What a score needs of a layer, in its weight's shape; None where it is not there."""
        if score.needs == "gradient":
            return self._gradients.get(path)
        summed = self._summed.get(path)
        if summed is None or score.needs == "movement":
            return summed
        return self._layers[path].axes.over_inputs(summed, self._master(path))

    def _values(self, score: Score, paths: list[str]) -> dict[str, Tensor] | None:
        """What some layers are compared by, counted from the lowest if that is below 0; None if a batch is missing."""
        found: dict[str, Tensor] = {}
        for path in paths:
            evidence = None if score.needs is None else self._evidence(score, path)
            if score.needs is not None and evidence is None:
                return None
            weight = self._master(path).detach()
            found[path] = score.of(Seen(weight=weight, evidence=evidence, generator=self._generator))
        lowest = {path: min(float(each.min()), 0.0) for path, each in found.items()}
        if self._search.scope == "network":
            lowest = dict.fromkeys(lowest, min(lowest.values(), default=0.0))
        return {path: each - lowest[path] if lowest[path] else each for path, each in found.items()}

    # Masks ----------------------------------------------------------------------------------------------------------

    def _find(self) -> bool:
        """The masks of this phase; False where the score lacks what it needs, or nothing is pruned yet."""
        if not self._prunes:
            return False
        by_chance = self._found_at is None and self._search.start == "random"
        values = self._values(SCORES["random"] if by_chance else self._score, list(self._layers))
        if values is None:
            return False
        if self.freezes and self._found_at is not None:
            # What was pruned stays so: zeros grow among what is kept.
            values = {path: self._of_kept(path, each) for path, each in values.items()}
        together = self._together() if self._search.scope == "network" and not by_chance else {}
        joint = [(values[path], self._layers[path].axes, own) for path, own in together.items()]
        masks = dict(zip(together, largest_masks(joint) if joint else [], strict=True))
        for path, layer in self._layers.items():
            now = layer.weights_now()
            self._masks[path] = dict.fromkeys(now, masks[path]) if path in masks else layer.largest(values[path], now)
            if self._search.refined is not None and self._masks[path]:
                (mask, *_) = self._masks[path].values()
                after = refined(mask, self._master(path).detach(), self._given[path], self._search.refined)
                self._masks[path] = dict.fromkeys(now, after)
        self._found_at = self._clock.step
        return True

    def _of_kept(self, path: str, values: Tensor) -> Tensor:
        masks = self._masks.get(path, {})
        return next((values * kept for _, kept in kept_weights([(values, masks.values())])), values)

    def _together(self) -> dict[str, Unstructured]:
        """Formats of the layers that one threshold holds for, as FF has them."""
        found: dict[str, Unstructured] = {}
        for path, layer in self._layers.items():
            own = _of_forward(layer.weights_now())
            if isinstance(own, Unstructured) and not isinstance(own, Balanced) and path not in self._own_ratio:
                found[path] = own
        return found

    def _move(self) -> None:
        moves, step, steps = self._search.moves, self._clock.step, self._clock.steps
        assert moves is not None, "whoever calls knows"
        assert steps is not None, "a recipe whose masks move knows the steps of its run"
        share = moves.exchanged_at(step, steps)
        growing = SCORES[moves.grow]
        for path, masks in self._masks.items():
            values, growth = self._values(self._score, [path]), self._values(growing, [path])
            if values is None or growth is None:
                # No gradient reached the layer in this step.
                continue
            self._masks[path] = _moved(self._layers[path], masks, values[path], growth[path], share)

    def _master(self, path: str) -> Tensor:
        weight = self._modules[path].weight
        assert isinstance(weight, Tensor), "a layer that multiplies has a weight"
        return weight

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here."""
        # By words: torch loads no others safely.
        masks = {path: {stage.value: mask for stage, mask in own.items()} for path, own in self._masks.items()}
        given = {path: (each.sums, each.squares, each.count) for path, each in self._given.items()}
        return {"masks": masks, "found_at": self._found_at, "summed": dict(self._summed), "given": given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._masks = {
            path: {Stage(stage): mask.clone() for stage, mask in own.items()} for path, own in state["masks"].items()
        }
        self._found_at, self._summed = state["found_at"], dict(state["summed"])
        # States from before masks could be refined have none.
        self._given = {
            path: InputTotals(sums=sums, squares=squares, count=count)
            for path, (sums, squares, count) in state.get("given", {}).items()
        }


def _moved(layer: Layer, masks: Masks, values: Tensor, growth: Tensor, share: float) -> Masks:
    """A layer's masks after a move; one that serves both passes moves once."""
    now, found = layer.weights_now(), Masks()
    for stage, mask in masks.items():
        if stage is Stage.BACKWARD and layer.shares_mask(now):
            found[stage] = found[Stage.FORWARD]
            continue
        own = now[stage]
        sparse = own.turned if stage is Stage.BACKWARD and isinstance(own, Unstructured) else own
        found[stage] = moved(mask.to(values.device), values, growth, share, axes=layer.axes, sparse=sparse, stage=stage)
    return found


def _of_forward(now: dict[Stage, OperandFormat]) -> OperandFormat | None:
    """A layer's format as FF has it, whichever stage is pruned; None where it is dense now."""
    if Stage.FORWARD in now:
        return now[Stage.FORWARD]
    backward = now.get(Stage.BACKWARD)
    return None if backward is None else backward.turned
