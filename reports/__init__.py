"""Results to pages, tables and pictures.

A run's directory holds ``result.json`` (the results, whole), ``operators.csv`` (a row an operator and stage),
``report.html`` (one file that needs no network) and ``report.md`` (the same answer, compact).

An ablation's directory holds ``ablation.json``, ``.csv``, ``.html`` and ``.md`` in the same way.
"""

from .ablation_directory import read_ablation, write_ablation
from .ablation_terminal import ablation_text
from .run_directory import read_run, write_run
from .terminal import text_summary

__all__ = ["ablation_text", "read_ablation", "read_run", "text_summary", "write_ablation", "write_run"]
