"""The tables of an ablation, worded once for the page and the Markdown."""

from __future__ import annotations

from ...dataflow.cycle_causes import CYCLE_CAUSES
from ...sim.studies.ablation.ablation import AblatedStep, Ablation, AblationRow
from ..shared.quantities import byte_count, count, joules, percent, seconds, times
from ..shared.table import Cell, Table, figure
from .words import fine, gains, row_name

_NONE = Cell("–")


def settings_table(ablation: Ablation) -> Table:
    """A row a setting that was simulated: time, what it is over, energy and traffic."""
    headings = (
        "setting",
        "step time",
        "speedup",
        "gain of the switch",
        "speedup, products",
        "speedup over dense, same setting",
        "energy",
        "DRAM traffic",
        "exposed update",
        "exposed reduction",
        "array use while it runs",
    )
    base = ablation.base.figures
    rows = tuple(_setting(row, row.figures, base) for row in ablation.rows if row.figures is not None)
    return Table(headings=headings, rows=rows)


def _setting(row: AblationRow, own: AblatedStep, base: AblatedStep | None) -> tuple[Cell, ...]:
    return (
        Cell(row_name(row)),
        figure(own.step_seconds, seconds),
        _ratio(row.speedup),
        _NONE if row.gain is None else Cell(fine(row.gain), f"{row.gain:.6g}"),
        _ratio(_products(base, own)),
        _ratio(own.speedup_vs_dense),
        figure(own.energy_joules, joules),
        figure(own.dram_read_bytes + own.dram_write_bytes, byte_count),
        figure(own.exposed_update_cycles, count),
        figure(own.exposed_reduction_cycles, count),
        Cell(percent(own.array_utilisation), f"{own.array_utilisation:.6g}"),
    )


def left_out_table(ablation: Ablation) -> Table:
    """The settings that were not simulated, and why."""
    rows = tuple((Cell(row_name(row)), Cell(row.reason)) for row in ablation.rows if row.figures is None)
    return Table(headings=("not simulated", "why not"), rows=rows, words=frozenset({0, 1}))


def _products(base: AblatedStep | None, own: AblatedStep) -> float | None:
    return base.gemm_cycles / own.gemm_cycles if base and own.gemm_cycles else None


def _ratio(value: float | None) -> Cell:
    return _NONE if value is None else Cell(times(value), f"{value:.6g}")


def gains_table(ablation: Ablation) -> Table:
    """What each switch buys when the others are off, and when they are on."""
    return Table(
        headings=("switch", "gain, the others off", "gain, the others on"),
        rows=tuple((Cell(gain.name), Cell(fine(gain.alone)), Cell(fine(gain.last))) for gain in gains(ablation)),
    )


def causes_table(ablation: Ablation) -> Table:
    """Cycles of each step by cause; those that no step has are left out."""
    measured = [(row, row.figures) for row in ablation.rows if row.figures is not None]
    seen = [cause for cause in CYCLE_CAUSES if any(figures.stalls.get(cause) for _, figures in measured)]
    rows = tuple(
        (
            Cell(row_name(row)),
            *(figure(figures.stalls.get(cause, 0), count) for cause in seen),
            figure(figures.total_cycles, count),
        )
        for row, figures in measured
    )
    return Table(headings=("cycles by cause", *(CYCLE_CAUSES[cause] for cause in seen), "total"), rows=rows)
