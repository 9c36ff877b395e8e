"""What a method costs in a step beside its products and masks, in words and as a table."""

from __future__ import annotations

from ...accel.engines import ENGINES
from ...sim.results.extra_work import ExtraWorkShare
from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import count, joules, percent
from ..shared.section import Part, Section
from ..shared.table import Cell, Table, figure
from .run_view import RunView

_LEDE = "What the method does beside its products and masks. Exposed cycles: what the step would be shorter by."


def extra_work_sentence(result: SimulationResult) -> str:
    """The shares of a step, each by its engine."""
    told = (
        f"{each.name}{_spread(each)} ({ENGINES[each.engine]} engine) {percent(each.share_of_time)} and "
        f"{percent(each.share_of_energy)}"
        for each in result.extra_work
    )
    return f"Extra work of the method, of the step's time and energy: {'; '.join(told)}."


def extra_work_table(result: SimulationResult) -> Table:
    """A row for each piece of work."""
    rows = tuple(
        (
            Cell(each.name),
            Cell(ENGINES[each.engine]),
            Cell("every step" if each.every_steps == 1 else f"1/{each.every_steps:,} of it"),
            figure(each.cycles, count),
            figure(each.busy_cycles, count),
            figure(each.joules, joules),
            Cell(percent(each.share_of_time), f"{each.share_of_time:.6g}"),
            Cell(percent(each.share_of_energy), f"{each.share_of_energy:.6g}"),
        )
        for each in result.extra_work
    )
    headings = ("extra work", "engine", "in a step", "exposed cycles", "busy cycles", "energy", "of time", "of energy")
    return Table(headings=headings, rows=rows, words=frozenset({0, 1, 2}))


def extra_work_section(view: RunView) -> Section | None:
    """The extra work of a step, where there is any."""
    if not view.result.extra_work:
        return None
    heading, table = "Extra work of the method", extra_work_table(view.result)
    return Section(
        heading=heading, lede=_LEDE, table=table, markdown=(Part(heading=heading, words=_LEDE, table=table),)
    )


def _spread(each: ExtraWorkShare) -> str:
    return "" if each.every_steps == 1 else f", 1/{each.every_steps:,} of it a step,"
