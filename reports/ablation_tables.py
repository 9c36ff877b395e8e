"""The tables of an ablation, worded once for the page and the Markdown."""

from __future__ import annotations

from ..sim.ablation import Ablation, AblationRow, StepFigures
from ..sim.results import CYCLE_CAUSES
from .ablation_words import fine, gains, row_name
from .ladder import CAUSE_WORDS
from .quantities import byte_count, count, joules, percent, seconds, times
from .tables import Cell, Table, figure

_NONE = Cell("–")


def settings_table(ablation: Ablation) -> Table:
    """A row a setting: time, what it is over, energy and traffic."""
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
    rows = tuple((Cell(row_name(row)), *_cells(row, ablation)) for row in ablation.rows)
    if not any(row.reason for row in ablation.rows):
        return Table(headings=headings, rows=rows)
    told = tuple((*cells, Cell(row.reason)) for cells, row in zip(rows, ablation.rows, strict=True))
    return Table(headings=(*headings, "why not"), rows=told, words=frozenset({0, len(headings)}))


def _cells(row: AblationRow, ablation: Ablation) -> tuple[Cell, ...]:
    own, base = row.figures, ablation.base.figures
    if own is None:
        return (_NONE,) * 10
    return (
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


def _products(base: StepFigures | None, own: StepFigures) -> float | None:
    return base.gemm_cycles / own.gemm_cycles if base and own.gemm_cycles else None


def _ratio(value: float | None) -> Cell:
    return _NONE if value is None else Cell(times(value), f"{value:.6g}")


def gains_table(ablation: Ablation) -> Table:
    """What each switch buys when the others are off, and when they are on."""
    rows = tuple(
        (Cell(gain.name), Cell(fine(gain.alone)), Cell(fine(gain.last)), Cell(gain.reason)) for gain in gains(ablation)
    )
    headings = ("switch", "gain, the others off", "gain, the others on", "why not")
    if any(gain.reason for gain in gains(ablation)):
        return Table(headings=headings, rows=rows, words=frozenset({0, 3}))
    return Table(headings=headings[:3], rows=tuple(row[:3] for row in rows))


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
    return Table(headings=("cycles by cause", *(CAUSE_WORDS[cause] for cause in seen), "total"), rows=rows)
