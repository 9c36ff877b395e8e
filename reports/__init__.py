"""Results to pages, tables and pictures.

A run's directory holds ``result.json`` (the results, whole), ``operators.csv`` (a row an operator and stage),
``report.html`` (one file that needs no network) and ``report.md`` (the same answer, compact).

An ablation's directory holds ``ablation.json``, ``.csv``, ``.html`` and ``.md`` in the same way, a co-design study's
``codesign.json`` and so on.
"""

from .ablation_directory import read_ablation, write_ablation
from .ablation_terminal import ablation_text
from .assignment_terminal import assignment_text
from .codesign_directory import read_codesign, write_codesign
from .codesign_terminal import codesign_text
from .run_directory import read_run, write_run
from .terminal import text_summary
from .whole_training import training_run_text

__all__ = [
    "ablation_text",
    "assignment_text",
    "codesign_text",
    "read_ablation",
    "read_codesign",
    "read_run",
    "text_summary",
    "training_run_text",
    "write_ablation",
    "write_codesign",
    "write_run",
]
