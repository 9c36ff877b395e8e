"""Where runs are evaluated: in this process, on all cores of this machine, or on a dask.distributed cluster.

Each takes chunks of settings one after another, so that few are in flight, and gives outcomes back as they come, in any
order. Processes get the space once. A dask worker that dies costs time: dask runs its chunks again elsewhere.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any, Protocol

from ....configs.errors import BisparseError, ConfigError
from ....configs.worker_pool import WorkerPool
from ....dataflow import search_compiled
from .axis_values import Settings
from .evaluation import evaluate
from .point import Outcome, Point

_IN_FLIGHT = 2
"""Chunks a worker is given ahead: one at work, one waiting."""


CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

_NO_SCHEDULER = "dask: got no answer from the scheduler any more, need it; what was finished is kept: try --resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Runs to be evaluated together.

    Attributes:
        keys: of the runs.
        settings: of each.
    """

    keys: tuple[str, ...]
    settings: tuple[Settings, ...]


class Points(Protocol):
    """What makes points of settings, such as a space; small to pickle."""

    def point(self, settings: Settings) -> Point:
        """What a point is; ``ConfigError`` where there is none."""


class Workers(Protocol):
    """What evaluates chunks."""

    count: int
    """Chunks worked on at a time."""

    @property
    def remark(self) -> str:
        """What is to be said of them beside how far they are; empty when nothing is."""

    def outcomes(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[Outcome]]]:
        """Every chunk with its outcomes, in any order.

        Raises:
            ConfigError: the workers are gone.
        """

    def close(self) -> None:
        """Let the workers go."""


def evaluate_settings(space: Points, settings: Sequence[Settings], version: str) -> list[Outcome]:
    """Evaluate points of a space; one that cannot be made is an outcome with the reason."""
    outcomes: list[Outcome | None] = [None] * len(settings)
    points: dict[int, Point] = {}
    for number, each in enumerate(settings):
        try:
            points[number] = space.point(each)
        except BisparseError as error:
            outcomes[number] = Outcome(figures=None, reason=str(error))
    for number, outcome in zip(points, evaluate(list(points.values()), version), strict=True):
        outcomes[number] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


class InProcess:
    """This process alone."""

    count = 1
    remark = ""

    def __init__(self, space: Points, version: str, runs: int) -> None:
        """Of a study of so many runs."""
        self._space, self._version = space, version
        search_compiled.foresee(runs)

    def outcomes(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[Outcome]]]:
        """See ``Workers``."""
        for chunk in chunks:
            yield chunk, evaluate_settings(self._space, chunk.settings, self._version)

    def close(self) -> None:
        """See ``Workers``."""


class Pool:
    """Processes on this machine."""

    remark = ""

    def __init__(self, space: Points, version: str, jobs: int, runs: int) -> None:
        """So many processes, for a study of so many runs."""
        self.count = jobs
        self._pool = WorkerPool(jobs, _begin, space, version, runs // jobs)

    def outcomes(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[Outcome]]]:
        """See ``Workers``."""
        waiting, flying = iter(chunks), dict[Future[list[Outcome]], Chunk]()
        try:
            while True:
                while len(flying) < _IN_FLIGHT * self.count and (chunk := next(waiting, None)) is not None:
                    flying[self._pool.submit(_evaluate_here, chunk.settings)] = chunk
                if not flying:
                    return
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    yield flying.pop(future), future.result()
        except BrokenProcessPool:
            raise ConfigError(
                "explore: got a worker process that died (out of memory, or killed), need it; what was finished is "
                "kept: try --resume, with fewer --jobs if memory was short"
            ) from None

    def close(self) -> None:
        """End every process at once: what is under way is evaluated again, and nobody waits for it."""
        self._pool.end()


_here: tuple[Points, str] | None = None
"""In a worker process: the space and the version of bisparse."""


def _begin(space: Points, version: str, runs: int) -> None:
    global _here
    _here = space, version
    # Each run searches for a product's mapping at least.
    search_compiled.foresee(runs)


def _evaluate_here(settings: Sequence[Settings]) -> list[Outcome]:
    assert _here is not None, "a worker process begins with its space"
    return evaluate_settings(_here[0], settings, _here[1])


class Dask:
    """Workers of a dask.distributed cluster."""

    def __init__(self, space: Points, version: str, address: str) -> None:
        """Connect.

        Raises:
            ConfigError: dask.distributed is missing, nothing answers at the address, or there are no workers.
        """
        from ....configs.needs import check_package

        check_package("distributed", "--dask", extra="explore")
        self._distributed: Any = import_module("distributed")
        try:
            if address.startswith("tls:") and not self._has_certificates():
                raise ConfigError(
                    f"dask: got {address} without certificates, need those that dask's configuration names under "
                    "distributed.comm.tls; try DASK_DISTRIBUTED__COMM__TLS__CA_FILE and its like"
                )
            self._client = self._distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"dask: got nothing at {address} ({error}), need a scheduler's address; try tcp://host:8786"
            ) from None
        self._joined: set[str] = set()
        try:
            self._look()
            self._check(version, address)
        except BaseException:
            self._client.close()
            raise
        # The space goes with every chunk, small as it is: what is scattered dies with the workers that hold it.
        self._space, self._version = pickle.dumps(space), version

    def _has_certificates(self) -> bool:
        return self._distributed.Security().get_connection_args("client").get("ssl_context") is not None

    def _look(self) -> None:
        """See which workers the cluster has now: clusters grow and shrink."""
        threads: dict[str, int] = self._client.nthreads()
        self.count = max(sum(threads.values()), 1)
        self._joined |= set(threads)
        self._lost = len(self._joined) - len(threads)

    def _check(self, version: str, address: str) -> None:
        """See that there are workers, and that each can run what it is sent: those that cannot would wait, or die."""
        if not self._joined:
            raise ConfigError(
                f"dask: got a cluster without workers at {address}, need at least one; try dask worker {address}"
            )
        # A function of Python's own: what is ours may not be there.
        found: dict[str, Any] = self._client.run(installed, "bisparse", on_error="return")
        for worker, own in found.items():
            if isinstance(own, PackageNotFoundError):
                raise ConfigError(f"dask: got a worker at {worker} without bisparse, need bisparse {version} there")
            if isinstance(own, str) and own != version:
                raise ConfigError(_other_version(f"a worker at {worker}", own, version))

    @property
    def remark(self) -> str:
        """See ``Workers``."""
        return f"{self._lost} worker{'s' if self._lost > 1 else ''} lost" if self._lost else ""

    def outcomes(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[Outcome]]]:
        """See ``Workers``."""
        waiting, flying = iter(chunks), dict[str, Chunk]()
        arriving = self._distributed.as_completed(loop=self._client.loop)

        def send() -> None:
            try:
                self._look()
                while len(flying) < _IN_FLIGHT * self.count and (chunk := next(waiting, None)) is not None:
                    arguments = (self._space, chunk.settings, self._version)
                    future = self._client.submit(evaluate_sent, *arguments, key=_task_key(chunk), retries=3, pure=False)
                    flying[future.key] = chunk
                    arriving.add(future)
            except OSError:
                raise ConfigError(_NO_SCHEDULER) from None

        send()
        while flying:
            future = next(arriving)
            outcomes = self._result_of(future)
            yield flying.pop(future.key), outcomes
            future.release()
            send()

    def _result_of(self, future: Any) -> list[Outcome]:
        try:
            outcomes: list[Outcome] = future.result()
        except CancelledError:
            raise ConfigError(_NO_SCHEDULER) from None
        except self._distributed.KilledWorker as error:
            raise ConfigError(
                f"dask: got workers that died over the same runs again and again ({str(error).splitlines()[0]}), need "
                "some that live; what was finished is kept: try --resume"
            ) from None
        return outcomes

    def close(self) -> None:
        """See ``Workers``."""
        log = logging.getLogger("distributed")
        levels = {handler: handler.level for handler in log.handlers}
        try:
            # A scheduler that is gone is told already.
            for handler in levels:
                handler.setLevel(logging.CRITICAL)
            self._client.close()
        finally:
            for handler, level in levels.items():
                handler.setLevel(level)


def _other_version(who: str, own: str, needed: str) -> str:
    return f"dask: got {who} with bisparse {own}, need {needed}; try the same version everywhere"


def _task_key(chunk: Chunk) -> str:
    return f"bisparse-{hashlib.sha256(''.join(chunk.keys).encode()).hexdigest()[:24]}"


def evaluate_sent(space: bytes, settings: Sequence[Settings], version: str) -> list[Outcome]:
    """Evaluate points on a dask worker.

    Args:
        space: pickled.
        settings: of the points.
        version: of the bisparse that asks.

    Raises:
        ConfigError: the worker has another version.
    """
    own = installed("bisparse")
    if own != version:
        raise ConfigError(_other_version("a worker", own, version))
    return evaluate_settings(_unpickled(space), settings, version)


@lru_cache(maxsize=4)
def _unpickled(space: bytes) -> Points:
    found: Points = pickle.loads(space)
    return found
