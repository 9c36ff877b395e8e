"""Tasks one after another: each has masks of its own, and leaves what earlier ones multiply by as it is.

A task trains the weights that its masks keep and no earlier task took. Every parameter without a mask (biases,
normalisations, layers that stay dense) is a task's own, beginning as the one before left it; so earlier tasks go on as
they ended. A sample is told apart among the classes of its task.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from ..data import DataSet
from ..data.classes import classes_of_task, with_classes
from ..graph import Stage
from ..recipes.in_torch import AppliedRecipe
from ..run_summary import TaskResult
from .evaluation import Evaluation, evaluate

State = dict[str, Any]


class Tasks:
    """Of one run; of a recipe without tasks the only one is what the data are.

    Args:
        data: of the run.
        count: of tasks; 0 where the recipe has none.
        model: that is trained.
        applied: its recipe.
        device: of torch.

    Attributes:
        data: of each task, from the first.
        classes: among which each tells samples apart; None where all are.
        results: after each task that ended.

    Raises:
        ConfigError: the data cannot be cut so.
    """

    def __init__(
        self, data: DataSet, count: int, model: nn.Module, applied: AppliedRecipe, device: torch.device
    ) -> None:
        self._count, self._model, self._applied, self._device = count, model, applied, device
        self.classes: list[range | None] = [None]
        self.data = [data]
        if count:
            ranges = [classes_of_task(data, task, count) for task in range(1, count + 1)]
            self.classes, self.data = [*ranges], [with_classes(data, each) for each in ranges]
        self.results: list[TaskResult] = []
        self._ended: list[State] = []

    @property
    def at(self) -> int:
        """The task that is trained, from 0."""
        return (self._applied.phase.task or 1) - 1

    def before_step(self, step: int) -> None:
        """Begin the task that begins with this step."""
        begun = [phase.first_step for phase in self._applied.phases if phase.task is not None]
        tasks = [phase.task for phase in self._applied.phases if phase.first_step == step]
        if step in begun and tasks[0] == len(self._ended) + 1:
            self._applied.draw(step, self._taken)

    @property
    def _taken(self) -> dict[str, Tensor]:
        taken: dict[str, Tensor] = {}
        for ended in self._ended:
            for path, masks in ended["masks"].items():
                mask = masks[Stage.FORWARD.value].to(self._device)
                taken[path] = taken[path] | mask if path in taken else mask
        return taken

    def after_step(self, step: int) -> TaskResult | None:
        """End the task that ends with so many steps: what all tasks so far are worth on the validation split."""
        last = max((phase.end_step for phase in self._applied.phases if phase.task == self.at + 1), default=None)
        if not self._count or step != last:
            return None
        self._ended.append(self._now())
        worth = [self.evaluate("validation", task) for task in range(len(self._ended))]
        self.results.append(
            TaskResult(
                task=len(self._ended),
                step=step,
                classes=len(self.classes[self.at] or ()),
                taken=_share(self._taken),
                validation_accuracies=tuple(each.accuracy for each in worth),
            )
        )
        return self.results[-1]

    def _now(self) -> State:
        """What the task at work multiplies by, beside the weights that masks cut."""
        masked = {
            f"{path}.weight".lstrip("."): {stage.value: mask.clone() for stage, mask in layer.kept_masks.items()}
            for path, layer in self._applied.layers.items()
            if Stage.FORWARD in layer.kept_masks
        }
        own = {name: each.detach().clone() for name, each in self._model.state_dict().items() if name not in masked}
        return {"masks": {name.rpartition(".")[0]: masks for name, masks in masked.items()}, "own": own}

    def _be(self, state: State) -> None:
        for path, masks in state["masks"].items():
            on = {Stage(stage): mask.to(self._device) for stage, mask in masks.items()}
            self._applied.layers[path].hold(on)
        self._model.load_state_dict(state["own"], strict=False)

    @contextmanager
    def _as(self, task: int) -> Iterator[None]:
        now = self._now()
        self._be(self._ended[task])
        try:
            yield
        finally:
            self._be(now)

    def evaluate(self, split: str, task: int) -> Evaluation:
        """Loss and accuracy of a task that ended, as it ended."""
        with self._as(task):
            return evaluate(self._model, self.data[task], split, self._device, self.classes[task])

    def evaluate_now(self, split: str) -> Evaluation:
        """Loss and accuracy of the task at work; of a run that ended, of all its tasks, each sample of a task alike."""
        if not self._count or len(self._ended) < self._count:
            return evaluate(self._model, self.data[self.at], split, self._device, self.classes[self.at])
        each = [(len(self.data[task].split(split)), self.evaluate(split, task)) for task in range(self._count)]
        samples = sum(count for count, _ in each)
        return Evaluation(
            loss=sum(count * worth.loss for count, worth in each) / samples,
            accuracy=sum(count * worth.accuracy for count, worth in each) / samples,
        )

    def networks(self) -> dict[str, dict[str, Tensor]]:
        """A plain model's state dict for each task that ended."""
        found = {}
        for task in range(len(self._ended)):
            with self._as(task):
                masked = {f"{path}.weight": self._applied.weight(path, Stage.FORWARD) for path in self._applied.layers}
                whole = self._model.state_dict()
                found[f"task {task + 1}"] = {name: masked.get(name, whole[name]).detach().clone() for name in whole}
        return found

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> State:
        """What it takes to go on from here."""
        return {"ended": self._ended, "results": [asdict(each) for each in self.results]}

    def load_state_dict(self, state: State) -> None:
        """Go on from there, once model and recipe are there."""
        self._ended = state["ended"]
        fields = ({**each, "validation_accuracies": tuple(each["validation_accuracies"])} for each in state["results"])
        self.results = [TaskResult(**each) for each in fields]
        self._applied.keep(self._taken)


def _share(taken: dict[str, Tensor]) -> float:
    return sum(int(each.sum()) for each in taken.values()) / sum(each.numel() for each in taken.values())
