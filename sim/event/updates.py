"""The weight update as a process: one parameter after another, in what DRAM time tiles and vector work leave.

An update may begin when its gradient is there; with ``overlap_update`` that is beside later work, else after all of it.
Its stream passes DRAM, the update engine and the reduction engine at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import simpy

from ...accel.engines import Engines
from ...dataflow.works import UpdateWork
from .clock import Clock, Process
from .server import Channels, Rank, Server
from .stream import Chunk, Stream


@dataclass(slots=True, kw_only=True, eq=False)
class UpdateRun:
    """What running an update found; times are simpy's.

    Attributes:
        work: the update.
        busy: cycles of the shared resources.
        chunks: of its stream; stages are DRAM, the update engine, the reduction engine.
        ended_at: when it was over.
    """

    work: UpdateWork
    busy: dict[str, int]
    chunks: list[Chunk] = field(default_factory=list)
    ended_at: int = 0

    def exposed(self, since: int) -> tuple[int, int]:
        """Cycles after ``since`` in which the step waits for update or memory, and for the reduction beyond them.

        Args:
            since: when nothing else was left to do, and no earlier update either.
        """
        reducing, before = 0, since
        for chunk in self.chunks:
            if chunk.ended_at > before:
                on_dram, on_update, on_sorters = chunk.cycles
                others = max(on_dram, on_update)
                reducing += max(min(chunk.ended_at - before, on_sorters) - others, 0)
                before = chunk.ended_at
        return max(self.ended_at - since, 0) - reducing, reducing


class Updater:
    """Runs the updates of a step.

    Args:
        clock: of the machine.
        engines: the shared resources.
        channels: DRAM.
        update_engine: WUVE.
        sorters: SORE.
        works: the updates.

    Attributes:
        runs: of the updates.
        order: the same in the order in which they ran.
    """

    def __init__(
        self,
        clock: Clock,
        engines: Engines,
        channels: Channels,
        update_engine: Server,
        sorters: Server,
        works: tuple[UpdateWork, ...],
    ) -> None:
        self._clock = clock
        self._channels = channels
        self._update_engine = update_engine
        self._sorters = sorters
        self._latency_cycles = int(engines.memory.latency_cycles)
        self.runs = tuple(
            UpdateRun(
                work=work,
                busy={name: int(cycles) for name, cycles in engines.busy_cycles(work.demand).items()},
            )
            for work in works
        )
        self.order: list[UpdateRun] = []
        self._unmade = list(self.runs)
        self._ready: deque[UpdateRun] = deque()
        self._stream: Stream | None = None
        self._woken: simpy.Event | None = None
        clock.environment.process(self._run())

    @property
    def busy(self) -> bool:
        """Whether an update is under way, or could be."""
        return self._stream is not None or bool(self._ready)

    @property
    def state(self) -> tuple[int, ...]:
        """Which update it is at, how many could follow, how far it is."""
        progress = () if self._stream is None else self._stream.state
        return len(self.order), len(self._ready), *progress

    def work_done(self, index: int) -> None:
        """A work of the schedule is over: updates of the gradients that it made may begin."""
        self._begin([run for run in self._unmade if run.work.ready_after == index])

    def all_done(self) -> None:
        """Every work is over: all updates may begin."""
        self._begin(list(self._unmade))

    def _begin(self, runs: list[UpdateRun]) -> None:
        self._ready.extend(runs)
        self._unmade = [run for run in self._unmade if run not in runs]
        if self._ready and self._woken is not None:
            self._woken.succeed()
            self._woken = None

    def _run(self) -> Process:
        while True:
            if not self._ready:
                self._woken = self._clock.environment.event()
                yield self._woken
            run = self._ready.popleft()
            self.order.append(run)
            self._stream = Stream(
                self._clock,
                [
                    (self._channels, run.busy["dram"]),
                    (self._update_engine, run.busy["update"]),
                    (self._sorters, run.busy["reduction"]),
                ],
                latency_cycles=self._latency_cycles,
                label=run.work.operator,
                moved_bytes=run.work.read_bytes + run.work.write_bytes,
                rank=Rank.UPDATE,
                each=run.chunks.append,
            )
            yield from self._stream.run()
            run.ended_at = int(self._clock.environment.now)
            self._stream = None
