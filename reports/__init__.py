"""Results to pages, tables and pictures.

A run's directory holds ``result.json`` (the results, whole), ``operators.csv`` (a row an operator and stage),
``report.html`` (one file that needs no network) and ``report.md`` (the same answer, compact).

An ablation's directory holds ``ablation.json``, ``.csv``, ``.html`` and ``.md`` in the same way, a co-design study's
``codesign.json`` and so on. A design-space exploration's directory holds ``report.html`` and ``report.md`` beside its
store, the best designs' hardware files and single designs' reports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ablation.directory import read_ablation, write_ablation
    from .ablation.terminal import ablation_text
    from .assignment.terminal import assignment_text
    from .codesign.directory import read_codesign, write_codesign
    from .codesign.terminal import codesign_text
    from .consistency.directory import read_consistency, write_consistency
    from .consistency.terminal import consistency_text
    from .explore.designs import write_design
    from .explore.directory import write_exploration
    from .explore.terminal import exploration_text
    from .run.directory import read_run, write_run
    from .run.sensitivity_text import sensitivity_text
    from .run.terminal import text_summary
    from .run.whole_training import training_run_text

__all__ = [
    "ablation_text",
    "assignment_text",
    "codesign_text",
    "consistency_text",
    "exploration_text",
    "read_ablation",
    "read_codesign",
    "read_consistency",
    "read_run",
    "sensitivity_text",
    "text_summary",
    "training_run_text",
    "write_ablation",
    "write_codesign",
    "write_consistency",
    "write_design",
    "write_exploration",
    "write_run",
]

_HOME = {
    "ablation_text": "ablation.terminal",
    "assignment_text": "assignment.terminal",
    "codesign_text": "codesign.terminal",
    "consistency_text": "consistency.terminal",
    "exploration_text": "explore.terminal",
    "read_ablation": "ablation.directory",
    "read_codesign": "codesign.directory",
    "read_consistency": "consistency.directory",
    "read_run": "run.directory",
    "sensitivity_text": "run.sensitivity_text",
    "text_summary": "run.terminal",
    "training_run_text": "run.whole_training",
    "write_ablation": "ablation.directory",
    "write_codesign": "codesign.directory",
    "write_consistency": "consistency.directory",
    "write_design": "explore.designs",
    "write_exploration": "explore.directory",
    "write_run": "run.directory",
}
"""Where names are at home: loaded when asked for, so that the report of a run waits for no study's, nor for pandas."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
