"""The range of an answer: its assumptions varied one by one, and drawn all at once, each design simulated.

Draws are a Latin hypercube: each takes its own slice of an assumption's range, so that few of them cover all. Slices
are wider where a value of its own for each draw would take long: designs are drawn one for every four draws, since each
has its mappings searched, and what lays out a step (policies, lengths of vector work) or tells kinds of designs apart
(whatever is no number) once for every twelve. Dense and pruned step run on the same drawn design at the same prices:
what an assumption does to both cancels in a ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....configs.arrays import FloatArray
from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ....configs.schema import Loaded
from ....training.recipes.declaration import Recipe
from ...results.answer_range import AnswerRange, Interval, Swing
from ...results.simulation_result import SimulationResult
from ...simulation import Simulator
from ..explore.evaluation import evaluate
from ..explore.point import Outcome, Point
from .assumptions import Assumption, Uncertain, Value

DRAWS, SEED = 72, 0

_TO_A_MAPPING, _TO_A_STEP = 4, 12
"""Draws that share a design as far as mappings depend on it; draws that share the works of a step and a kind."""

_OF_A_STEP = ("hardware.vector_engine.operations.", "hardware.policy.")
"""What the names of assumptions begin with that lay out the works of a step."""

_NO_MAPPINGS = ("hardware.vector_engine.", "hardware.update_engine.", "energy.")
"""And of those that neither that nor any mapping depends on."""

_INSIDE = (5.0, 95.0)
"""Percentiles between which an interval lies."""

_SPEEDUP, _ENERGY = "speedup_vs_dense", "energy_ratio_vs_dense"

_BESIDE = ("step_seconds", "energy_joules", "dense.energy_joules", "watts", "dense.watts")
"""Figures whose intervals are told beside."""

Progress = Callable[[str, int, int], None]


def with_range(
    simulator: Simulator,
    result: SimulationResult,
    recipe: Loaded[Recipe],
    pattern: OperandFormat,
    *,
    progress: Progress | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> SimulationResult:
    """A step's result with the range of its answer; as it is where nothing is pruned, for that has no answer.

    Args:
        simulator: of the workload on the design.
        result: what it gave.
        recipe: the method.
        pattern: its ratio.
        progress: told what is done.
        draws: designs drawn.
        seed: of the draws.

    Raises:
        ConfigError: the files give no ranges, or one that is none; or no drawn design runs the step.
    """
    if recipe.model.is_baseline:
        return result
    study = _Study(simulator=simulator, recipe=recipe, pattern=pattern, progress=progress)
    return replace(result, range=study.range(draws, seed, result.speedup_vs_dense))


@dataclass(frozen=True, kw_only=True)
class _Study:
    simulator: Simulator
    recipe: Loaded[Recipe]
    pattern: OperandFormat
    progress: Progress | None

    def range(self, draws: int, seed: int, speedup: float) -> AnswerRange:
        """Simulate everything, and see where the answer lies around a speedup."""
        uncertain = Uncertain(hardware=self.simulator.hardware, table=self.simulator.table)
        assumptions = uncertain.assumptions
        if not assumptions:
            name = self.simulator.hardware.model.name
            raise ConfigError(
                f"range: got no ranges in the files of {name}, need some; try rows: "
                "{value: 32, status: assumed, source: why, range: [16, 64]}"
            )
        alone = [(each.name, end) for each in assumptions for end in each.ends]
        drawn_at_once = drawn_values(assumptions, draws, seed)
        outcomes = self._simulated(uncertain, [*(dict([each]) for each in alone), *drawn_at_once])
        found, outcomes = dict(zip(alone, outcomes, strict=False)), outcomes[len(alone) :]
        drawn = [each for each in outcomes if each.figures is not None]
        if not drawn:
            raise ConfigError(f"range: got no drawn design that runs the step ({outcomes[-1].reason}), need some")
        swings = [
            Swing(
                parameter=each.name,
                value=each.value,
                values=each.ends,
                speedups=tuple(_figure(found[each.name, end], _SPEEDUP) for end in each.ends),
                energy_ratios=tuple(_figure(found[each.name, end], _ENERGY) for end in each.ends),
            )
            for each in assumptions
        ]
        return AnswerRange(
            draws=draws,
            refused=draws - len(drawn),
            seed=seed,
            speedup=interval_of(_values(drawn, _SPEEDUP)),
            energy_ratio=interval_of(_values(drawn, _ENERGY)),
            beside={name: interval_of(_values(drawn, name)) for name in _BESIDE},
            swings=tuple(sorted(swings, key=lambda swing: -swing.width("speedups", speedup))),
            without_range=uncertain.without_range,
            varied_with=uncertain.varied_with,
            fixed=uncertain.fixed,
        )

    def _simulated(self, uncertain: Uncertain, designs: Sequence[dict[str, Value]]) -> list[Outcome]:
        """What becomes of each design."""
        made = [self._point(uncertain, each) for each in designs]
        points = [each for each in made if isinstance(each, Point)]
        simulated = iter(evaluate(points, self.simulator.version, lambda done: self._tell(done, len(points))))
        return [each if isinstance(each, Outcome) else next(simulated) for each in made]

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress("varying the assumptions", done, total)

    def _point(self, uncertain: Uncertain, values: dict[str, Value]) -> Point | Outcome:
        try:
            hardware, prices = uncertain.varied(values)
        except ConfigError as error:
            return Outcome(figures=None, reason=str(error))
        return Point.of(self.simulator, self.recipe, self.pattern, hardware, prices)


def drawn_values(assumptions: Sequence[Assumption], draws: int, seed: int) -> Iterator[dict[str, Value]]:
    """Values of all assumptions, so many times."""
    generator = np.random.default_rng(seed)
    shares = [latin_shares(generator, draws, _alike(each)) for each in assumptions]
    for number in range(draws):
        yield {each.name: each.at(float(share[number])) for each, share in zip(assumptions, shares, strict=True)}


def _alike(assumption: Assumption) -> int:
    """Neighbouring draws that have the same value of an assumption."""
    name = assumption.name
    if name.startswith(_OF_A_STEP) or not assumption.is_number:
        return _TO_A_STEP
    return 1 if name.startswith(_NO_MAPPINGS) else _TO_A_MAPPING


def latin_shares(generator: np.random.Generator, draws: int, alike: int = 1) -> FloatArray:
    """[draws] shares of a range, each in a slice of its own; so many neighbours alike."""
    slices = -(-draws // alike)
    return np.repeat((generator.permutation(slices) + generator.random(slices)) / slices, alike)[:draws]


def _figure(outcome: Outcome, name: str) -> float | None:
    return None if outcome.figures is None else float(outcome.figures[name])


def _values(outcomes: Sequence[Outcome], name: str) -> list[float]:
    return [value for value in (_figure(each, name) for each in outcomes) if value is not None]


def interval_of(values: Sequence[float]) -> Interval:
    """Where values lie."""
    found = np.array(values)
    low, high = np.percentile(found, _INSIDE)
    return Interval(low=float(low), high=float(high), least=float(found.min()), most=float(found.max()))
