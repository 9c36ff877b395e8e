"""Work that streams: a tensor through an engine, chunk by chunk, DRAM and lanes on the same chunk at once.

A chunk's first elements are worked on while its last are on their way, and its results leave as they come, so a stream
lasts as long as its slowest stage; two chunks may be under way, so that no stage runs further ahead. Chunks are equal
parts, as many as leave each at least ``_SHORTEST`` cycles, at most ``_MOST``: they cut the stream into events, and
carry no time of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import simpy

from .clock import Clock, Process
from .server import Channels, Rank, Server

_SHORTEST = 64
_MOST = 64
_UNDER_WAY = 2

Stage = tuple[Server | Channels, int]
"""Who works on the stream, and for how many cycles in all."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a stream, done.

    Attributes:
        cycles: of each stage.
        ended_at: simpy time at which the last stage was done.
    """

    cycles: tuple[int, ...]
    ended_at: int


class Stream:
    """One stream.

    Args:
        clock: of the machine.
        stages: that work on it side by side, DRAM first.
        latency_cycles: before its first element is there.
        label: for the timeline.
        moved_bytes: over the memory's pins, for the timeline.
        rank: before whom it is served.
        each: told when each chunk is done.
    """

    def __init__(
        self,
        clock: Clock,
        stages: Sequence[Stage],
        *,
        latency_cycles: int,
        label: str,
        moved_bytes: int,
        rank: Rank,
        each: Callable[[Chunk], None] | None = None,
    ) -> None:
        self._clock = clock
        self._stages = stages
        self._latency_cycles = latency_cycles
        self._label = label
        self._moved_bytes = moved_bytes
        self._rank = rank
        self._each = each
        self._issued = 0
        self._begins_at = 0

    @property
    def state(self) -> tuple[int, int]:
        """How far it is: cycles until its first element, chunks handed to the stages."""
        return max(self._begins_at - int(self._clock.environment.now), 0), self._issued

    def run(self) -> Process:
        """The process."""
        if self._latency_cycles:
            self._begins_at = int(self._clock.environment.now) + self._latency_cycles
            yield self._clock.wait(self._latency_cycles)
        chunks = max(1, min(_MOST, max(cycles for _, cycles in self._stages) // _SHORTEST))
        under_way: deque[tuple[tuple[int, ...], list[simpy.Event]]] = deque()
        reached = 0
        for number in range(chunks):
            if len(under_way) == _UNDER_WAY:
                yield from self._finish(*under_way.popleft())
            self._issued += 1
            cycles = tuple(_share(whole, number, chunks) for _, whole in self._stages)
            moved = self._moved_by(reached + cycles[0]) - self._moved_by(reached)
            reached += cycles[0]
            under_way.append((cycles, [self._hand(*each, moved) for each in zip(self._stages, cycles, strict=True)]))
        while under_way:
            yield from self._finish(*under_way.popleft())

    def _moved_by(self, dram_cycles: int) -> int:
        """Bytes moved in the first cycles of DRAM: a chunk that takes none moves nothing."""
        return self._moved_bytes * dram_cycles // max(self._stages[0][1], 1)

    def _hand(self, stage: Stage, cycles: int, moved_bytes: int) -> simpy.Event:
        server, _ = stage
        on_pins = moved_bytes if stage is self._stages[0] else 0
        return server.serve(cycles, label=self._label, rank=self._rank, moved_bytes=on_pins)

    def _finish(self, cycles: tuple[int, ...], parts: list[simpy.Event]) -> Process:
        for part in parts:  # noqa: UP028 - simpy sends values, which a plain iterator cannot take
            yield part
        if self._each is not None:
            self._each(Chunk(cycles, int(self._clock.environment.now)))


def _share(total: int, number: int, parts: int) -> int:
    """Part of a total that is cut into nearly equal whole parts.

    >>> [_share(10, number, 4) for number in range(4)]
    [2, 3, 2, 3]
    """
    return total * (number + 1) // parts - total * number // parts
