"""A study's directory: ``codesign.json`` (whole), ``.csv`` (a row a point), ``.md`` and ``.html``, beside ``runs``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ...configs.errors import ConfigError
from ...configs.plain_fields import check_entries
from ...sim.studies.codesign.accuracy_front import (
    TARGET_SHARES,
    pareto_front,
    target_accuracy,
    time_to_accuracy,
    training_joules,
)
from ...sim.studies.codesign.codesign import SCHEMA_VERSION, Codesign, CodesignPoint
from ..shared.directory_files import csv_text, document_lines
from ..shared.markdown_text import escaped, table_lines
from ..shared.provenance import parameters_of, status_words
from ..shared.report_kind import JsonReport, result_in
from . import tables as codesign_tables
from .page import codesign_page
from .words import codesign_answer, measured_words, pairing_words, point_name, verdict

CODESIGN_FILE = "codesign.json"


def codesign_csv(study: Codesign) -> str:
    """A row a point; a figure that one seed does not give, and a target never reached, is an empty cell."""
    return csv_text([_csv_row(point, study) for point in study.points])


def _csv_row(point: CodesignPoint, study: Codesign) -> dict[str, Any]:
    row: dict[str, Any] = {
        "point": point_name(point, study),
        "recipe": point.recipe,
        "sparsity": point.sparsity,
        "optimizer": point.optimizer,
        "learning_rate": point.learning_rate,
        "baseline": point_name(study.baseline_of(point), study),
        "seeds": len(point.seeds),
        "steps": point.steps,
    }
    for name in ("accuracy", "accuracy_difference", "loss", "loss_difference"):
        estimate = getattr(point, name)
        row |= {f"{name}_mean": estimate.mean, f"{name}_half_width": estimate.half_width}
    row |= {
        "verdict": verdict(point),
        "training_seconds": point.training_seconds,
        "training_joules": point.training_joules,
        "speedup_vs_dense": point.speedup_vs_dense,
        "energy_ratio_vs_dense": point.energy_ratio_vs_dense,
        "on_time_front": point in pareto_front(study.points),
        "on_energy_front": point in pareto_front(study.points, training_joules),
    }
    for each in TARGET_SHARES:
        reached = time_to_accuracy(point, target_accuracy(study, each))
        row[f"seconds_to_{100 * each:.0f}_percent_of_dense"] = None if reached is None else reached.seconds
    return row


def codesign_markdown(study: Codesign, *, command: str) -> str:
    """The answer and the tables, compact."""
    return "\n".join(_lines(study, command)) + "\n"


def _lines(study: Codesign, command: str) -> Iterator[str]:
    yield f"# {escaped(study.model)} on {escaped(study.data)}: accuracy beside training time"
    yield from ("", escaped(codesign_answer(study)), "", escaped(measured_words(study)), "")
    yield from table_lines(codesign_tables.comparison_table(study))
    yield from (escaped(pairing_words(study)), "")
    yield from ("## Time to accuracy", "", *table_lines(codesign_tables.target_table(study)))
    yield from ("## What the steps cost", "", *table_lines(codesign_tables.phases_table(study)))
    if study.sparse:
        yield from ("## What was pruned", "", *table_lines(codesign_tables.layers_table(study)))
    yield from ("## Every seed", "", *table_lines(codesign_tables.seeds_table(study)))
    yield from ("## Settings", "", *table_lines(codesign_tables.settings_table(study)))
    yield from ("## To repeat it", "", *(f"    {line}" for line in command.splitlines()), "")
    yield from table_lines(codesign_tables.inputs_table(study))
    rests = status_words(parameters_of(study.assumptions))
    yield f"Rests on {rests} parameters; `{CODESIGN_FILE}` lists each."


_SETTINGS = {
    **dict.fromkeys(("epochs", "batch"), int),
    **dict.fromkeys(("learning_rate", "weight_decay", "warmup_epochs", "shift"), float),
    **dict.fromkeys(("optimizer", "precision"), str),
    "flip": bool,
}
"""Settings that the pages tell of, and their types."""


def _study(document: dict[str, Any]) -> Codesign:
    study = Codesign.from_document(document)
    check_entries(study.settings, _SETTINGS, within="settings")
    for number, point in enumerate(study.points):
        if not point.steps or not point.seeds or not point.curve:
            raise ConfigError(f"points.{number}: got no steps, no seeds or no curve, need some of each")
    return study


CODESIGN = JsonReport(
    document_file=CODESIGN_FILE,
    page_file="codesign.html",
    command_file="codesign-command.txt",
    writer="bisparse codesign",
    document_text=lambda study: f"{document_lines(study.document())}\n",
    result_of=partial(result_in, from_document=_study, newest=SCHEMA_VERSION),
    beside=lambda study, command: {
        "codesign.csv": codesign_csv(study).encode(),
        "codesign.md": codesign_markdown(study, command=command).encode(),
    },
    page=lambda study, command: codesign_page(study, command=command),
)
write_codesign, read_codesign = CODESIGN.write, CODESIGN.read
