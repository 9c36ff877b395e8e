"""An ablation's directory: ``ablation.json`` (whole), ``.csv`` (a row a setting), ``.md`` and ``.html``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from typing import Any

from ...dataflow.cycle_causes import CYCLE_CAUSES
from ...sim.studies.ablation.ablation import SCHEMA_VERSION, AblatedStep, Ablation, AblationRow
from ..shared.directory_files import csv_text, document_lines
from ..shared.markdown_text import escaped, table_lines
from ..shared.provenance import inputs_table, parameters, status_words
from ..shared.report_kind import JsonReport, result_in
from ..shared.subject import label, workload_name
from .page import ablation_page
from .tables import causes_table, gains_table, left_out_table, settings_table
from .words import ablation_answer, row_name

ABLATION_FILE = "ablation.json"


def ablation_csv(ablation: Ablation) -> str:
    """A row a setting; a figure that was not simulated is an empty cell."""
    return csv_text([_csv_row(row) for row in ablation.rows])


def _csv_row(row: AblationRow) -> dict[str, Any]:
    own = row.figures
    plain = (each.name for each in fields(AblatedStep) if each.name != "stalls")
    return {
        "setting": row_name(row),
        "group": row.group,
        "switch": row.switch,
        "interleave": row.setting.interleave,
        "pre_generation": row.setting.pre_generation,
        "dataflows": " ".join(row.setting.dataflows),
        "overlap_update": row.setting.overlap_update,
        "reason": row.reason,
        "speedup": row.speedup,
        "gain": row.gain,
        **{name: None if own is None else getattr(own, name) for name in plain},
        "speedup_vs_dense": None if own is None else own.speedup_vs_dense,
        **{f"stall_{cause}_cycles": None if own is None else own.stalls.get(cause, 0) for cause in CYCLE_CAUSES},
    }


def ablation_markdown(ablation: Ablation, *, command: str) -> str:
    """The answer and the tables, compact."""
    return "\n".join(_lines(ablation, command)) + "\n"


def _lines(ablation: Ablation, command: str) -> Iterator[str]:
    yield f"# {escaped(workload_name(ablation))}: what each optimisation buys {escaped(label(ablation))}"
    yield from ("", escaped(ablation_answer(ablation)), "")
    yield from ("## What each switch buys", "", *table_lines(gains_table(ablation)))
    yield from ("## Every setting", "", f"Speedup is over {row_name(ablation.base)}.", "")
    yield from table_lines(settings_table(ablation))
    left_out = left_out_table(ablation)
    if left_out.rows:
        yield from table_lines(left_out)
    yield from ("## Cycles by cause", "", *table_lines(causes_table(ablation)))
    yield from ("## To repeat it", "", *(f"    {line}" for line in command.splitlines()), "")
    yield from table_lines(inputs_table([ablation]))
    yield f"Rests on {status_words(parameters([ablation]))} parameters; `{ABLATION_FILE}` lists each."


ABLATION = JsonReport(
    document_file=ABLATION_FILE,
    page_file="ablation.html",
    command_file="ablation-command.txt",
    writer="bisparse ablate",
    document_text=lambda ablation: f"{document_lines(ablation.document())}\n",
    result_of=partial(result_in, from_document=Ablation.from_document, newest=SCHEMA_VERSION),
    beside=lambda ablation, command: {
        "ablation.csv": ablation_csv(ablation).encode(),
        "ablation.md": ablation_markdown(ablation, command=command).encode(),
    },
    page=lambda ablation, command: ablation_page(ablation, command=command),
)
write_ablation, read_ablation = ABLATION.write, ABLATION.read
