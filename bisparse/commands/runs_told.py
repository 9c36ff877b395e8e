"""What is said while many training runs are under way side by side."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .terminal import Progress, note

if TYPE_CHECKING:
    from ..training.run_summary import RunSummary


class RunsTold:
    """A bar of steps where somebody watches; else a line as each run ends."""

    def __init__(self, progress: Progress, begin: str) -> None:
        self._progress, self._said = progress, begin
        self._watched = sys.stderr.isatty()

    def run(self, summary: RunSummary, finished: int, of: int) -> None:
        """A run that ended."""
        settings = summary.settings
        name = f"{summary.recipe_name} {settings.sparsity}" if summary.patterns else summary.recipe_name
        said = f"{name}, seed {settings.seed}: test accuracy {summary.test_accuracy:.2%}"
        self._said = f"{finished} of {of}: {said}"
        if not self._watched:
            note(self._said)

    def steps(self, done: int, of: int) -> None:
        """How far all runs are together: a retraining counts as the training that it is."""
        self._progress(f"steps; {self._said}", done, of)
