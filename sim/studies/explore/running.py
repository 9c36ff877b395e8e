"""A study run: a strategy asks for designs, workers evaluate what the store does not hold yet, the store keeps it.

Nothing depends on the order in which results come: designs are judged and listed in the order in which they were asked
for, so an interrupted study that is resumed ends in the very table of one that was not.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from ....configs.errors import BisparseError, ConfigError
from ....configs.library import content_hash
from ....configs.schema import Loaded, validate
from ....configs.strict_yaml import Document
from ....dataflow import search_compiled
from . import STORE_FILE
from .axis_values import Settings
from .loading import DATA
from .space import Space
from .store import DesignRow, RunRow, Store
from .strategies import Judged, strategy
from .study import SCHEMA_VERSION, Study, Verdict, outcomes_in
from .sweep import Exhaustive, Sobol, Sweep
from .workers import Chunk, Dask, InProcess, Pool, Workers

LARGEST_CHUNK = 1024
"""Runs evaluated together at most: the more, the more they share; and the more is lost when the process is killed."""

SMALLEST_CHUNK = 256
"""Fewer share too little to be split further, if every worker has some."""

FIRST_CHUNKS = (16, 256)
"""Runs of each worker's first chunks at most: rows are kept within seconds, and how long runs take is known."""

LONGEST_CHUNK_SECONDS = 30.0
"""Of a chunk, at the pace so far: what a kill may cost a worker."""

WORTH_COMPILING = 400
"""Runs that take longer without a compiled mapping search than compiling it does, once on a machine."""

MOST_DESIGNS = 1_000_000
"""Of a study: each takes memory until the tables are written."""

Told = Callable[[str, int, int], None]
"""Called with what is done, runs computed, and runs to compute in all, as far as is known."""


def _silent(task: str, done: int, of: int) -> None:
    """Nobody is told."""


def chunk_size(runs: int, workers: int) -> int:
    """Runs evaluated together, so that every worker has some."""
    least = min(math.ceil(runs / workers), SMALLEST_CHUNK)
    return max(min(max(math.ceil(runs / (2 * workers)), least), LARGEST_CHUNK), 1)


def asks(space: Space) -> int:
    """Designs that the strategy asks for at most."""
    chosen = space.sweep.strategy
    if isinstance(chosen, Exhaustive):
        return space.designs
    return min(chosen.points if isinstance(chosen, Sobol) else chosen.evaluations, space.designs)


def check_size(space: Space) -> None:
    """Refuse a study of more designs than one has room for.

    Raises:
        ConfigError: it is; the message gives its size.
    """
    if asks(space) > MOST_DESIGNS:
        raise ConfigError(
            f"{space.place_of('axes')}: got {space.designs:,} designs, need at most {MOST_DESIGNS:,} of a study that "
            "takes them all; try fewer values, or strategy: {name: sobol, points: 1000}"
        )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    space: Space,
    out: Path | None,
    *,
    version: str,
    jobs: int | None = None,
    dask: str | None = None,
    resume: bool = False,
    told: Told = _silent,
) -> Study:
    """Run a study, or go on with one.

    Args:
        space: of the study.
        out: its directory, which is made if absent; None keeps the store in memory.
        version: of bisparse.
        jobs: processes; as many as cores when None, this one alone when 1.
        dask: address of a dask.distributed scheduler, whose workers do the work instead.
        resume: use what the directory's store holds.
        told: is told how far it is.

    Raises:
        ConfigError: the study is too large, the directory holds rows and ``resume`` is not set, a store or a cluster
            fails, a worker died.
    """
    began = time.perf_counter()
    check_size(space)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with _store_in(out, version) as store:
        others = {made: count for made, count in store.versions().items() if made != version}
        if not resume and (len(store) or others):
            raise ConfigError(
                f"{out}: got a store with {sum(store.versions().values())} runs, need an empty directory; try --resume "
                "to use them, or another --out"
            )
        runs = asks(space) * len(space.scenarios())
        if dask is None and runs >= WORTH_COMPILING and search_compiled.is_lacking():
            told("compiling the mapping search, once on this machine", 0, 1)
            search_compiled.build()
        workers = _workers(space, version, jobs, dask, runs)
        try:
            progress = _Progress(space=space, store=store, workers=workers, version=version, told=told)
            progress.follow()
        finally:
            workers.close()
        meta = {
            "schema_version": SCHEMA_VERSION,
            "bisparse_version": version,
            "sweep": {
                "name": space.sweep.name,
                "sha256": space.sha256,
                # Paths in the sweep are from beside its file.
                "file": str(Path(space.loaded.document.file).absolute()) if space.loaded.sources else DATA,
                "data": space.loaded.document.data,
            },
            "objectives": [{"figure": goal.figure, "maximise": goal.maximise} for goal in space.objectives],
            "strategy": space.sweep.strategy.model_dump(exclude_none=True),
            "space_designs": space.designs,
            "designs": len(progress.asked),
            "scenarios": len(space.scenarios()),
            "runs_computed": progress.computed,
            "runs_reused": progress.reused,
            "runs_of_other_versions": others,
            "seconds": round(time.perf_counter() - began, 3),
        }
        store.finish(progress.asked, json.dumps(meta))
        return Study.of_store(store, space, meta)


@contextmanager
def _store_in(directory: Path | None, version: str) -> Iterator[Store]:
    """The store of a directory; a study that is refused before its first run leaves none where there was none."""
    file = None if directory is None else directory / STORE_FILE
    was_there, empty = file is None or file.exists(), False
    try:
        with Store(file, version=version) as store:
            try:
                yield store
            except ConfigError:
                empty = not store.versions()
                raise
    finally:
        if file is not None and empty and not was_there:
            for each in (file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm"))):
                each.unlink(missing_ok=True)


def load(directory: Path, space: Space, *, version: str) -> Study:
    """A finished study from its directory.

    Raises:
        ConfigError: there is none, or it was interrupted.
    """
    file = directory / STORE_FILE
    if not file.is_file():
        raise ConfigError(f"{directory}: got no {STORE_FILE}, need the directory of a study")
    with Store(file, version=version) as store:
        meta = store.study()
        if meta is None:
            raise ConfigError(f"{directory}: got a study that was interrupted, need a finished one; try --resume")
        return Study.of_store(store, space, meta)


_CHECKED = 64
"""Designs of a study whose keys are looked at when it is read."""


def stale(study: Study, space: Space, *, version: str) -> str:
    """The key of a design that would be another one now; empty when none was found, of some evenly among all."""
    table = study.table[study.table["key"] != ""]
    step = max(len(table) // _CHECKED, 1)
    axes = [axis.name for axis in space.axes if not axis.scenario]
    for row in table.iloc[::step][[*axes, "key"]].to_dict("records"):
        key = str(row.pop("key"))
        settings = {str(name): value for name, value in row.items() if value is not None and value == value}
        try:
            now = space.key(space.point({**settings, **space.scenarios()[0]}), version)
        except BisparseError:
            # No design then and now: its key does not come from one.
            continue
        if now != key:
            return key
    return ""


def same_space(one: Space, other: Space) -> bool:
    """Whether two sweeps differ in nothing but their names and strategies."""
    own, others = (
        {name: said for name, said in space.loaded.document.data.items() if name not in ("name", "title", "strategy")}
        for space in (one, other)
    )
    return bool(own == others)


def stored_sweep(directory: Path, *, version: str) -> Loaded[Sweep] | None:
    """The sweep of the study in a directory, as it was run; None when it was never finished."""
    with Store(directory / STORE_FILE, version=version) as store:
        meta = store.study()
    if meta is None:
        return None
    told = meta["sweep"]
    document = Document(file=told["file"], data=told["data"], places={})
    return Loaded(model=validate(document, Sweep), provenance={}, sources=(), sha256=told["sha256"], document=document)


def _workers(space: Space, version: str, jobs: int | None, dask: str | None, runs: int) -> Workers:
    if dask is not None:
        return Dask(space, version, dask)
    jobs = jobs or cores()
    return InProcess(space, version, runs) if jobs == 1 else Pool(space, version, jobs, runs)


@dataclass(kw_only=True)
class _Progress:
    """A study under way.

    Attributes:
        asked: designs so far, in their order.
        computed: runs evaluated now.
        reused: runs that the store had.
        made: keys of those evaluated now.
        sent: chunks given to workers.
        first: when the first came back, on the monotonic clock, and how many runs it was of.
        expected: runs to compute in all, as far as is known.
    """

    space: Space
    store: Store
    workers: Workers
    version: str
    told: Told
    asked: list[DesignRow] = field(default_factory=list)
    computed: int = 0
    reused: int = 0
    made: set[str] = field(default_factory=set)
    sent: int = 0
    first: tuple[float, int] | None = None
    expected: int = field(init=False)

    def __post_init__(self) -> None:
        self.expected = asks(self.space) * len(self.space.scenarios())

    def follow(self) -> None:
        """Give the strategy what it asks for, until it asks no more."""
        asking = strategy(self.space)
        try:
            batch = next(asking)
            while True:
                batch = asking.send(self._judged(batch))
        except StopIteration:
            return

    def _judged(self, batch: Sequence[Settings]) -> list[Judged]:
        rows: list[DesignRow] = []
        self.told(self._task(), self.computed, self.expected)
        for chunk, outcomes in self.workers.outcomes(self._chunks(batch, rows)):
            self.store.write(
                [
                    RunRow(key=key, settings=settings, outcome=outcome)
                    for key, settings, outcome in zip(chunk.keys, chunk.settings, outcomes, strict=True)
                ]
            )
            self.computed += len(outcomes)
            self.first = self.first or (time.monotonic(), self.computed)
            self.made.update(chunk.keys)
            self.told(self._task(), self.computed, max(self.expected, self.computed))
        self.asked.extend(rows)
        if isinstance(self.space.sweep.strategy, Exhaustive | Sobol):
            # They ask the same whatever the answer is.
            return []
        outcomes_of = self.store.outcomes([key for row in rows for key in row.runs])
        found = []
        for row in rows:
            verdict = Verdict.of(self.space, row, outcomes_in(self.store, outcomes_of, row))
            found.append(Judged(settings=row.settings, objectives=verdict.objectives(self.space)))
        return found

    def _row(self, settings: Settings) -> DesignRow:
        reason = self.space.violated(settings, None)
        if reason:
            return DesignRow(settings=settings, runs=(), reason=reason)
        return DesignRow(
            settings=settings, runs=tuple(self._key({**settings, **each}) for each in self.space.scenarios())
        )

    def _key(self, settings: Settings) -> str:
        try:
            return self.space.key(self.space.point(settings), self.version)
        except BisparseError as error:
            # No design, and so nothing but what was asked for to know it by; and why, which files beside the sweep say.
            return content_hash(["none", self.space.sha256, settings, str(error), self.version])

    def _task(self) -> str:
        remarks = (f"{self.reused:,} were there" if self.reused else "", self.workers.remark)
        return ", ".join([f"{self.space.sweep.name}: runs", *filter(None, remarks)])

    def _chunk_size(self, size: int) -> int:
        """Runs of the next chunk: few at first, so that rows are kept soon, then what takes no longer than it may."""
        rounds = self.sent // self.workers.count
        if rounds < len(FIRST_CHUNKS):
            return min(size, FIRST_CHUNKS[rounds])
        since, before = self.first or (0.0, self.computed)
        if self.computed == before:
            return min(size, FIRST_CHUNKS[-1])
        # Since the first came: until then processes start, and load what all chunks share.
        a_second = (self.computed - before) / (time.monotonic() - since) / self.workers.count
        return min(size, max(int(LONGEST_CHUNK_SECONDS * a_second), FIRST_CHUNKS[0]))

    def _chunks(self, batch: Sequence[Settings], rows: list[DesignRow]) -> Iterator[Chunk]:
        """What the store lacks of a batch: runs of one scenario and neighbouring designs, which share most.

        Designs are looked at as workers ask for more, so that these do not wait until all are.

        Args:
            batch: designs.
            rows: gets a row a design.
        """
        scenarios = self.space.scenarios()
        waiting: list[dict[str, Settings]] = [{} for _ in scenarios]
        sent: set[str] = set()
        start = 0
        while start < len(batch):
            if not start or self.sent <= self.workers.count:
                # Of what is left behind the first chunks, every worker has some.
                share = chunk_size(len(batch) - start, self.workers.count)
            size = self._chunk_size(share)
            block = [self._row(settings) for settings in batch[start : start + size]]
            rows.extend(block)
            there = self.store.has([key for row in block for key in row.runs])
            new = 0
            for row in block:
                for place, scenario, key in zip(waiting, scenarios, row.runs, strict=False):
                    # Two designs may come to the same run.
                    if key not in there and key not in sent:
                        place[key] = {**row.settings, **scenario}
                        sent.add(key)
                        new += 1
            self.reused += len(there - self.made)
            self.expected -= len(block) * len(scenarios) - new
            start += size
            last = start >= len(batch)
            for number, place in enumerate(waiting):
                if place and (last or len(place) >= size):
                    waiting[number] = {}
                    self.sent += 1
                    yield Chunk(keys=tuple(place), settings=tuple(place.values()))
        # What tables are made with takes a while to load: workers are still busy with the last chunks.
        import_module("pandas")
