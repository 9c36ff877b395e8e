"""Designs that agree with claims, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ...sim.studies.consistency.consistency import Consistency
from ..shared.plain_text import aligned, wrapped
from ..shared.table import Table
from .tables import answers_table, claims_table, regions_table, telling_table
from .words import consistency_answer

_SHOWN = 10
"""Unknowns of which something is told here; the page has all."""

_WORDS = 36
"""Characters of a cell of words."""


def consistency_text(found: Consistency) -> str:
    """What was found, as plain text."""
    return "\n".join(line.rstrip() for line in _lines(found))


def _lines(found: Consistency) -> Iterator[str]:
    yield from wrapped(f"{found.hardware}: {consistency_answer(found)}")
    yield ""
    # Sources are long: the files have them.
    yield from _columns(claims_table(found), columns=6)
    yield ""
    yield from _columns(answers_table(found), columns=4)
    if found.survivors:
        yield ""
        yield from _columns(regions_table(found), columns=4)
    if found.telling:
        yield ""
        yield from _columns(telling_table(found), columns=2)
    yield ""
    refused = f", {found.refused} of which cannot run" if found.refused else ""
    yield from wrapped(
        f"{len(found.designs)} designs drawn (Latin hypercube, seed {found.seed}) over {len(found.regions)} "
        f"unknowns{refused}. Intervals hold nine in ten. Spread gone: by how much less the designs that agree differ "
        "than all do; of few designs it is uncertain."
    )


def _columns(content: Table, *, columns: int) -> Iterator[str]:
    rows = [list(content.headings[:columns])]
    rows += [[_short(cell.text) for cell in row[:columns]] for row in content.rows[:_SHOWN]]
    yield from aligned(rows)


def _short(text: str) -> str:
    """A cell that fits; of a field's name the end tells it from others."""
    told = text.removeprefix("hardware.").removesuffix(".cycles_per_element")
    if len(told) <= _WORDS:
        return told
    return f"{told[: _WORDS - 3]}..." if " " in told else f"...{told[3 - _WORDS :]}"
