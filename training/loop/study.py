"""Many training runs, side by side: a process a run, a thread each, so that small networks use every core.

Runs that are finished are not trained again; those that were interrupted go on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

from ...configs.errors import TrainingError
from ...configs.worker_pool import WorkerPool
from ..run_summary import RunSummary
from ..settings import TrainingSettings

RunDone = Callable[[RunSummary, int, int], None]


def train_all(
    runs: Sequence[tuple[TrainingSettings, Path]], *, version: str, jobs: int | None = None, done: RunDone | None = None
) -> list[RunSummary]:
    """Train them all.

    Args:
        runs: settings and directory of each.
        version: of bisparse, for the summaries.
        jobs: processes at a time; as many as cores when None.
        done: given each summary as it comes, how many are done and how many there are.

    Returns:
        Their summaries, in the order of ``runs``.

    Raises:
        BisparseError: the first that a run raised; runs under way are left at their last checkpoint.
    """
    told = done or (lambda *_: None)
    found: dict[int, RunSummary] = {}
    pool = WorkerPool(jobs or os.cpu_count() or 1, _begin)
    try:
        waiting: dict[Future[RunSummary], int] = {
            pool.submit(_train_one, settings, directory, version): number
            for number, (settings, directory) in enumerate(runs)
        }
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                number = waiting.pop(future)
                found[number] = _result(future, runs[number][1])
                told(found[number], len(found), len(runs))
    finally:
        # Each run has its checkpoint: nobody waits for the rest.
        pool.end()
    return [found[number] for number in range(len(runs))]


def _result(future: Future[RunSummary], directory: Path) -> RunSummary:
    try:
        return future.result()
    except TrainingError as error:
        raise TrainingError(f"{directory.name}: {error}") from None


def _begin() -> None:
    """In a new process: one thread for torch."""
    import torch

    torch.set_num_threads(1)
    # A user's factory may print; the parent's standard output is for its result.
    sys.stdout = sys.stderr


def _train_one(settings: TrainingSettings, directory: Path, version: str) -> RunSummary:
    from .trainer import train

    return train(settings, directory, version=version)
