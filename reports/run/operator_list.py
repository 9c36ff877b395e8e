"""The operators of a run as a reader looks for them: what changed most, what costs most, and all, for sorting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...sim.results.simulation_result import OperatorResult, SimulationResult
from ..shared.html import rounded
from ..shared.quantities import count, percent
from ..shared.table import Cell, Table, change, figure
from . import mapping_picture
from .answer import is_dense

MOST = 12
"""Operators in each of the short tables."""

COLUMNS = (
    ("operator", "text"),
    ("stage", "text"),
    ("engine", "text"),
    ("sparsity", "text"),
    ("dense cycles", "cycles"),
    ("cycles", "cycles"),
    ("saved cycles", "cycles"),
    ("hidden cycles", "cycles"),
    ("utilisation", "fraction"),
    ("limit", "text"),
    ("why dense", "text"),
    ("mapping", "text"),
    ("candidates", "count"),
    ("useful MACs", "MACs"),
    ("DRAM read", "B"),
    ("DRAM written", "B"),
    ("dense energy", "J"),
    ("energy", "J"),
    ("kind", "text"),
    ("module", "text"),
)
"""Columns of the full table and the unit that the page formats them in."""


def saved_cycles(row: OperatorResult) -> int:
    """Exposed cycles that the operator takes less than in the dense step; work that only this step has is a loss."""
    return (row.dense_cycles or 0) - row.cycles


def alike(result: SimulationResult) -> list[tuple[OperatorResult, ...]]:
    """The operators, those alike in every figure that the short tables show together.

    Twelve equal blocks of a network would otherwise fill a table with one line said twelve times.
    """
    groups: dict[tuple[object, ...], list[OperatorResult]] = {}
    for row in result.rows:
        seen = (
            row.kind,
            row.stage,
            row.sparsity,
            row.dense_cycles,
            row.cycles,
            row.limit,
            row.dense_reason,
            row.mapping,
        )
        groups.setdefault(seen, []).append(row)
    return [tuple(rows) for rows in groups.values()]


def saved_most(result: SimulationResult, drawn: int = mapping_picture.MOST) -> Table | None:
    """The operators whose time changed most, either way; None when nothing is pruned.

    Args:
        result: of the run.
        drawn: mappings that the page draws, to which the table leads.
    """
    if is_dense(result):
        return None
    groups = [group for group in alike(result) if saved_cycles(group[0])]
    return _table(result, sorted(groups, key=lambda group: -abs(sum(map(saved_cycles, group))))[:MOST], drawn)


def cost_most(result: SimulationResult, drawn: int = mapping_picture.MOST) -> Table:
    """The operators with the most exposed cycles; ``drawn`` as in ``saved_most``."""
    return _table(result, sorted(alike(result), key=lambda group: -sum(row.cycles for row in group))[:MOST], drawn)


def all_operators(result: SimulationResult) -> list[list[Any]]:
    """Every operator as a row of ``COLUMNS``, counts exact, energies to seven digits."""
    pruned = pruned_stages(result)
    return [
        [
            row.name,
            row.stage,
            row.engine,
            _sparsity(row),
            row.dense_cycles,
            row.cycles,
            saved_cycles(row),
            row.hidden_cycles,
            round(row.array_utilisation, 4) if row.engine == "tensor" else None,
            row.limit,
            why_dense(row, pruned),
            row.mapping,
            row.candidates,
            row.useful_macs,
            row.dram_read_bytes,
            row.dram_write_bytes,
            None if row.dense_energy_joules is None else rounded(row.dense_energy_joules),
            rounded(row.energy_joules),
            row.kind,
            row.module,
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


def _table(result: SimulationResult, groups: Sequence[Sequence[OperatorResult]], most: int) -> Table:
    headings = (
        "operator",
        "stage",
        "sparsity",
        *(() if is_dense(result) else ("dense cycles", "cycles", "ratio")),
        *(("cycles",) if is_dense(result) else ()),
        "of step",
        "utilisation",
        "limit",
        *(() if is_dense(result) else ("why dense",)),
        "mapping",
    )
    pruned = pruned_stages(result)
    drawn = {each.text: each.anchor for each in mapping_picture.drawn_mappings(result, most)}
    figures = frozenset(headings.index(name) for name in headings if name in _FIGURES)
    return Table(
        headings=headings,
        rows=tuple(_row(result, group, pruned, drawn) for group in groups),
        words=frozenset(range(len(headings))) - figures,
    )


_FIGURES = ("dense cycles", "cycles", "ratio", "of step", "utilisation")


def _row(
    result: SimulationResult, group: Sequence[OperatorResult], pruned: frozenset[str], drawn: Mapping[str, str]
) -> tuple[Cell, ...]:
    row = group[0]
    spent = sum(each.cycles for each in group)
    time = [figure(spent, count)]
    if not is_dense(result):
        before = sum(each.dense_cycles or 0 for each in group)
        time = [figure(before, count), *time, change(before, spent)]
    name = row.name if row.engine != "tensor" else row.module or row.name
    return (
        Cell(name if len(group) == 1 else f"{name} and {len(group) - 1} alike", ", ".join(each.name for each in group)),
        Cell(row.stage),
        Cell(_sparsity(row)),
        *time,
        Cell(percent(spent / result.total_cycles) if result.total_cycles else "–"),
        Cell(percent(row.array_utilisation) if row.engine == "tensor" else "–"),
        Cell(row.limit),
        *(() if is_dense(result) else (Cell(why_dense(row, pruned)),)),
        _mapping(row.mapping, drawn.get(row.mapping, "")),
    )


def _mapping(text: str, drawn: str) -> Cell:
    words = mapping_picture.MappingWords.read(text)
    return Cell(text) if words is None else Cell(text, short=words.short, drawn=drawn)


def _sparsity(row: OperatorResult) -> str:
    if row.engine != "tensor":
        return "–"
    return row.sparsity if row.sparsity == "dense" or not row.pruned_operand else f"{row.sparsity} {row.pruned_operand}"
