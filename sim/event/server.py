"""An engine or a DRAM channel as a queue: one job at a time, urgent ones first, patient ones in what time is left.

Urgent jobs (tiles, vector work) are served in order of arrival. A patient job (update, reduction for the next step)
gives way at once and goes on where it was: a channel arbitrates burst by burst, a lane element by element, both within
a cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import simpy

from .clock import Clock

Watch = Callable[[str, str, int, int, int], None]
"""Told the server's name, the job's label, the cycles from and until which it was served, and the bytes moved."""


@dataclass(slots=True, kw_only=True)
class _Job:
    left_cycles: int
    urgent: bool
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
        self._urgent: deque[_Job] = deque()
        self._patient: deque[_Job] = deque()
        self._running: _Job | None = None
        self._since = 0
        self._turn = 0

    def serve(self, cycles: int, *, label: str = "", urgent: bool = True, moved_bytes: int = 0) -> simpy.Event:
        """Queue a job; the event comes when it is done, with the simpy time of its end as value.

        Args:
            cycles: of service.
            label: for the timeline.
            urgent: whether it is served before patient work.
            moved_bytes: for the timeline.
        """
        done = self._clock.environment.event()
        job = _Job(left_cycles=cycles, urgent=urgent, label=label, moved_bytes=moved_bytes, done=done)
        (self._urgent if urgent else self._patient).append(job)
        if self._running is None:
            self._start()
        elif urgent and not self._running.urgent:
            self._suspend()
            self._start()
        return job.done

    # Repetition ------------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> tuple[int, int]:
        """Urgent and patient jobs that are here, the running one included."""
        running = self._running
        urgent = running is not None and running.urgent
        patient = running is not None and not running.urgent
        return len(self._urgent) + urgent, len(self._patient) + patient

    @property
    def urgent_left_cycles(self) -> tuple[int, ...]:
        """What the urgent jobs still need, in order."""
        running = self._running
        first = (self._left(running),) if running is not None and running.urgent else ()
        return (*first, *(job.left_cycles for job in self._urgent))

    @property
    def patient_left_cycles(self) -> int:
        """What the first patient job still needs; 0 when there is none."""
        job = self._first_patient
        return 0 if job is None else self._left(job)

    def advance_patient(self, cycles: int) -> None:
        """Take that much off the first patient job: it was served in repetitions that were skipped."""
        job = self._first_patient
        assert job is not None, "somebody is patient"
        assert self._left(job) > cycles, "a job never ends in skipped time"
        if job is self._running:
            self._pause(job)
            job.left_cycles -= cycles
            self._play(job)
        else:
            job.left_cycles -= cycles

    @property
    def _first_patient(self) -> _Job | None:
        if self._running is not None and not self._running.urgent:
            return self._running
        return self._patient[0] if self._patient else None

    # Service ---------------------------------------------------------------------------------------------------------

    def _left(self, job: _Job) -> int:
        return job.left_cycles - (int(self._clock.environment.now) - self._since if job is self._running else 0)

    def _start(self) -> None:
        queue = self._urgent or self._patient
        if queue:
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
            self._patient.appendleft(job)
        else:
            # It ends in this very cycle: whether its end or the urgent job is seen first must not matter.
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

    def serve(self, cycles: int, *, label: str = "", urgent: bool = True, moved_bytes: int = 0) -> simpy.Event:
        """Queue a request at every channel; the event comes when the last one is done, with that time as value.

        Args:
            cycles: of service, of each channel.
            label: for the timeline.
            urgent: whether it is served before patient work.
            moved_bytes: of all channels, for the timeline.
        """
        share = moved_bytes // len(self.servers)
        parts = [server.serve(cycles, label=label, urgent=urgent, moved_bytes=share) for server in self.servers]
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
