"""The tables of designs that agree with claims."""

from __future__ import annotations

from ...sim.studies.consistency.consistency import Consistency
from ..shared.quantities import percent, significant
from ..shared.table import Cell, Table, figure
from .words import after_words, before_words, between, bounds_words

_MOST_TOLD = 12


def claims_table(found: Consistency) -> Table:
    """A row a claim."""
    rows = tuple(
        (
            Cell(each.name),
            Cell(bounds_words(each)),
            Cell(between(each.seen)),
            figure(each.agree, str),
            figure(each.alone_excludes, str),
            Cell(f"{significant(each.assumed)}{'' if each.assumed_agrees else ', which does not agree'}"),
            Cell(each.source),
        )
        for each in found.claims
    )
    headings = ("claim", "claimed", "drawn designs", "agree", "it alone excludes", "as assumed", "source")
    return Table(headings=headings, rows=rows, words=frozenset({0, 1, 2, 5, 6}))


def answers_table(found: Consistency) -> Table:
    """A row an answer."""
    rows = tuple(
        (
            Cell(each.name),
            figure(each.assumed, significant),
            Cell(between(each.before)),
            Cell("–" if each.after is None else between(each.after)),
            Cell("–" if each.after is None else f"{significant(each.after.least)} to {significant(each.after.most)}"),
        )
        for each in found.answers
    )
    headings = ("answer", "as assumed", "drawn designs", "those that agree", "all of those")
    return Table(headings=headings, rows=rows, words=frozenset({0, 2, 3, 4}))


def regions_table(found: Consistency) -> Table:
    """A row an unknown, what the claims narrow most first."""
    rows = tuple(
        (Cell(each.name), Cell(before_words(each)), Cell(after_words(each)), figure(each.narrowed, percent))
        for each in found.regions
    )
    headings = ("unknown", "may be", "of designs that agree", "spread gone")
    return Table(headings=headings, rows=rows, words=frozenset({0, 1, 2}))


def telling_table(found: Consistency) -> Table:
    """A row a number that might be published."""
    rows = tuple(
        (
            Cell(each.name),
            figure(each.reduction, percent),
            Cell(", ".join(f"{name} {percent(share)}" for name, share in _most(each.by_answer))),
        )
        for each in found.telling[:_MOST_TOLD]
    )
    headings = ("were this known", "answers would spread less by", "most of all")
    return Table(headings=headings, rows=rows, words=frozenset({0, 2}))


def _most(by_answer: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(by_answer.items(), key=lambda each: -each[1])[:3]
