"""Many training runs, side by side: a process a run, a thread each, so that small networks use every core.

Runs that are finished are not trained again; those that were interrupted go on. A run is the same bits beside others as
alone: processes share nothing but the line on which they say how far they are.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from ...configs.errors import TrainingError
from ...configs.worker_pool import WorkerPool
from ..data import load_data, steps_per_epoch
from ..recipes.declaration import load_recipe
from ..run_summary import RunSummary
from ..settings import TrainingSettings
from .timetable import steps_of_run

RunDone = Callable[[RunSummary, int, int], None]
StepsDone = Callable[[int, int], None]

_Steps = SimpleQueue[tuple[int, int]]
"""Number of a run, and steps that it has done."""

_TELL_SECONDS = 0.5
"""Between two words of one run, and between two looks at what all said."""


def train_all(
    runs: Sequence[tuple[TrainingSettings, Path]],
    *,
    version: str,
    jobs: int | None = None,
    device: str = "cpu",
    done: RunDone | None = None,
    steps_done: StepsDone | None = None,
) -> list[RunSummary]:
    """Train them all.

    Args:
        runs: settings and directory of each.
        version: of bisparse, for the summaries.
        jobs: processes at a time; as many as cores when None, or 1 on a GPU.
        device: of torch.
        done: given each summary as it comes, how many are done and how many there are.
        steps_done: given now and then how many steps all runs have done, and how many they have.

    Returns:
        Their summaries, in the order of ``runs``.

    Raises:
        BisparseError: the first that a run raised; runs under way are left at their last checkpoint.
    """
    told = done or (lambda *_: None)
    found: dict[int, RunSummary] = {}
    steps = _StepsOfAll([_length(settings) for settings, _ in runs], steps_done) if steps_done is not None else None
    side_by_side = jobs or (os.cpu_count() or 1 if device == "cpu" else 1)
    pool = WorkerPool(side_by_side, _begin, None if steps is None else steps.queue)
    try:
        waiting: dict[Future[RunSummary], int] = {
            pool.submit(_train_one, number, settings, directory, version, device): number
            for number, (settings, directory) in enumerate(runs)
        }
        while waiting:
            finished, _ = wait(waiting, None if steps is None else _TELL_SECONDS, return_when=FIRST_COMPLETED)
            for future in finished:
                number = waiting.pop(future)
                found[number] = _result(future, runs[number][1])
                told(found[number], len(found), len(runs))
            if steps is not None:
                steps.tell(finished=found)
    finally:
        # Each run has its checkpoint: nobody waits for the rest.
        pool.end()
    return [found[number] for number in range(len(runs))]


class _StepsOfAll:
    """How far all runs are, by what each says."""

    def __init__(self, lengths: list[int], told: StepsDone) -> None:
        self._lengths, self._told = lengths, told
        self._done = [0] * len(lengths)
        self.queue: _Steps = multiprocessing.get_context("spawn").SimpleQueue()

    def tell(self, *, finished: dict[int, RunSummary]) -> None:
        """Read what was said, and say what it comes to; what is finished is whole, whatever it said last."""
        while not self.queue.empty():
            number, step = self.queue.get()
            self._done[number] = step
        for number in finished:
            self._done[number] = self._lengths[number]
        self._told(sum(self._done), sum(self._lengths))


def _length(settings: TrainingSettings) -> int:
    data = load_data(settings.data, context=settings.context, resize=settings.resize)
    recipe = load_recipe(settings.recipe).model
    return steps_of_run(recipe, settings.sparsity, settings.epochs, steps_per_epoch(data, settings.batch))


def _result(future: Future[RunSummary], directory: Path) -> RunSummary:
    try:
        return future.result()
    except TrainingError as error:
        raise TrainingError(f"{directory.name}: {error}") from None


_steps_line: _Steps | None = None
"""In a process that trains: where it says how far it is."""


def _begin(line: _Steps | None) -> None:
    """In a new process: one thread for torch."""
    import torch

    global _steps_line
    _steps_line = line
    torch.set_num_threads(1)
    # A user's factory may print; the parent's standard output is for its result.
    sys.stdout = sys.stderr


def _train_one(number: int, settings: TrainingSettings, directory: Path, version: str, device: str) -> RunSummary:
    from .trainer import train

    said = -_TELL_SECONDS

    def progress(_: str, step: int, of: int) -> None:
        nonlocal said
        if _steps_line is not None and (time.monotonic() - said > _TELL_SECONDS or step == of):
            said = time.monotonic()
            _steps_line.put((number, step))

    return train(settings, directory, version=version, device=device, progress=progress, told=_note)


def _note(text: str) -> None:
    print(text, file=sys.stderr)
