"""Networks within the one that trains: each step of a phase whose rewrites are drawn trains one of them.

Which one a step trains is a function of the seed and the step, so that a run that goes on draws what it would have
drawn. Its products are those of the narrower network, and its gradients reach the weights that it shares. In the end
each is measured, with running statistics of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...configs.errors import ConfigError
from ..data import DataSet
from ..graph import TrainingGraph
from ..recipes.run_plan import Stretch
from ..rewrites.in_torch.nested import Nested
from ..rewrites.keep import Keep
from ..run_summary import SubNetworkResult
from ..settings import TrainingSettings
from .evaluation import evaluate


class SubNetworks:
    """Of one run.

    Args:
        settings: of the run.
        found: stretches of the run.
        model: that trains, with no recipe at work on it.
        graph: of a step of it.

    Raises:
        ConfigError: operands are rounded, or weights are masked, which networks within another do not know.
    """

    def __init__(
        self, settings: TrainingSettings, found: Sequence[Stretch], model: nn.Module, graph: TrainingGraph
    ) -> None:
        self._seed, self._model = settings.seed, model
        self._titles: list[str] = []
        self._nested: list[Nested | None] = []
        self._of_phase: dict[str, list[int]] = {}
        for each in found:
            if not each.drawn:
                continue
            if not each.trains.is_dense:
                raise ConfigError(
                    f"schedule.phases: {each.name}: drawn: got true with masks, need a recipe that prunes no weight: "
                    "networks within another have none"
                )
            title = each.rewrites[0].title if each.rewrites else "the whole network"
            if title not in self._titles:
                self._titles.append(title)
                entry = each.rewrites[0] if each.rewrites else None
                assert entry is None or isinstance(entry, Keep), "other recipes were refused"
                self._nested.append(None if entry is None else Nested(model, graph, entry))
            self._of_phase.setdefault(each.name, []).append(self._titles.index(title))
        if self._nested and settings.precision != "fp32":
            raise ConfigError(
                f"precision: got {settings.precision}, need fp32: networks within another are not rounded"
            )

    def drawn(self, phase: str, step: int) -> Callable[[Tensor], Any]:
        """What a step trains: one of its phase's networks, or the model, where its steps are not drawn.

        Args:
            phase: its name.
            step: updates done before it.
        """
        own = self._of_phase.get(phase)
        if own is None:
            return self._model
        number = own[int(np.random.default_rng([self._seed, step]).integers(len(own)))]
        return self._nested[number] or self._model

    def results(self, data: DataSet, device: torch.device) -> tuple[SubNetworkResult, ...]:
        """What each is worth on the test split, by its number of weights, the smallest first."""
        found = []
        for title, nested in zip(self._titles, self._nested, strict=True):
            module = self._model if nested is None else nested.plain()
            measured = evaluate(module, data, "test", device)
            weights = sum(each.numel() for each in module.parameters())
            found.append(
                SubNetworkResult(
                    title=title, parameters=weights, test_accuracy=measured.accuracy, test_loss=measured.loss
                )
            )
        return tuple(sorted(found, key=lambda each: each.parameters))

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> list[dict[str, Tensor]]:
        """What it takes to go on from here."""
        return [{} if each is None else each.state_dict() for each in self._nested]

    def load_state_dict(self, state: Sequence[dict[str, Tensor]]) -> None:
        """Go on from there."""
        for nested, own in zip(self._nested, state, strict=True):
            if nested is not None:
                nested.load_state_dict(own)
