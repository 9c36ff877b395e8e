"""Results to pages, tables and pictures.

A run's directory holds ``result.json`` (the results, whole), ``operators.csv`` (a row an operator and stage),
``report.html`` (one file that needs no network) and ``report.md`` (the same answer, compact).
"""

from .run_directory import read_run, write_run
from .terminal import text_summary

__all__ = ["read_run", "text_summary", "write_run"]
