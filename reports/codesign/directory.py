"""A study's directory: ``codesign.json`` (whole), ``.csv`` (a row a point), ``.md`` and ``.html``, beside ``runs``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...configs.errors import ConfigError
from ...sim.studies.codesign.accuracy_front import (
    TARGET_SHARES,
    pareto_front,
    target_accuracy,
    time_to_accuracy,
    training_joules,
)
from ...sim.studies.codesign.codesign import SCHEMA_VERSION, Codesign, CodesignPoint
from ..shared.directory_files import check_version, csv_text, document_lines, read_document, write_files
from ..shared.markdown_text import escaped, table_lines
from ..shared.provenance import parameters_of, status_words
from . import tables as codesign_tables
from .page import codesign_page
from .words import codesign_answer, measured_words, pairing_words, point_name, verdict

CODESIGN_FILE = "codesign.json"
PAGE_FILE = "codesign.html"
MARKDOWN_FILE = "codesign.md"


def write_codesign(study: Codesign, directory: Path, *, command: str) -> Path:
    """Write a study's files into a directory, which is made if absent.

    Args:
        study: the result.
        directory: of the study; files of these names are replaced.
        command: what a reader types to repeat the study.

    Returns:
        Path of the page.

    Raises:
        ConfigError: the directory cannot be made or written.
    """
    write_files(
        directory,
        {
            CODESIGN_FILE: f"{document_lines(study.document())}\n".encode(),
            "codesign.csv": codesign_csv(study).encode(),
            MARKDOWN_FILE: codesign_markdown(study, command=command).encode(),
            PAGE_FILE: codesign_page(study, command=command),
        },
    )
    return directory / PAGE_FILE


def read_codesign(directory: Path) -> Codesign:
    """The study that a directory holds.

    Raises:
        ConfigError: there is none, or it is broken, or a newer version wrote it.
    """
    path = directory / CODESIGN_FILE
    document = read_document(path, writer="bisparse codesign")
    check_version(document, path, newest=SCHEMA_VERSION)
    try:
        return Codesign.from_document(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: got a study with wrong fields ({error}); try running it again") from error


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
