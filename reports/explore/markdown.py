"""``report.md`` of a study: the answer and the main tables, compact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..shared.markdown_text import escaped, table_lines
from ..shared.provenance import hashes_table
from . import answer as answers
from . import tables as tables
from .findings import Findings


def explore_markdown(
    findings: Findings,
    *,
    command: str,
    statuses: str,
    inputs: Mapping[str, tuple[str, str]],
    best_commands: Sequence[str],
) -> str:
    """The report as Markdown; arguments as for the page, and the count of each status in words."""
    return "\n".join(_lines(findings, command, statuses, inputs, best_commands)) + "\n"


def _lines(
    findings: Findings, command: str, statuses: str, inputs: Mapping[str, tuple[str, str]], commands: Sequence[str]
) -> Iterator[str]:
    yield from (f"# {escaped(answers.title(findings))}", "", escaped(answers.opening(findings)), "")
    if len(findings.chosen.feasible):
        yield from _feasible(findings, commands)
    if findings.reasons:
        yield from ("## Infeasible designs", "", *table_lines(tables.reasons_table(findings)))
    yield from ("## The space", "", *table_lines(tables.axes_table(findings)))
    yield from ("## To repeat it", "", *(f"    {line}" for line in command.splitlines()), "")
    yield from table_lines(hashes_table((role, *each) for role, each in inputs.items()))
    yield f"Rests on {statuses} parameters of the base design; `report.html` lists each."


def _feasible(findings: Findings, commands: Sequence[str]) -> Iterator[str]:
    standing = tables.standing_table(findings)
    if standing:
        yield from ("## Where the base design stands", "", escaped(answers.base_sentence(findings)), "")
        yield from table_lines(standing)
    front = tables.front_table(findings)
    size, shown = len(findings.chosen.front), len(front.rows)
    yield from ("## The Pareto front", "")
    if shown < size:
        yield from (f"{shown} of its {size:,} designs, evenly along it.", "")
    yield from table_lines(front)
    yield from ("## Which parameter matters", "", escaped(answers.axes_sentence(findings)), "")
    yield from table_lines(tables.shares_table(findings))
    yield from (escaped(answers.shares_words(findings)), "")
    if findings.pairs:
        yield from ("## Does sparsity change the hardware that one should build?", "")
        yield from (escaped(f"{answers.sparsity_answer(findings)} {answers.shared_sentence(findings)}".strip()), "")
        for pair in findings.pairs:
            yield from table_lines(tables.pair_table(findings, pair))
        groups = tables.groups_table(findings)
        if groups:
            yield from ("### The best hardware of each", "", *table_lines(groups))
    search = tables.search_table(findings)
    if search:
        yield from ("## Found by search", "", *table_lines(search))
    best = tables.best_table(findings)
    yield from (f"## The {len(best.rows)} best designs", "", "")
    yield from (escaped(f"{answers.ten_best_rule(findings)} {answers.edge_sentence(findings)}".strip()), "")
    yield from table_lines(best)
    yield from (*(f"    {line}" for line in commands), "")
