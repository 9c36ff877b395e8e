"""Time and energy of a whole training run: the phases of a recipe, each a simulated step times its steps.

What a step costs beside its products is the same in every phase but for STEP's optimizer: until the switch Adam's
second moment is watched, after it that moment is frozen. A ratio on the way to the full one that the design has no
pattern for runs dense: the weights are masked, and the array multiplies by the zeros. What a recipe does every so many
steps, or once, is priced as a step with it less a step without it, each by itself, and so are the sorts of a recipe
whose pruned weights count until the hard mask comes, and what drives groups of weights to zero. A search among narrower
networks is their forward passes. Making other masks that save nothing is not priced, nor are validation, loading of
data and the host.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..accel.engines import TENSOR
from ..configs.errors import ConfigError
from ..configs.formats import parse_format
from ..configs.operand_format import OperandFormat
from ..configs.option_kinds import WholeNumber
from ..configs.pattern import DENSE, Pattern
from ..configs.schema import Loaded
from ..configs.sums import sum_in_order
from ..training.recipes.declaration import Recipe
from ..training.recipes.extra_work import PRODUCTS, SORTED, ExtraWork
from ..training.recipes.group_penalty import GroupPenalty
from ..training.recipes.run_plan import Stretch, stretches
from .results.simulation_result import SimulationResult
from .results.training_figures import TrainingEvent, TrainingPhase, TrainingRun
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
    found = stretches(recipe.model, pattern, steps, switch_step=switch_step)
    costs = _Costs(simulator=simulator, recipe=recipe, pattern=pattern, steps=steps)
    rows = tuple(costs.of(stretch) for stretch in found)
    dense, clock = simulator.dense, simulator.hardware.model.clock_hz
    cycles = sum(row.cycles for row in rows)
    joules = sum_in_order(row.joules for row in rows)
    switches = recipe.model.schedule.switch is not None
    switched = next((stretch.first_step for stretch in found if stretch.kind == "sparse"), steps)
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
        useful_macs=sum(row.useful_macs for row in rows),
        dense_useful_macs=steps * dense.numbers.useful_macs,
        events=costs.events,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spent:
    """What some work takes."""

    cycles: int
    joules: float
    useful_macs: int

    @classmethod
    def beyond(cls, step: StepReport, other: StepReport) -> _Spent:
        """What a step takes beyond another."""
        one, two = step.numbers, other.numbers
        return cls(
            cycles=one.total_cycles - two.total_cycles,
            joules=one.energy_joules - two.energy_joules,
            useful_macs=one.useful_macs - two.useful_macs,
        )

    def __mul__(self, times: int) -> _Spent:
        return _Spent(cycles=times * self.cycles, joules=times * self.joules, useful_macs=times * self.useful_macs)

    def __add__(self, other: _Spent) -> _Spent:
        return _Spent(
            cycles=self.cycles + other.cycles,
            joules=self.joules + other.joules,
            useful_macs=self.useful_macs + other.useful_macs,
        )


_NOTHING = _Spent(cycles=0, joules=0.0, useful_macs=0)


@dataclass(frozen=True, kw_only=True)
class _Costs:
    """What a step of each stretch costs, and what happens in it beside; equal steps are simulated once."""

    simulator: Simulator
    recipe: Loaded[Recipe]
    pattern: OperandFormat
    steps: int
    _known: dict[tuple[object, ...], StepReport] = field(default_factory=dict)
    _happened: dict[str, tuple[str, int, int, _Spent]] = field(default_factory=dict)

    def of(self, stretch: Stretch) -> TrainingPhase:
        """A phase with its costs."""
        simulator = self._simulator(stretch)
        costs_as, reason, step, beside = "dense", stretch.reason, self._unpruned(simulator, stretch), _NOTHING
        if stretch.recipe is not None:
            recipe, pattern = stretch.recipe, stretch.pattern
            if stretch.on_the_way:
                recipe, pattern, reason = self._on_the_array(recipe, pattern)
            if _prunes(recipe, pattern):
                reason += ": layers of that ratio run dense" if reason else ""
                costs_as = "dense" if pattern.is_dense else str(pattern)
                step = self._step(simulator, _without_events(recipe), pattern)
                beside = self._beside(stretch, simulator, recipe, pattern, step)
        if stretch.searches:
            beside = self._found(stretch, simulator)
        if stretch.groups_to_zero is not None:
            beside += self._driven(stretch.groups_to_zero, stretch, simulator)
        if stretch.search_passes:
            beside += self._searched(stretch, simulator)
        clock = self.simulator.hardware.model.clock_hz
        return TrainingPhase(
            kind=stretch.kind,
            first_step=stretch.first_step,
            steps=stretch.steps,
            sparsity="dense" if stretch.kind == "dense" else str(stretch.trains),
            costs_as=costs_as,
            reason=reason,
            optimizer=simulator.options.optimizer,
            step_cycles=step.numbers.total_cycles,
            step_seconds=step.numbers.step_seconds,
            step_joules=step.numbers.energy_joules,
            name=stretch.name,
            pass_=stretch.pass_,
            times=stretch.times,
            step_useful_macs=step.numbers.useful_macs,
            event_cycles=beside.cycles,
            event_seconds=beside.cycles / clock,
            event_joules=beside.joules,
            event_useful_macs=beside.useful_macs,
        )

    # Events ----------------------------------------------------------------------------------------------------------

    def _beside(
        self, stretch: Stretch, simulator: Simulator, recipe: Recipe, pattern: OperandFormat, plain: StepReport
    ) -> _Spent:
        """What happens in a stretch beside its steps, every time that it is trained."""
        spent = _NOTHING
        for work in recipe.works:
            times = 0 if work.in_every_step else self._times(work, stretch)
            if not times:
                continue
            spent += self._happens(work, times, self._step(simulator, _with_event(recipe, work), pattern), plain)
        return spent

    def _found(self, stretch: Stretch, simulator: Simulator) -> _Spent:
        """What finding masks takes in every step of a stretch in which pruned weights count: as in a masked step."""
        recipe = self.recipe.model
        spent, plain = _NOTHING, {"schedule": type(recipe.schedule)(), "extra_work": ()}
        bare = self._step(simulator, recipe.model_copy(update=plain), self.pattern)
        for work in recipe.works_while_pruned_count:
            beside = recipe.model_copy(update=plain | {"extra_work": (work,)})
            spent += self._happens(work, stretch.steps, self._step(simulator, beside, self.pattern), bare)
        return spent

    def _driven(self, penalty: GroupPenalty, stretch: Stretch, simulator: Simulator) -> _Spent:
        """What driving groups to zero takes in a stretch: of the layers that its next one makes narrower."""
        recipe, plain = self.recipe.model, self._unpruned(simulator, stretch)
        planned = simulator.workload.rewritten(recipe.rewrites, simulator.options.passes)
        layers = tuple(layer for change in planned.changes for layer in change.outcome.layers)
        spent = _NOTHING
        for work, times in penalty.works(layers, stretch.steps):
            beside = recipe.unpruned.model_copy(update={"rewrites": stretch.rewrites, "extra_work": (work,)})
            spent += self._happens(work, times, self._step(simulator, beside, DENSE), plain)
        return spent

    def _searched(self, stretch: Stretch, simulator: Simulator) -> _Spent:
        """What choosing survivors takes where a network becomes narrower: forward passes of what it becomes."""
        forward = replace(simulator.options, pass_="inference", freeze="", recompute="", accumulate=1)
        numbers = self._unpruned(simulator.with_options(forward), stretch).numbers
        each = _Spent(cycles=numbers.total_cycles, joules=numbers.energy_joules, useful_macs=numbers.useful_macs)
        return self._noted("search: forward pass", TENSOR, 0, stretch.search_passes, each)

    def _happens(self, work: ExtraWork, times: int, step: StepReport, plain: StepReport) -> _Spent:
        """What so many steps with some work take beyond as many without."""
        every = work.every_steps if isinstance(work.every_steps, int) else 0
        return self._noted(work.title, _engine(work), every, times, _Spent.beyond(step, plain))

    def _noted(self, title: str, engine: str, every_steps: int, times: int, each: _Spent) -> _Spent:
        """Noted, and what it takes: so many times what it takes each."""
        *_, before, so_far = self._happened.get(title, (engine, every_steps, 0, _NOTHING))
        self._happened[title] = engine, every_steps, before + times, so_far + each * times
        return each * times

    def _times(self, work: ExtraWork, stretch: Stretch) -> int:
        if work.work == "weight-gradient" and stretch.pass_ != "training":
            return 0
        if work.every_steps == "once":
            # Before all retrainings of a cycle, or after them.
            return int(stretch.begins)
        # Nothing is made ready at a task's last update: there the next one begins anew.
        steps = stretch.steps - (stretch.task is not None)
        return stretch.times * work.times(stretch.at_step, steps, self.steps)

    @property
    def events(self) -> tuple[TrainingEvent, ...]:
        """What happened, all stretches together."""
        clock = self.simulator.hardware.model.clock_hz
        return tuple(
            TrainingEvent(
                name=title,
                engine=engine,
                every_steps=every_steps,
                times=times,
                cycles=spent.cycles,
                seconds=spent.cycles / clock,
                joules=spent.joules,
                useful_macs=spent.useful_macs,
            )
            for title, (engine, every_steps, times, spent) in self._happened.items()
        )

    # Steps -----------------------------------------------------------------------------------------------------------

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

    def _unpruned(self, simulator: Simulator, stretch: Stretch) -> StepReport:
        """A step of the network as it is or is rewritten in a stretch, nothing pruned."""
        recipe = self.recipe.model.model_copy(update={"rewrites": stretch.rewrites})
        return self._step(simulator, recipe.unpruned, DENSE) if recipe.rewrites else simulator.dense

    def _step(self, simulator: Simulator, recipe: Recipe, pattern: OperandFormat) -> StepReport:
        key = (pattern, recipe.model_dump_json(), simulator.options)
        if key not in self._known:
            self._known[key] = simulator.step(replace(self.recipe, model=recipe), pattern)
        return self._known[key]

    def _simulator(self, stretch: Stretch) -> Simulator:
        given = self.simulator.options
        optimizer = given.optimizer
        if self.recipe.model.schedule.switch is not None and optimizer == "adam":
            optimizer = _OF_A_SWITCH[stretch.kind]
        options = replace(given, optimizer=optimizer)
        if stretch.pass_ != "training":
            options = replace(options, pass_=stretch.pass_, freeze="", recompute="", accumulate=1)
        else:
            freeze = ",".join(filter(None, (given.freeze, stretch.freeze)))
            accumulate = given.accumulate if stretch.accumulate == 1 else stretch.accumulate
            options = replace(options, freeze=freeze, accumulate=accumulate)
        simulator = self.simulator.with_options(replace(options, batch=stretch.batch or given.batch))
        simulator.graph.check_batch(simulator.options.batch)
        return simulator


def _prunes(recipe: Recipe, pattern: OperandFormat) -> bool:
    return not all(each.is_dense for each in (pattern, *(parse_format(rule.sparsity) for rule in recipe.layers)))


def _without_events(recipe: Recipe) -> Recipe:
    """The recipe of a step in which nothing happens that does not happen in every one."""
    return recipe.model_copy(update={"extra_work": tuple(work for work in recipe.extra_work if work.in_every_step)})


def _with_event(recipe: Recipe, happens: ExtraWork) -> Recipe:
    """The recipe of a step with one thing beside those of every step."""
    always = {"every_steps": 1, "from_share": 0.0, "until_share": 1.0}
    works = (
        work.model_copy(update=always) if work == happens else work
        for work in recipe.works
        if work.in_every_step or work == happens
    )
    whole = happens.work == "weight-gradient"
    changed = {"weight_gradient": "dense"} if whole else {"extra_work": tuple(works)}
    return _without_events(recipe.model_copy(update=changed)) if whole else recipe.model_copy(update=changed)


def _engine(work: ExtraWork) -> str:
    if work.work in SORTED:
        return "reduction"
    return TENSOR if work.work in PRODUCTS or work.work == "weight-gradient" else "vector"
