"""What a layer's ratio costs and loses: cycles out of steps of uniform ratios, and the proxies that budgets limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ....configs.errors import ConfigError
from ....configs.pattern import DENSE, Pattern
from ....configs.sums import sum_in_order
from ....training.graph import Stage, TrainingGraph
from ....training.layer_costs import LAYER_COSTS_FILE, LayerCost, LayerCosts
from ...step.step_report import StepReport
from .assignment import ProxyName

Pair = tuple[str, Stage]
"""A layer in one stage: its module and the stage."""

Ratios = Mapping[Pair, Pattern]
Choices = Mapping[Pair, Sequence[Pattern]]
Measure = Literal["kept magnitude", "loss rise"]

_ROUNDING = 1e-9
"""Of a limit: what sums in another order may differ by."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Cycles of each layer in each stage, by ratio.

    A layer is taken to cost in any mixture what it costs where all layers have its ratio: what its product exposes, and
    an equal share of what the update of its weight does.

    Attributes:
        graph: of the step.
        pairs: layers in stages.
        steps: of each ratio in all layers, ``DENSE`` for none.
    """

    graph: TrainingGraph
    pairs: tuple[Pair, ...]
    steps: dict[Pattern, StepReport]

    @cached_property
    def _updated(self) -> dict[str, list[Pair]]:
        """The pairs that read a weight, by the name of its update."""
        parameters = {(op.module, op.stage): op.parameter for op in self.graph.products}
        return {
            op.name: [pair for pair in self.pairs if parameters[pair] == op.parameter]
            for op in self.graph.operators
            if op.stage is Stage.UPDATE
        }

    @cached_property
    def _by_pair(self) -> dict[Pattern, dict[Pair, float]]:
        return {pattern: self._of_step(step) for pattern, step in self.steps.items()}

    def _of_step(self, step: StepReport) -> dict[Pair, float]:
        found: dict[Pair, float] = {pair: float(cycles) for pair, cycles in self.products(step).items()}
        for row in step.rows:
            for pair in self._updated.get(row.name, ()):
                found[pair] += row.cycles / len(self._updated[row.name])
        return found

    def products(self, step: StepReport) -> dict[Pair, int]:
        """Exposed cycles of each pair's product, with what is prepared for it, in a step."""
        found = dict.fromkeys(self.pairs, 0)
        for row in step.rows:
            pair = (row.module, Stage(row.stage)) if row.stage in ("FF", "BP") else None
            if pair in found:
                found[pair] += row.cycles
        return found

    def of(self, pair: Pair, pattern: Pattern) -> float:
        """Cycles of a pair at a ratio."""
        return self._by_pair[pattern][pair]

    def total(self, ratios: Ratios) -> float:
        """Cycles of the step that the sums predict."""
        return self.beside + sum_in_order(self.of(pair, pattern) for pair, pattern in ratios.items())

    @property
    def beside(self) -> float:
        """Cycles of everything else, in the dense step."""
        return self.steps[DENSE].numbers.total_cycles - sum_in_order(self._by_pair[DENSE].values())


@dataclass(frozen=True, kw_only=True)
class Purse:
    """A budget, and the pairs that share it.

    Attributes:
        measure: what is limited.
        pairs: that it is summed over.
        costs: what was measured of them.
        limit: what they may lose: magnitude, or nats.
    """

    measure: Measure
    pairs: tuple[Pair, ...]
    costs: Mapping[tuple[str, str, Pattern], LayerCost]
    limit: float = 0.0

    def loss(self, pair: Pair, pattern: Pattern) -> float:
        """What a pair loses at a ratio."""
        if pattern.is_dense:
            return 0.0
        row = self.costs[pair[0], pair[1].value, pattern]
        if self.measure == "loss rise":
            assert row.loss_rise is not None, "purses are made of what is known"
            return max(row.loss_rise, 0.0)
        return row.magnitude * (1 - row.kept_magnitude)

    def lost(self, ratios: Ratios) -> float:
        """What all pairs lose."""
        return sum_in_order(self.loss(pair, ratios[pair]) for pair in self.pairs)

    @cached_property
    def whole(self) -> float:
        """The magnitude of all pairs."""
        by_pair = {(module, stage): row.magnitude for (module, stage, _), row in self.costs.items()}
        return sum_in_order(by_pair[module, stage.value] for module, stage in self.pairs)

    def measured(self, lost: float) -> float:
        """A loss as its measure tells it."""
        if self.measure == "loss rise":
            return lost
        return 1 - lost / self.whole if self.whole else 1.0

    def keeps(self, ratios: Ratios) -> bool:
        """Whether ratios lose no more than they may."""
        return self.room(ratios) >= 0

    def room(self, ratios: Ratios) -> float:
        """What they may lose more; negative where they lose more than they may."""
        scale = 1.0 if self.measure == "loss rise" else self.whole
        return self.limit + _ROUNDING * scale - self.lost(ratios)

    @property
    def stages(self) -> tuple[str, ...]:
        """Of its pairs."""
        return tuple(dict.fromkeys(stage.value for _, stage in self.pairs))


def purses(
    choices: Choices, costs: LayerCosts, proxy: ProxyName, *, like: Pattern | None, keep: float | None
) -> list[Purse]:
    """The budgets of a proxy: one over all pairs; or one over those of FF, by sensitivity, and one over those of BP.

    Args:
        choices: ratios that each pair may have.
        costs: what was measured.
        proxy: see ``Assigner.assign``.
        like: the ratio whose losses are the limits.
        keep: the share of magnitude to be kept, where ``like`` is None.

    Raises:
        ConfigError: the cost of a layer at a ratio is not known.
    """
    forward = tuple(pair for pair in choices if pair[1] is Stage.FORWARD)
    by_measure: dict[Measure, tuple[Pair, ...]] = {"kept magnitude": tuple(choices)}
    if proxy == "sensitivity":
        backward = tuple(pair for pair in choices if pair not in forward)
        by_measure = {"loss rise": forward, "kept magnitude": backward}
    for pair, patterns in choices.items():
        for pattern in patterns:
            row = costs.by_place.get((pair[0], pair[1].value, pattern))
            if not pattern.is_dense and row is None:
                raise ConfigError(f"{LAYER_COSTS_FILE}: got no row of {pair[0]} {pair[1].value} at {pattern}, need one")
            if row is not None and row.loss_rise is None and pair in by_measure.get("loss rise", ()):
                raise ConfigError(f"{LAYER_COSTS_FILE}: got no loss_rise of {pair[0]} FF at {pattern}, need one")
    found = []
    for measure, pairs in by_measure.items():
        purse = Purse(measure=measure, pairs=pairs, costs=costs.by_place)
        share = (1 - (keep or 0.0)) * purse.whole
        limit = share if like is None else purse.lost(uniform(choices, like))
        found += [replace(purse, limit=limit)] if pairs else []
    return found


def uniform(choices: Choices, pattern: Pattern) -> dict[Pair, Pattern]:
    """What one ratio for all layers gives each: dense where the recipe's rules say so."""
    return {pair: pattern if pattern in mine else DENSE for pair, mine in choices.items()}
