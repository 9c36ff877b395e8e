"""Cases run one after the other in a process of their own, which may die: whoever watches goes on behind the case.

A worker may take 1 GiB more than it had at its start; what asks for more meets a MemoryError, which is a failure.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cases import Case, prepare
from .oracle import FINE, echo_fault, judged
from .running import SECONDS, run
from .words import SECONDS as LONGER

MEMORY_BYTES = 2**30
CASES_A_WORKER = 400
"""So that what one case leaves in memory does not add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is run.

    Attributes:
        seed: of all that is drawn.
        corpus: the whole files.
        with_torch: whether training runs and networks are among them.
        cheap: whether what takes seconds is left out.
    """

    seed: int
    corpus: Path
    with_torch: bool
    cheap: bool = False

    def one(self, number: int) -> dict[str, Any]:
        """Run a case; what is known of it then, as plain data."""
        with tempfile.TemporaryDirectory(prefix="hostile-") as made:
            folder = Path(made) / "case"
            case = self._prepared(number, folder)
            outcome = run(case.argv, folder, seconds=allowed(case))
            verdict, fault = judged(case, outcome, folder)
            if verdict == "accepted" and case.shows is not None and case.value is not None:
                fault = echo_fault(case, run(case.shows, folder))
                verdict = "not as given" if fault else verdict
            for path in folder.rglob("*"):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o700)
        return _told(case, verdict, fault, outcome.seconds)

    def all(self, numbers: Sequence[int], told: Callable[[dict[str, Any]], None]) -> None:
        """Run cases in workers, one worker at a time; each result is told as it comes."""
        left = list(numbers)
        while left:
            batch, left = left[:CASES_A_WORKER], left[CASES_A_WORKER:]
            while batch:
                done = 0
                for result in self._worker(batch):
                    told(result)
                    done += 1
                if done < len(batch):
                    # It died at the case after the last that it told of.
                    told(self._lost(batch[done]))
                    done += 1
                batch = batch[done:]

    def _lost(self, number: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="hostile-") as made:
            folder = Path(made) / "case"
            case = self._prepared(number, folder)
        return _told(case, "died", "the process ended, or did not answer", 0.0)

    def _prepared(self, number: int, folder: Path) -> Case:
        return prepare(
            self.seed, number, corpus=self.corpus, folder=folder, with_torch=self.with_torch, cheap=self.cheap
        )

    def _worker(self, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            code = 1
            try:
                _bound_memory()
                _silence()
                for number in numbers:
                    os.write(writer, (json.dumps(self.one(number)) + "\n").encode())
                code = 0
            finally:
                os._exit(code)
        os.close(writer)
        try:
            yield from _lines(reader, patience=3 * max(LONGER.values()))
        finally:
            os.close(reader)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def allowed(case: Case) -> float:
    """Seconds that a case may take."""
    return LONGER.get(case.argv[0], SECONDS) if case.argv else SECONDS


def _told(case: Case, verdict: str, fault: str, seconds: float) -> dict[str, Any]:
    told = {"number": case.number, "kind": case.kind, "how": case.how, "verdict": verdict, "seconds": round(seconds, 3)}
    if verdict not in FINE:
        told |= {"argv": [word[:200] for word in case.argv], "fault": fault.encode("utf-8", "replace").decode()}
    return told


def _lines(reader: int, *, patience: float) -> Iterator[dict[str, Any]]:
    """Results as they come, until the worker is through, dies or says nothing for too long."""
    held = b""
    while True:
        until = time.monotonic() + patience
        while b"\n" not in held:
            if not select.select([reader], [], [], max(0.0, until - time.monotonic()))[0]:
                return
            came = os.read(reader, 65536)
            if not came:
                return
            held += came
        line, held = held.split(b"\n", 1)
        yield json.loads(line)


def _bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _silence() -> None:
    """What libraries print past Python's streams is no part of the answer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
