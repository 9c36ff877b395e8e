"""A run whose network becomes another where a phase begins: what is chosen, carried on, proved and kept account of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...configs.errors import ConfigError
from ...configs.formats import parse_format
from ..data import DataSet, steps_per_epoch
from ..graph import Stage, TrainingGraph
from ..recipes.declaration import Recipe
from ..recipes.rewritten_phases import searches
from ..recipes.run_plan import stretches
from ..rewrites.apply import RewrittenGraph, rewritten
from ..rewrites.in_torch import Moved, Widths, carry, check_rewritten, made_by, proved, rewrite_captured, settle
from ..rewrites.keep import Keep
from ..rewrites.kinds import AnyRewrite
from ..settings import TrainingSettings
from .calibrating import calibration_of
from .hung_on import HungOn
from .own_graph import captured
from .sub_networks import SubNetworks


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
        sub_networks: within it, which drawn steps train.

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
        self._simulated = {each.rewrites: rewritten(graph, each.rewrites, deployed=False) for each in self._stretches}
        self._searches = searches(recipe.rewrites)
        self._beside = recipe.rewrites if self._searches else _beside([each.rewrites for each in self._stretches])
        if self._beside:
            # There from the first step on: adapters, which are narrowed with the layers that have them, or candidates.
            graph = rewrite_captured(model, self._beside, lambda: captured(model, settings, data), graph)
        self._widths = Widths.of(model, graph)
        self.sub_networks = SubNetworks(settings, self._stretches, model, graph)
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
        if self._searches:
            applied = hung.applied
            weights = {path: applied.weight(path, Stage.FORWARD).clone() for path in applied.layers}
            return self._hung_anew(hung, optimizer, applied.step, lambda: self._settle(number, weights))
        return self._hung_anew(hung, optimizer, hung.applied.step, lambda: self._enter(number, self._chosen))

    def network(self, phase: str, step: int) -> Callable[[Tensor], Any]:
        """What a step of a phase trains: the model, or a network within it."""
        return self.sub_networks.drawn(phase, step)

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
        rewrites, moved = self._stretches[number].built, []
        if rewrites != self._stretches[self._at].built or number == self._at:
            for at, entry in enumerate(rewrites):
                if not isinstance(entry, Keep):
                    continue
                try:
                    moved = narrow(entry, number)
                except ConfigError as error:
                    joint = "." if error.field else ": "
                    raise ConfigError(f"rewrites.{at}{joint}{error}", field=f"rewrites.{at}") from None
                planned = RewrittenGraph(graph=self._widths.now)
                self.graph = proved(lambda: captured(self._model, self._settings, self._data), planned)
                check_rewritten(self.graph, self._simulated[rewrites])
        made_by(self._model, rewrites)
        self._at = number
        return moved

    def _settle(self, number: int, weights: Mapping[str, Tensor]) -> list[Moved]:
        """Let a search end where a stretch without candidates begins."""
        rewrites, moved = self._stretches[number].built, list[Moved]()
        if not rewrites:
            moved = settle(self._model, weights)
            self.graph = proved(lambda: captured(self._model, self._settings, self._data), self._simulated[rewrites])
        made_by(self._model, rewrites)
        self._at = number
        return moved

    def _chosen(self, entry: Keep, number: int) -> list[Moved]:
        looked_at = calibration_of(self._settings, self._data, self._device, entry.batches)
        return self._widths.narrow(self._model, entry, calibration=looked_at, seed=self._settings.seed + number)

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here."""
        return {"at": self._at, "places": self._widths.places, "sub_networks": self.sub_networks.state_dict()}

    def restored(self, state: dict[str, Any], hung: HungOn, optimizer: torch.optim.Optimizer) -> HungOn:
        """What hangs on the model once it is as narrow as it was; its weights are still to be loaded."""
        number, places = state["at"], state["places"]
        if number != self._at:
            hung = self._hung_anew(
                hung,
                optimizer,
                self._stretches[number].first_step,
                lambda: (
                    self._settle(number, {})
                    if self._searches
                    else self._enter(number, lambda entry, _: self._widths.restore(self._model, entry, places))
                ),
            )
        self._widths.places = places
        self.sub_networks.load_state_dict(state["sub_networks"])
        return hung


def _beside(rewrites: Sequence[tuple[AnyRewrite, ...]]) -> tuple[AnyRewrite, ...]:
    """The entries beside a keep, which hold from the first step to the last.

    Raises:
        ConfigError: they differ.
    """
    found = {tuple(entry for entry in each if not isinstance(entry, Keep)): None for each in rewrites}
    if len(found) > 1:
        raise ConfigError(
            "schedule.phases: got rewrites that differ beside keep, need the same adapters in all phases: training "
            "knows no others",
            field="schedule.phases",
        )
    return next(iter(found))
