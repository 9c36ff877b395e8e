"""Its directory: ``consistent.json`` (whole), ``designs.csv`` (a row a drawn design), ``.md`` and ``.html``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ...sim.studies.consistency.consistency import SCHEMA_VERSION, Consistency
from ..shared.directory_files import csv_text, document_lines
from ..shared.markdown_text import escaped, table_lines
from ..shared.report_kind import JsonReport, result_in
from .page import consistency_page
from .tables import answers_table, claims_table, regions_table, telling_table
from .words import consistency_answer

CONSISTENCY_FILE = "consistent.json"


def designs_csv(found: Consistency) -> str:
    """A row a drawn design: its unknowns, whether it agrees, how far it is off each claim, its answers."""
    return csv_text(
        [
            {
                **{region.name: each.settings.get(region.name) for region in found.regions},
                "agrees": each.agrees,
                "reason": each.reason,
                **_named([f"miss: {claim.name}" for claim in found.claims], each.misses),
                **_named([answer.name for answer in found.answers], each.answers),
            }
            for each in found.designs
        ]
    )


def _named(names: list[str], values: tuple[float, ...]) -> dict[str, Any]:
    """Values by name; empty cells of a design that cannot run."""
    return dict(zip(names, values or [None] * len(names), strict=True))


def consistency_markdown(found: Consistency, *, command: str) -> str:
    """The answer and the tables, compact."""
    return "\n".join(_lines(found, command)) + "\n"


def _lines(found: Consistency, command: str) -> Iterator[str]:
    yield f"# {escaped(found.title or found.name)}: what agrees with all that is claimed"
    yield from ("", escaped(consistency_answer(found)), "")
    yield from ("## The claims", "", *table_lines(claims_table(found)))
    yield from ("## The answers", "", *table_lines(answers_table(found)))
    yield from ("## What is left of the unknowns", "", *table_lines(regions_table(found)))
    if found.telling:
        yield from ("## What would tell more", "", *table_lines(telling_table(found)))
    yield from ("## To repeat it", "", *(f"    {line}" for line in command.splitlines()), "")


CONSISTENCY = JsonReport(
    document_file=CONSISTENCY_FILE,
    page_file="consistent.html",
    command_file="consistent-command.txt",
    writer="bisparse consistent",
    document_text=lambda found: f"{document_lines(found.document())}\n",
    result_of=partial(result_in, from_document=Consistency.from_document, newest=SCHEMA_VERSION),
    beside=lambda found, command: {
        "designs.csv": designs_csv(found).encode(),
        "consistent.md": consistency_markdown(found, command=command).encode(),
    },
    page=lambda found, command: consistency_page(found, command=command),
)
write_consistency, read_consistency = CONSISTENCY.write, CONSISTENCY.read
