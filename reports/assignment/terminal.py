"""Ratios assigned to layers, for a terminal: the answer, uniform ratios beside it, and a row a layer."""

from __future__ import annotations

from collections.abc import Iterator

from ...sim.studies.assignment.assignment import AssignedLayer, Assignment, Budget, RatioStep
from ..shared.against_dense import energy_words, speed_words
from ..shared.plain_text import aligned, wrapped
from ..shared.quantities import count, percent, seconds, times


def assignment_text(assignment: Assignment) -> str:
    """What was found, as plain text."""
    return "\n".join(line.rstrip() for line in _lines(assignment))


def _lines(assignment: Assignment) -> Iterator[str]:
    yield from wrapped(_answer(assignment))
    yield ""
    yield from aligned(list(_steps(assignment)))
    yield ""
    yield from aligned(list(_layers(assignment)))
    yield ""
    yield from wrapped(_notes(assignment))


def _answer(assignment: Assignment) -> str:
    own, names = assignment.assigned, assignment.inputs
    trained = f"{names['workload'].name} at batch {assignment.batch} on {names['hardware'].name}"
    said = (
        f"{names['recipe'].name} with a ratio for each layer trains {trained} {speed_words(own.speedup_vs_dense)}, at "
        f"{energy_words(own.energy_ratio_vs_dense)}, counting the whole step. "
    )
    best = assignment.best_uniform
    if best is None:
        return f"{said}No uniform ratio keeps the budget."
    if own.total_cycles == best.total_cycles:
        return f"{said}It is no faster than {best.sparsity} in all layers, the best uniform ratio within the budget."
    gain = best.total_cycles / own.total_cycles
    return (
        f"{said}The best uniform ratio within the budget, {best.sparsity}, gives {times(best.speedup_vs_dense)}: the "
        f"step is {percent(gain - 1)} faster."
    )


def _steps(assignment: Assignment) -> Iterator[list[str]]:
    short = {"kept magnitude": "kept", "loss rise": "loss rise"}
    measures = [f"{short[budget.measure]}, {'+'.join(budget.stages)}" for budget in assignment.budgets]
    yield ["", "step time", "speedup", "energy ratio", *measures, "budget"]
    yield ["budget", "", "", "", *(_measured(budget, budget.limit) for budget in assignment.budgets), ""]
    for step in (assignment.assigned, *assignment.uniform):
        yield _step(step, assignment.budgets)


def _step(step: RatioStep, budgets: tuple[Budget, ...]) -> list[str]:
    reached = (_measured(budget, each) for budget, each in zip(budgets, step.reached, strict=True))
    return [
        step.sparsity,
        seconds(step.step_seconds),
        times(step.speedup_vs_dense),
        times(step.energy_ratio_vs_dense),
        *reached,
        "kept" if step.within else "passed",
    ]


def _measured(budget: Budget, value: float) -> str:
    return f"{value:.4f}" if budget.measure == "loss rise" else f"{100 * value:.2f}%"


def _layers(assignment: Assignment) -> Iterator[list[str]]:
    stages = list(dict.fromkeys(layer.stage for layer in assignment.layers))
    by_module: dict[str, dict[str, AssignedLayer]] = {}
    for layer in assignment.layers:
        by_module.setdefault(layer.module, {})[layer.stage] = layer
    yield ["layer", "weights", *(f"{stage}{what}" for stage in stages for what in ("", " kept", " cycles"))]
    for module, own in by_module.items():
        weights = next(iter(own.values())).weights
        yield [module, count(weights), *(cell for stage in stages for cell in _layer(own.get(stage)))]


def _layer(layer: AssignedLayer | None) -> tuple[str, str, str]:
    if layer is None:
        return "-", "", ""
    return layer.sparsity, percent(layer.kept_magnitude), count(layer.cycles)


def _notes(assignment: Assignment) -> str:
    predicted, bound, own = assignment.predicted_cycles, assignment.bound_cycles, assignment.assigned.total_cycles
    sums = "as its layers sum to" if abs(predicted - own) < 1 else f"its layers sum to {predicted:,.0f}"
    least = "no choice within the budget sums to fewer"
    if predicted - bound >= 1:
        least = f"{least} than {bound:,.0f}"
    tried = f"the fewest of {assignment.simulated:,} assignments simulated" if assignment.simulated > 1 else "simulated"
    return (
        f"{own:,} cycles, {tried}; {sums} ({least}: a bound of the sums, not of simulated steps). Chosen from "
        f"{', '.join(assignment.ratios)}. Kept: share of the weights' magnitude. Equal proxies promise no equal "
        "accuracy: train both to know."
    )
