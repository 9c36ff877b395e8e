"""Masks of tasks one after another: drawn where a task begins, moved while it trains, and earlier tasks' weights left.

A task trains what its masks keep and no earlier task took. With ``mask_search.moves`` it exchanges some of that: of its
own weights the smallest are dropped, and as many that neither it nor an earlier task keeps grow, from zero, at random
or where the gradient is largest (Yildirim et al., CPAL 2024). Weights that it shares with earlier tasks stay. Nothing
moves at a task's last update, for what grew would never train.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...graph import Stage
from ..declaration import Recipe
from .kept_weights import Held, leave_the_rest
from .layer import Layer
from .mask_moves import check_moves, move_masks
from .step_clock import StepClock

FF = Stage.FORWARD

_NEVER = 2.0
"""Of the largest value: what stays whatever else is dropped."""


class TaskMasks:
    """Of one network.

    Args:
        recipe: that trains the tasks.
        clock: of the run.
        generator: of what is drawn.
        layers: by path.
        modules: whose weights they are.

    Raises:
        ConfigError: masks of this format cannot move.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        clock: StepClock,
        generator: torch.Generator,
        layers: dict[str, Layer],
        modules: dict[str, nn.Module],
    ) -> None:
        self._moves, self._clock, self._generator = recipe.mask_search.moves, clock, generator
        self._layers, self._modules = layers, modules
        self._taken: Mapping[str, Tensor] = {}
        self._held: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        if self._moves is not None and recipe.tasks:
            for path, layer in layers.items():
                for sparse in layer.patterns.values():
                    check_moves(path, sparse)

    def draw(self, taken: Mapping[str, Tensor]) -> None:
        """Begin a task: masks at random.

        Args:
            taken: of each layer's weight, what earlier tasks multiply by.
        """
        for path, layer in self._layers.items():
            if layer.formats_now():
                layer.prune(self._at_random(self._master(path)))
        self.keep(taken)

    def keep(self, taken: Mapping[str, Tensor]) -> None:
        """Let only those weights learn that the masks at work keep and no earlier task took."""
        self._taken = taken
        self._held = {}
        for path, layer in self._layers.items():
            if FF in layer.kept_masks:
                master = self._master(path)
                own = layer.kept_masks[FF] & ~self._of_earlier(path, master)
                self._held[path] = master, own, master.detach().clone()

    def after_update(self, optimizer: torch.optim.Optimizer) -> bool:
        """Leave what is not the task's as it was, and move its masks when that is due; False where no task is begun."""
        if not self._held:
            return False
        leave_the_rest(self._all_held, optimizer)
        step, steps, phase = self._clock.step + 1, self._clock.steps, self._clock.phase
        if self._moves is not None and steps is not None and self._moves.due(step, steps) and step < phase.end_step:
            share = self._moves.exchanged_at(step, steps)
            with torch.no_grad():
                for path in list(self._held):
                    self._move(path, share)
            leave_the_rest(self._all_held, optimizer)
        return True

    @property
    def _all_held(self) -> Held:
        return list(self._held.values())

    def _move(self, path: str, share: float) -> None:
        """Exchange a share of the layer's own weights; what is dropped is zero, and so is what grows."""
        master, own, before = self._held[path]
        layer, mask = self._layers[path], self._layers[path].kept_masks[FF]
        values, growth = master.detach().abs(), self._growth(master)
        if growth is None:
            # No gradient reached the layer in this step.
            return
        earlier = self._of_earlier(path, master)
        stays = torch.where(mask & earlier, values.max() * _NEVER + 1.0, values)
        grows = torch.where(mask | earlier, torch.zeros_like(growth), growth)
        of_all = share * float(own.count_nonzero()) / max(int(mask.count_nonzero()), 1)
        masks = move_masks(layer, layer.kept_masks, stays, grows, of_all)
        learns = masks[FF] & ~earlier
        changed = own ^ learns
        master.mul_(~changed)
        self._held[path] = master, learns, torch.where(changed, torch.zeros_like(before), before)
        layer.hold(masks)

    def _growth(self, master: Tensor) -> Tensor | None:
        assert self._moves is not None, "whoever calls knows"
        if self._moves.grow == "random":
            return self._at_random(master)
        return None if master.grad is None else master.grad.abs()

    def _at_random(self, master: Tensor) -> Tensor:
        return torch.rand(master.shape, generator=self._generator).to(master.device)

    def _of_earlier(self, path: str, master: Tensor) -> Tensor:
        taken = self._taken.get(path)
        return torch.zeros_like(master, dtype=torch.bool) if taken is None else taken.to(master.device)

    def _master(self, path: str) -> Tensor:
        weight = self._modules[path].weight
        assert isinstance(weight, Tensor), "a layer that multiplies has a weight"
        return weight
