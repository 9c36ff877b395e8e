"""The page of designs that agree with claims: one file that needs no network, the answer first."""

from __future__ import annotations

from ...sim.studies.consistency.consistency import SCHEMA_VERSION, Consistency
from ..shared.html import figures_json, render, script_json
from .figures import answers_figure
from .tables import answers_table, claims_table, regions_table, telling_table
from .words import consistency_answer


def consistency_page(found: Consistency, *, command: str) -> bytes:
    """The page as UTF-8 HTML.

    Args:
        found: the result.
        command: what a reader types to repeat the run.
    """
    return render(
        "consistency.html.jinja",
        title=f"{found.title or found.name}: what agrees with all that is claimed",
        answer=consistency_answer(found),
        claims_table=claims_table(found),
        answers_table=answers_table(found),
        regions_table=regions_table(found),
        telling_table=telling_table(found),
        draws=len(found.designs),
        refused=found.refused,
        agree=len(found.survivors),
        seed=found.seed,
        sha256=found.sha256,
        command=command,
        schema_version=SCHEMA_VERSION,
        bisparse_version=found.bisparse_version,
        figures_json=figures_json({"consistency": {"answers": answers_figure(found)}}),
        columns_json=script_json([]),
    )
