"""Processes that work for this one: deaf to interrupts from their first moment, and gone when it is gone.

A terminal interrupts the whole group, the workers as they import included; the process that started them says what was
kept and ends them. Fresh processes: a fork of one that has run torch may wait for ever on a lock of its thread pool.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


class WorkerPool:
    """So many processes, each started when there is work for it."""

    def __init__(self, jobs: int, begin: Callable[..., None] | None = None, *arguments: object) -> None:
        """Nothing is started yet.

        Args:
            jobs: processes at most.
            begin: called in each before its first task.
            arguments: for it.
        """
        self._pool = ProcessPoolExecutor(
            max_workers=jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(begin, arguments),
        )

    def submit(
        self, function: Callable[Arguments, Found], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> Future[Found]:
        """Let a worker call a function."""
        # A process takes over which signals are held back from the one that starts it.
        with _interrupts_held_back(), _unguarded_script_hidden():
            return self._pool.submit(function, *arguments, **named)

    def end(self) -> None:
        """End every process at once: nobody waits for what is under way."""
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # What tracks the resources of processes lets interrupts through again when it starts: let it start before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _unguarded_script_hidden() -> Iterator[None]:
    """Keep new processes from running the script that started them, where all of it would run again.

    A new process imports the script, for what it defines there. One without ``if __name__ == "__main__":`` would come
    to the very call that starts processes; what works here needs nothing of it.
    """
    script = sys.modules.get("__main__")
    file = getattr(script, "__file__", None)
    if script is None or file is None or getattr(script, "__spec__", None) is not None or _is_guarded(file):
        yield
        return
    del script.__file__
    try:
        yield
    finally:
        script.__file__ = file


_GUARD = re.compile(r"^if\b.*(?<!\.)\b__name__\b", re.MULTILINE)
"""A script that asks, at its outer level, whether it is the one that was started; ``.__name__`` is something else's."""


@cache
def _is_guarded(script: str) -> bool:
    try:
        return _GUARD.search(Path(script).read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        # Standard input, say: there is nothing that a process could import.
        return False


def _begin(begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if begin is not None:
        begin(*arguments)


def _leave_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
