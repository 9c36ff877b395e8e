"""The operators of a run as a reader looks for them: what changed most, what costs most, and all, for sorting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..sim.results import OperatorResult, SimulationResult
from .answer import is_dense
from .quantities import count, percent
from .tables import Cell, Table, change, figure

MOST = 12
"""Operators in each of the short tables."""

COLUMNS = (
    ("operator", "text"),
    ("module", "text"),
    ("kind", "text"),
    ("stage", "text"),
    ("engine", "text"),
    ("sparsity", "text"),
    ("why dense", "text"),
    ("dense cycles", "cycles"),
    ("cycles", "cycles"),
    ("saved cycles", "cycles"),
    ("hidden cycles", "cycles"),
    ("utilisation", "fraction"),
    ("limit", "text"),
    ("useful MACs", "MACs"),
    ("DRAM read", "B"),
    ("DRAM written", "B"),
    ("dense energy", "J"),
    ("energy", "J"),
    ("mapping", "text"),
    ("candidates", "count"),
)
"""Columns of the full table and the unit that the page formats them in."""


def saved_cycles(row: OperatorResult) -> int:
    """Exposed cycles that the operator takes less than in the dense step; work that only this step has is a loss."""
    return (row.dense_cycles or 0) - row.cycles


def saved_most(result: SimulationResult) -> Table | None:
    """The operators whose time changed most, either way; None when nothing is pruned."""
    if is_dense(result):
        return None
    rows = sorted((row for row in result.rows if saved_cycles(row)), key=lambda row: -abs(saved_cycles(row)))
    return _table(result, rows[:MOST])


def cost_most(result: SimulationResult) -> Table:
    """The operators with the most exposed cycles."""
    return _table(result, sorted(result.rows, key=lambda row: -row.cycles)[:MOST])


def all_operators(result: SimulationResult) -> list[list[Any]]:
    """Every operator as a row of ``COLUMNS``, figures exact."""
    pruned = pruned_stages(result)
    return [
        [
            row.name,
            row.module,
            row.kind,
            row.stage,
            row.engine,
            _sparsity(row),
            why_dense(row, pruned),
            row.dense_cycles,
            row.cycles,
            saved_cycles(row),
            row.hidden_cycles,
            round(row.array_utilisation, 4) if row.engine == "tensor" else None,
            row.limit,
            row.useful_macs,
            row.dram_read_bytes,
            row.dram_write_bytes,
            row.dense_energy_joules,
            row.energy_joules,
            row.mapping,
            row.candidates,
        ]
        for row in result.rows
    ]


def pruned_stages(result: SimulationResult) -> frozenset[str]:
    """Stages in which some product is pruned."""
    return frozenset(row.stage for row in result.rows if row.engine == "tensor" and row.sparsity != "dense")


def why_dense(row: OperatorResult, pruned: frozenset[str]) -> str:
    """Why a product is dense: the recipe's reason for this one, or that the recipe prunes nothing in its stage."""
    if row.dense_reason or row.engine != "tensor" or row.sparsity != "dense":
        return row.dense_reason
    return "" if row.stage in pruned or not pruned else f"{row.stage} is not pruned"


def _table(result: SimulationResult, rows: Sequence[OperatorResult]) -> Table:
    headings = (
        "operator",
        "stage",
        "sparsity",
        *(() if is_dense(result) else ("dense cycles", "cycles", "ratio")),
        *(("cycles",) if is_dense(result) else ()),
        "of step",
        "utilisation",
        "limit",
        "why dense",
        "mapping",
    )
    pruned = pruned_stages(result)
    figures = frozenset(headings.index(name) for name in headings if name in _FIGURES)
    return Table(
        headings=headings,
        rows=tuple(_row(result, row, pruned) for row in rows),
        words=frozenset(range(len(headings))) - figures,
    )


_FIGURES = ("dense cycles", "cycles", "ratio", "of step", "utilisation")


def _row(result: SimulationResult, row: OperatorResult, pruned: frozenset[str]) -> tuple[Cell, ...]:
    time = [figure(row.cycles, count)]
    if not is_dense(result):
        before = row.dense_cycles or 0
        time = [figure(before, count), *time, change(before, row.cycles)]
    name = row.name if row.engine != "tensor" else row.module or row.name
    return (
        Cell(name, row.name),
        Cell(row.stage),
        Cell(_sparsity(row)),
        *time,
        Cell(percent(row.cycles / result.total_cycles) if result.total_cycles else "–"),
        Cell(percent(row.array_utilisation) if row.engine == "tensor" else "–"),
        Cell(row.limit),
        Cell(why_dense(row, pruned)),
        Cell(row.mapping),
    )


def _sparsity(row: OperatorResult) -> str:
    if row.engine != "tensor":
        return "–"
    return row.sparsity if row.sparsity == "dense" or not row.pruned_operand else f"{row.sparsity} {row.pruned_operand}"
