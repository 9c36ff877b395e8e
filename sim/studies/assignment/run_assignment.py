"""Finding a ratio for each layer: the fastest step whose proxy for accuracy is no worse than a budget.

Each ratio is simulated once in all layers. A layer is taken to cost in any mixture what it costs there, so that an
assignment is a multiple-choice knapsack, solved in ``multiple_choice``. What layers share is not in the sums, and the
simulated step is what counts: ``assignment_search`` simulates the knapsack's solution and what is near it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from ....configs.errors import ConfigError
from ....configs.pattern import DENSE, Pattern
from ....configs.schema import Loaded
from ....training.graph import Stage
from ....training.layer_costs import LAYER_COSTS_FILE, LayerCosts
from ....training.recipes.annotation import annotate
from ....training.recipes.declaration import Recipe
from ....training.recipes.per_layer import layer_rules
from ...results.simulation_result import Input
from ...simulation import Simulator
from ...step.against_dense import ratio
from ...step.step_report import StepReport
from .assignment import AssignedLayer, Assignment, Budget, ProxyName, RatioStep
from .local_search import SIMULATED_AT_MOST, LocalSearch, favoured
from .prices import Pair, Prices, Purse, Ratios, purses, uniform

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Assigner:
    """Assigns ratios to the layers of one model under one recipe on one design.

    Attributes:
        simulator: of the model's graph on the design.
        recipe: the method; its rules for single layers are left out.
        ratios: to choose from; one with N = M keeps a layer dense.
    """

    simulator: Simulator
    recipe: Loaded[Recipe]
    ratios: tuple[Pattern, ...]

    def __post_init__(self) -> None:
        recipe, hardware = self.recipe.model, self.simulator.hardware.model
        if recipe.rewrites:
            raise ConfigError(
                f"recipe: got {recipe.name}, which rewrites layers ({recipe.rewrites[0].title}), need one that prunes "
                "those of the network; try bdwp"
            )
        stages = recipe.pruned_stages
        plain = all(stage.operand == "weight" and not stage.permuted for stage in stages)
        if not stages or not plain or recipe.mask_search.method != "top-n":
            raise ConfigError(
                f"recipe: got {recipe.name}, need one that keeps the N largest weights of each group; try bdwp"
            )
        if not self.sparse_ratios:
            raise ConfigError("ratios: got none that prunes, need N:M with N below M; try 1:8,2:8,4:8")
        for each in self.sparse_ratios:
            if not hardware.tensor_engine.supports(each):
                offered = ", ".join(hardware.tensor_engine.patterns) or "none"
                raise ConfigError(f"ratios: got {each}, need those that {hardware.name} has: {offered}")

    @cached_property
    def sparse_ratios(self) -> tuple[Pattern, ...]:
        """Those that prune, each once."""
        return tuple(dict.fromkeys(each for each in self.ratios if not each.is_dense))

    @property
    def _dense_too(self) -> bool:
        return any(each.is_dense for each in self.ratios)

    @cached_property
    def choices(self) -> dict[Pair, tuple[Pattern, ...]]:
        """What each layer may have in each stage.

        That is, the ratios that the recipe's rules let it have there; and dense where they keep it so at one of them,
        or where dense is among the ratios.

        Raises:
            ConfigError: the rules keep every layer dense.
        """
        graph, recipe = self.simulator.workload.graph, self._with({}).model
        found: dict[Pair, list[Pattern]] = {}
        for pattern in self.sparse_ratios:
            pruned = annotate(graph, recipe, pattern, pre_generation=True)
            for operator in graph.products:
                mine = found.setdefault((operator.module, operator.stage), [])
                if operator.name in pruned.prunings and pattern not in mine:
                    mine.append(pattern)
        found = {pair: mine for pair, mine in found.items() if mine}
        if not found:
            listed = ", ".join(map(str, self.sparse_ratios))
            raise ConfigError(f"ratios: got {listed}, at which {recipe.name} keeps all of {graph.name} dense")
        return {
            pair: (*mine, DENSE) if self._dense_too or len(mine) < len(self.sparse_ratios) else tuple(mine)
            for pair, mine in found.items()
        }

    def said(self, ratios: Ratios) -> dict[Pair, Pattern]:
        """Ratios of every layer and stage that any ratio could prune, so that a default says nothing more.

        Dense is said of what no ratio chosen from could prune, such as 10 channels where each prunes groups of 8; and
        of a stage in which a layer multiplies nothing, for training would make it a mask nevertheless. What the
        recipe's rules keep dense at any ratio is left to them.

        Args:
            ratios: that were found.
        """
        graph, recipe = self.simulator.workload.graph, self._with({}).model
        unruled = recipe.model_copy(update={"dense": recipe.dense.model_copy(update={"indivisible": False})})
        pruned = annotate(graph, unruled, self.sparse_ratios[0], pre_generation=True).prunings
        modules = dict.fromkeys(operator.module for operator in graph.products if operator.name in pruned)
        stages = [
            stage
            for stage, own in ((Stage.FORWARD, recipe.forward), (Stage.BACKWARD, recipe.backward))
            if own is not None
        ]
        return dict(ratios) | {
            (module, stage): DENSE for module in modules for stage in stages if (module, stage) not in ratios
        }

    @property
    def places(self) -> list[tuple[str, Stage, Pattern]]:
        """What must be measured."""
        return [(*pair, each) for pair, mine in self.choices.items() for each in mine if not each.is_dense]

    def _with(self, ratios: Ratios) -> Loaded[Recipe]:
        return replace(self.recipe, model=self.recipe.model.model_copy(update={"layers": layer_rules(ratios)}))

    def assign(
        self,
        costs: LayerCosts,
        *,
        proxy: ProxyName = "magnitude",
        like: Pattern | None = None,
        keep: float | None = None,
        progress: Progress | None = None,
    ) -> tuple[Assignment, dict[Pair, Pattern]]:
        """Find the ratios.

        Args:
            costs: what was measured of ``places``.
            proxy: ``magnitude``: the share of the weights' magnitude that all masks keep. ``sensitivity``: of FF the
                sum of what pruning each layer alone adds to the validation loss, and of BP the magnitude kept.
            like: one of ``ratios``: the proxy is to be no worse than with this ratio in all layers.
            keep: the least share of magnitude, in place of ``like``; not with ``sensitivity``.
            progress: told before each simulation: what it is, how many are done, of how many.

        Returns:
            The assignment, and its ratios.

        Raises:
            ConfigError: a cost is not known, or no choice of ratios keeps the budget.
            MappingError: a product has no legal mapping on the design.
        """
        if (like is None) == (keep is None) or (keep is not None and (proxy != "magnitude" or not 0 <= keep <= 1)):
            raise ConfigError(
                f"like, keep: got {like} and {keep}, need one of them; keep from 0 to 1, and not with sensitivity"
            )
        if like is not None and like not in self.sparse_ratios:
            raise ConfigError(f"like: got {like}, need one of the ratios {', '.join(map(str, self.sparse_ratios))}")
        budgets = purses(self.choices, costs, proxy, like=like, keep=keep)
        steps = self._steps(progress or (lambda *_: None))
        graph = self.simulator.workload.graph
        prices = Prices(graph=graph, pairs=tuple(self.choices), steps=steps | {DENSE: self.simulator.dense})
        best = favoured(self.choices, budgets, prices)
        if best is None:
            raise ConfigError(
                f"keep: got {keep}, need a share that some choice of {', '.join(map(str, self.ratios))} keeps; "
                "try 1:1 among the ratios"
            )
        plain = {each: uniform(self.choices, each) for each in self.sparse_ratios}
        rows = {each: self._row(str(each), steps[each], budgets, plain[each]) for each in steps}
        search = LocalSearch(
            choices=self.choices, budgets=budgets, prices=prices, cycles=self._simulating(progress or (lambda *_: None))
        )
        within = [(plain[each], steps[each].total_cycles) for each in steps if rows[each].within]
        found = search.fastest(best.candidates, within)
        step = self.simulator.step(self._with(found), self.sparse_ratios[0])
        result = self.simulator.run(self._with(found), self.sparse_ratios[0])
        assignment = Assignment(
            bisparse_version=result.bisparse_version,
            inputs=result.inputs | {"layer_costs": Input(name=LAYER_COSTS_FILE, sha256=costs.sha256)},
            title=result.title,
            batch=result.batch,
            optimizer=result.optimizer,
            proxy=proxy,
            like="" if like is None else str(like),
            ratios=tuple(map(str, (*self.sparse_ratios, *([DENSE] if self._dense_too else [])))),
            budgets=tuple(
                Budget(
                    measure=purse.measure,
                    stages=purse.stages,
                    limit=purse.measured(purse.limit),
                    reached=purse.measured(purse.lost(found)),
                )
                for purse in budgets
            ),
            layers=self._layers(found, costs, prices, step),
            assigned=self._row("per layer", step, budgets, found),
            uniform=tuple(rows.values()),
            predicted_cycles=prices.total(found),
            bound_cycles=best.bound,
            simulated=len(search.known),
            assumptions=result.assumptions,
        )
        return assignment, found

    def _steps(self, progress: Progress) -> dict[Pattern, StepReport]:
        found: dict[Pattern, StepReport] = {}
        for pattern in self.sparse_ratios:
            progress(f"simulating every layer at {pattern}", len(found), len(self.sparse_ratios))
            found[pattern] = self.simulator.step(self._with({}), pattern)
        return found

    def _simulating(self, progress: Progress) -> Callable[[Ratios], int]:
        numbers = count()

        def cycles(ratios: Ratios) -> int:
            progress("simulating a ratio for each layer", next(numbers), SIMULATED_AT_MOST)
            return self.simulator.step(self._with(ratios), self.sparse_ratios[0]).numbers.total_cycles

        return cycles

    def _row(self, name: str, step: StepReport, budgets: list[Purse], ratios: Ratios) -> RatioStep:
        dense = self.simulator.dense
        return RatioStep(
            sparsity=name,
            total_cycles=step.numbers.total_cycles,
            step_seconds=step.numbers.step_seconds,
            energy_joules=step.numbers.energy_joules,
            speedup_vs_dense=ratio(dense.numbers.total_cycles, step.numbers.total_cycles),
            energy_ratio_vs_dense=ratio(step.numbers.energy_joules, dense.numbers.energy_joules),
            reached=tuple(purse.measured(purse.lost(ratios)) for purse in budgets),
            within=all(purse.keeps(ratios) for purse in budgets),
        )

    def _layers(self, found: Ratios, costs: LayerCosts, prices: Prices, step: StepReport) -> tuple[AssignedLayer, ...]:
        cycles, dense = prices.products(step), prices.products(self.simulator.dense)
        rows = []
        for (module, stage), pattern in found.items():
            pair = (module, stage)
            known = costs.by_place.get((module, stage.value, pattern))
            any_ratio = costs.by_place[module, stage.value, self.choices[pair][0]]
            rows.append(
                AssignedLayer(
                    module=module,
                    stage=stage.value,
                    sparsity="dense" if pattern.is_dense else str(pattern),
                    weights=any_ratio.weights,
                    kept_magnitude=1.0 if known is None else known.kept_magnitude,
                    loss_rise=None if known is None else known.loss_rise,
                    cycles=cycles[pair],
                    dense_cycles=dense[pair],
                )
            )
        return tuple(rows)
