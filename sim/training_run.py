"""Time and energy of a whole training run: the phases of a recipe, each a simulated step times its steps.

What a step costs beside its products is the same in every phase but for STEP's optimizer: until the switch Adam's
second moment is watched, after it that moment is frozen. A ratio on the way to the full one that the design has no
pattern for runs dense: the weights are masked, and the array multiplies by the zeros. Making masks that save nothing is
not priced, nor are validation, loading of data and the host.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..configs.errors import ConfigError
from ..configs.formats import parse_format
from ..configs.operand_format import OperandFormat
from ..configs.option_kinds import WholeNumber
from ..configs.pattern import DENSE, Pattern
from ..configs.schema import Loaded
from ..configs.sums import sum_in_order
from ..training.recipes.declaration import Recipe
from ..training.recipes.phases import Phase, pattern_in, phases, recipe_in
from .results.simulation_result import SimulationResult
from .results.training_figures import TrainingPhase, TrainingRun
from .simulation import Simulator
from .step.against_dense import ratio
from .step.step_report import StepReport

__all__ = ["TrainingRun", "simulate_training", "with_training"]

_OF_A_SWITCH = {"dense": "adam-watched", "sparse": "adam-frozen"}
"""Adam before and after STEP's switch, by kind of phase."""


def simulate_training(
    simulator: Simulator, recipe: Loaded[Recipe], pattern: OperandFormat, steps: int, *, switch_step: int | None = None
) -> TrainingRun:
    """Simulate a training run.

    Args:
        simulator: of the workload on the design.
        recipe: the method, with its schedule.
        pattern: its full ratio.
        steps: of the run.
        switch_step: after which a recipe with a switch did switch; at its latest when None.

    Raises:
        ConfigError: there are no steps, the switch lies outside them, or the recipe does not fit the workload.
        MappingError: the design lacks the full ratio, or a product has no legal mapping on it.
    """
    found = phases(recipe.model, pattern, steps, switch_step=switch_step)
    costs = _Costs(simulator=simulator, recipe=recipe, pattern=pattern)
    rows = tuple(costs.of(phase) for phase in found)
    dense, clock = simulator.dense, simulator.hardware.model.clock_hz
    cycles = sum(row.steps * row.step_cycles for row in rows)
    joules = sum_in_order(row.steps * row.step_joules for row in rows)
    switches = recipe.model.schedule.switch is not None
    switched = next((phase.first_step for phase in found if phase.kind == "sparse"), steps)
    return TrainingRun(
        steps=steps,
        switch_step=switched if switches else None,
        switch_assumed=switches and switch_step is None,
        phases=rows,
        total_cycles=cycles,
        seconds=cycles / clock,
        joules=joules,
        dense_cycles=steps * dense.numbers.total_cycles,
        dense_seconds=steps * dense.numbers.total_cycles / clock,
        dense_joules=steps * dense.numbers.energy_joules,
        speedup_vs_dense=ratio(steps * dense.numbers.total_cycles, cycles),
        energy_ratio_vs_dense=ratio(joules, steps * dense.numbers.energy_joules),
    )


def with_training(
    simulator: Simulator, result: SimulationResult, recipe: Loaded[Recipe], pattern: OperandFormat, steps: int | None
) -> SimulationResult:
    """A step's result with a whole training run of so many steps beside it; alone when None.

    Arguments and errors as for ``simulate_training``.
    """
    if steps is None:
        return result
    if result.inference:
        raise ConfigError("training_steps: got it of an inference, need a training step; try without one of them")
    steps = WholeNumber(1).checked("training_steps", steps)
    return replace(result, training=simulate_training(simulator, recipe, pattern, steps))


@dataclass(frozen=True, kw_only=True)
class _Costs:
    """What a step of each phase costs; equal steps are simulated once."""

    simulator: Simulator
    recipe: Loaded[Recipe]
    pattern: OperandFormat
    _known: dict[tuple[object, ...], StepReport] = field(default_factory=dict)

    def of(self, phase: Phase) -> TrainingPhase:
        """A phase with its costs."""
        trained = "dense" if phase.kind == "dense" else str(pattern_in(self.recipe.model, self.pattern, phase))
        costs_as, reason, step = "dense", "", None
        optimizer = self._optimizer(phase)
        plain = recipe_in(self.recipe.model, self.pattern, phase)
        if plain is not None:
            recipe, pattern = plain
            if phase.frames_left:
                recipe, pattern, reason = self._on_the_array(recipe, pattern)
            if _prunes(recipe, pattern):
                reason += ": layers of that ratio run dense" if reason else ""
                costs_as = "dense" if pattern.is_dense else str(pattern)
                step = self._step(recipe, pattern, optimizer)
        elif phase.kind == "leak":
            reason = "pruned weights still count"
        if step is None and self.recipe.model.rewrites:
            step = self._step(self.recipe.model.unpruned, DENSE, optimizer)
        elif step is None:
            step = self._simulator(optimizer).dense
        return TrainingPhase(
            kind=phase.kind,
            first_step=phase.first_step,
            steps=phase.steps,
            sparsity=trained,
            costs_as=costs_as,
            reason=reason,
            optimizer=optimizer,
            step_cycles=step.numbers.total_cycles,
            step_seconds=step.numbers.step_seconds,
            step_joules=step.numbers.energy_joules,
        )

    def _optimizer(self, phase: Phase) -> str:
        given = self.simulator.options.optimizer
        if self.recipe.model.schedule.switch is None or given != "adam":
            return given
        return _OF_A_SWITCH[phase.kind]

    def _on_the_array(self, recipe: Recipe, pattern: OperandFormat) -> tuple[Recipe, OperandFormat, str]:
        """What the array runs of a frame: M:M, which is dense, for a ratio that it lacks; and what those are."""
        hardware = self.simulator.hardware.model
        lacking: dict[str, None] = {}

        def run_as(each: OperandFormat) -> OperandFormat:
            sorted_by = hardware.reduction_engine.largest_group
            if not isinstance(each, Pattern):
                return each
            if hardware.tensor_engine.supports(each) and (each.is_dense or each.group <= sorted_by):
                return each
            lacking[str(each)] = None
            return Pattern(each.group, each.group)

        pattern = run_as(pattern)
        layers = tuple(
            rule.model_copy(update={"sparsity": str(run_as(parse_format(rule.sparsity)))}) for rule in recipe.layers
        )
        reason = f"{hardware.name} has no {' nor '.join(lacking)}" if lacking else ""
        return recipe.model_copy(update={"layers": layers}), pattern, reason

    def _step(self, recipe: Recipe, pattern: OperandFormat, optimizer: str) -> StepReport:
        key = (pattern, recipe.layers, optimizer)
        if key not in self._known:
            self._known[key] = self._simulator(optimizer).step(replace(self.recipe, model=recipe), pattern)
        return self._known[key]

    def _simulator(self, optimizer: str) -> Simulator:
        options = self.simulator.options
        return self.simulator.with_options(replace(options, optimizer=optimizer))


def _prunes(recipe: Recipe, pattern: OperandFormat) -> bool:
    return not all(each.is_dense for each in (pattern, *(parse_format(rule.sparsity) for rule in recipe.layers)))
