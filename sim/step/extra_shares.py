"""The share of a step that is the method's extra work: works of their own, and mask searches in the update's stream.

A search goes through the sorters with the streams that the update makes: of the cycles that the step waits for them it
takes its part of their passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...accel.engines import TENSOR, reduction_cycles
from ...configs.sums import sum_in_order
from ...training.recipes.extra_work import ExtraWork
from ..results.extra_work import ExtraWorkShare
from .against_dense import ratio
from .step_report import StepReport


def extra_shares(step: StepReport) -> tuple[ExtraWorkShare, ...]:
    """Every piece of extra work in a step."""
    items = (item for item in step.schedule.pruned.recipe.extra_work if item.in_every_step)
    return tuple(filter(None, (_search(step), *(_own(step, item) for item in items))))


def _share(
    step: StepReport, name: str, engine: str, every_steps: int, cycles: int, busy: int, joules: float
) -> ExtraWorkShare:
    return ExtraWorkShare(
        name=name,
        engine=engine,
        every_steps=every_steps,
        cycles=cycles,
        busy_cycles=busy,
        joules=joules,
        share_of_time=ratio(cycles, step.numbers.total_cycles),
        share_of_energy=ratio(joules, step.numbers.energy_joules),
    )


def _own(step: StepReport, item: ExtraWork) -> ExtraWorkShare | None:
    """Of works of its own."""
    rows = [row for row in step.rows if row.kind == item.work and _is_of(row.name, item)]
    names = {row.name for row in rows}
    if not rows:
        return None
    engine = rows[0].engine
    times = [time for time in step.step.works if time.work.operator in names]
    busy = sum(time.cycles if engine == TENSOR else time.busy[engine] for time in times)
    joules = sum_in_order(row.energy_joules for row in rows)
    return _share(step, item.title, engine, 1, sum(row.cycles for row in rows), busy, joules)


def _is_of(operator: str, item: ExtraWork) -> bool:
    return operator == item.title or operator.endswith(f":{item.title}")


def _search(step: StepReport) -> ExtraWorkShare | None:
    """Of mask searches, each step's part of them."""
    recipe = step.schedule.pruned.recipe
    found = list(_searches(step))
    if not found:
        return None
    permuted = any(stage is not None and stage.permuted for stage in (recipe.forward, recipe.backward))
    compares = sum(each for _, _, each in found)
    cycles = round(sum(exposed for exposed, _, _ in found))
    seconds = cycles / step.schedule.hardware.clock_hz
    return _share(
        step,
        "permutation search" if permuted else f"{recipe.mask_search.method} mask search",
        "reduction",
        recipe.mask_search.every_steps,
        cycles,
        sum(busy for _, busy, _ in found),
        sum_in_order(step.energy.by_component({"compares": compares}, seconds).values()),
    )


def _searches(step: StepReport) -> Iterator[tuple[float, int, int]]:
    """Exposed cycles, busy cycles and compares of each update's search."""
    lanes = step.schedule.hardware.reduction_engine.lanes
    for time in step.step.updates:
        copies = step.schedule.pruned.copies.get(time.work.parameter)
        if copies is None or not copies.search_passes:
            continue
        elements, kept, group = time.work.reductions[-1]
        busy = int(reduction_cycles(lanes, elements, group))
        yield time.exposed_reduction * ratio(busy, time.reduction_cycles), busy, elements * kept
