"""A run whose network becomes narrower where a phase begins: what is chosen, carried on, proved and kept account of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...configs.errors import ConfigError
from ...configs.formats import parse_format
from ..data import DataSet, steps_per_epoch
from ..graph import TrainingGraph
from ..recipes.declaration import Recipe
from ..recipes.run_plan import stretches
from ..rewrites.apply import RewrittenGraph, rewritten
from ..rewrites.in_torch import Moved, Widths, carry, made_by, proved
from ..rewrites.keep import Keep
from ..settings import TrainingSettings
from .calibrating import calibration_of
from .hung_on import HungOn
from .own_graph import captured


class Narrowing:
    """Of one run.

    Args:
        settings: of the run.
        recipe: its method, whose rewrites hold in some phases, or in part.
        data: that it reads.
        model: as it was built; it becomes what the first phase has.
        graph: of a step of it as it was built.
        device: of torch.

    Attributes:
        graph: of a step of the model as it is.

    Raises:
        ConfigError: the model cannot become what the first phase has.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        recipe: Recipe,
        data: DataSet,
        model: nn.Module,
        graph: TrainingGraph,
        device: torch.device,
    ) -> None:
        self._settings, self._recipe, self._data, self._model, self._device = settings, recipe, data, model, device
        steps = settings.epochs * steps_per_epoch(data, settings.batch)
        self._stretches = stretches(recipe, parse_format(settings.sparsity), steps)
        # What does not fit is said before anything trains.
        for rewrites in {each.rewrites: None for each in self._stretches}:
            rewritten(graph, rewrites, deployed=False)
        self._widths = Widths.of(model, graph)
        self._at, self.graph = 0, graph
        self._enter(0, self._chosen)

    def before_step(self, hung: HungOn, optimizer: torch.optim.Optimizer) -> HungOn:
        """What hangs on the model: made anew where it becomes narrower before the next update.

        Raises:
            ConfigError: the model cannot become so, or is then not the one that is simulated.
        """
        number = hung.applied.phase.stretch
        if number is None or number == self._at:
            return hung
        return self._hung_anew(hung, optimizer, hung.applied.step, lambda: self._enter(number, self._chosen))

    def _hung_anew(
        self, hung: HungOn, optimizer: torch.optim.Optimizer, step: int, narrow: Callable[[], list[Moved]]
    ) -> HungOn:
        hung.rules.let_all_learn()
        hung.applied.let_go()
        carry(optimizer, narrow())
        made = HungOn.of(
            self._settings,
            self._recipe,
            self._data,
            self._model,
            self.graph,
            self._device,
            first_step=step,
        )
        made.applied.go_on_from(hung.applied)
        made.applied.attach(optimizer)
        return made

    def _enter(self, number: int, narrow: Callable[[Keep, int], list[Moved]]) -> list[Moved]:
        """Make the model what a stretch has; the parameters that became others."""
        rewrites, moved = self._stretches[number].rewrites, []
        if rewrites != self._stretches[self._at].rewrites or number == self._at:
            for entry in rewrites:
                assert isinstance(entry, Keep), "other recipes were refused"
                try:
                    moved = narrow(entry, number)
                except ConfigError as error:
                    joint = "." if error.field else ": "
                    raise ConfigError(f"rewrites.0{joint}{error}", field="rewrites.0") from None
            if rewrites:
                planned = RewrittenGraph(graph=self._widths.now)
                self.graph = proved(lambda: captured(self._model, self._settings, self._data), planned)
        made_by(self._model, rewrites)
        self._at = number
        return moved

    def _chosen(self, entry: Keep, number: int) -> list[Moved]:
        looked_at = calibration_of(self._settings, self._data, self._device, entry.batches)
        return self._widths.narrow(self._model, entry, calibration=looked_at, seed=self._settings.seed + number)

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here."""
        return {"at": self._at, "places": self._widths.places}

    def restored(self, state: dict[str, Any], hung: HungOn, optimizer: torch.optim.Optimizer) -> HungOn:
        """What hangs on the model once it is as narrow as it was; its weights are still to be loaded."""
        number, places = state["at"], state["places"]
        if number != self._at:
            hung = self._hung_anew(
                hung,
                optimizer,
                self._stretches[number].first_step,
                lambda: self._enter(number, lambda entry, _: self._widths.restore(self._model, entry, places)),
            )
        self._widths.places = places
        return hung
