"""An engine or a DRAM channel as a queue: one job at a time, by rank and then by arrival.

A job gives way at once to one of a better rank and goes on where it was: a channel arbitrates burst by burst, a lane
element by element, both within a cycle. Tiles come first, since the array waits for them; then streams of vector work;
then updates, which have until the next step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import simpy

from .clock import Clock

Watch = Callable[[str, str, int, int, int], None]
"""Told the server's name, the job's label, the cycles from and until which it was served, and the bytes moved."""


class Rank(IntEnum):
    """Who is served before whom."""

    TILE = 0
    STREAM = 1
    UPDATE = 2


PATIENT = (Rank.STREAM, Rank.UPDATE)
"""Ranks that give way to tiles."""


@dataclass(slots=True, kw_only=True)
class _Job:
    left_cycles: int
    rank: Rank
    label: str
    moved_bytes: int
    done: simpy.Event


class Server:
    """One engine's command queue.

    Args:
        clock: of the machine.
        name: for the timeline.
        watch: told of every stretch of service.
    """

    def __init__(self, clock: Clock, name: str, watch: Watch | None = None) -> None:
        self.name = name
        self._clock = clock
        self._watch = watch
        self._queues: tuple[deque[_Job], ...] = tuple(deque() for _ in Rank)
        self._running: _Job | None = None
        self._since = 0
        self._turn = 0

    def serve(self, cycles: int, *, label: str = "", rank: Rank = Rank.TILE, moved_bytes: int = 0) -> simpy.Event:
        """Queue a job; the event comes when it is done, with the simpy time of its end as value.

        Args:
            cycles: of service.
            label: for the timeline.
            rank: before whom it is served.
            moved_bytes: for the timeline.
        """
        done = self._clock.environment.event()
        job = _Job(left_cycles=cycles, rank=rank, label=label, moved_bytes=moved_bytes, done=done)
        self._queues[rank].append(job)
        if self._running is None:
            self._start()
        elif rank < self._running.rank:
            self._suspend()
            self._start()
        return job.done

    # Repetition ------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Jobs that are here, by rank, and what those of tiles still need, in order."""
        running = self._running
        here = tuple(len(self._queues[rank]) + (running is not None and running.rank == rank) for rank in Rank)
        first = (self._left(running),) if running is not None and running.rank == Rank.TILE else ()
        return here, (*first, *(job.left_cycles for job in self._queues[Rank.TILE]))

    @property
    def patient_left_cycles(self) -> tuple[int, ...]:
        """What the first job of each patient rank still needs; 0 where there is none."""
        return tuple(0 if job is None else self._left(job) for job in map(self._first, PATIENT))

    def advance(self, rank: Rank, cycles: int) -> int:
        """Take that much off the first job of a patient rank: it was served in repetitions that were skipped.

        Returns:
            The bytes that it moved meanwhile.
        """
        job = self._first(rank)
        assert job is not None, "somebody is patient"
        assert self._left(job) > cycles, "a job never ends in skipped time"
        running = job is self._running
        if running:
            self._pause(job)
        moved = job.moved_bytes * cycles // job.left_cycles
        job.moved_bytes -= moved
        job.left_cycles -= cycles
        if running:
            self._play(job)
        return moved

    def _first(self, rank: Rank) -> _Job | None:
        if self._running is not None and self._running.rank == rank:
            return self._running
        return self._queues[rank][0] if self._queues[rank] else None

    # Service ---------------------------------------------------------------------------------------------------------

    def _left(self, job: _Job) -> int:
        return job.left_cycles - (int(self._clock.environment.now) - self._since if job is self._running else 0)

    def _start(self) -> None:
        queue = next(filter(None, self._queues), None)
        if queue is not None:
            self._play(queue.popleft())

    def _play(self, job: _Job) -> None:
        self._running, self._since = job, int(self._clock.environment.now)
        self._turn += 1
        turn = self._turn
        end = self._clock.wait(job.left_cycles)
        assert end.callbacks is not None, "a new event has callbacks"
        end.callbacks.append(lambda _: self._finish(job, turn))

    def _pause(self, job: _Job) -> None:
        served = int(self._clock.environment.now) - self._since
        if self._watch is not None and served:
            moved = job.moved_bytes * served // job.left_cycles
            job.moved_bytes -= moved
            self._watch(self.name, job.label, self._clock.now - served, self._clock.now, moved)
        job.left_cycles -= served
        self._turn += 1
        self._running = None

    def _suspend(self) -> None:
        job = self._running
        assert job is not None, "somebody is served"
        self._pause(job)
        if job.left_cycles:
            self._queues[job.rank].appendleft(job)
        else:
            # It ends in this very cycle: whether its end or the other job is seen first must not matter.
            job.done.succeed(self._clock.environment.now)

    def _finish(self, job: _Job, turn: int) -> None:
        if turn != self._turn:
            return
        self._pause(job)
        job.done.succeed(self._clock.environment.now)
        self._start()


class Channels:
    """The DRAM channels. Memory is interleaved over them by bursts, so a request asks the same of each.

    One server may stand for all of them, since they are asked alike; with ``apart`` each has its own.

    Args:
        clock: of the machine.
        count: channels.
        apart: whether to play each by itself.
        watch: told of every stretch of service.
    """

    def __init__(self, clock: Clock, count: int, *, apart: bool, watch: Watch | None = None) -> None:
        self._clock = clock
        names = [f"channel {number}" for number in range(count)] if apart else ["channels"]
        self.servers = tuple(Server(clock, name, watch) for name in names)

    def serve(self, cycles: int, *, label: str = "", rank: Rank = Rank.TILE, moved_bytes: int = 0) -> simpy.Event:
        """Queue a request at every channel; the event comes when the last one is done, with that time as value.

        Args:
            cycles: of service, of each channel.
            label: for the timeline.
            rank: before whom it is served.
            moved_bytes: of all channels, for the timeline.
        """
        share = moved_bytes // len(self.servers)
        parts = [server.serve(cycles, label=label, rank=rank, moved_bytes=share) for server in self.servers]
        if len(parts) == 1:
            return parts[0]
        whole = self._clock.environment.event()
        left = len(parts)

        def one_done(_: simpy.Event) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                whole.succeed(self._clock.environment.now)

        for part in parts:
            assert part.callbacks is not None, "no part is done before it is waited for"
            part.callbacks.append(one_done)
        return whole
