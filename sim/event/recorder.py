"""What happened when: the timeline of a played step, for pictures and traces.

Stretches of service of every engine and channel, tiles and waits of the tensor engine, operators, what the buffers
hold. Repetitions that fast-forward counted appear as one stretch that says how often what came before it repeats, and
what it holds of everybody's cycles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TENSOR = "tensor engine"
PRODUCTS, VECTOR_WORK = "operators: products", "operators: vector work"
"""Tracks of the schedule's works: those of one queue never overlap."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time on one track.

    Attributes:
        track: engine or channel, or the works of a queue.
        label: what it was busy with.
        start_cycle: first cycle.
        end_cycle: the cycle after the last.
        kind: ``work``, ``wait`` or ``repeat``.
        detail: cause of a wait, stage of an operator, how often something repeats.
        moved_bytes: over the memory's pins meanwhile.
        shares: of a tile, its cycles by cause; of repetitions, those of the tensor engine by cause and those of every
            other track.
    """

    track: str
    label: str
    start_cycle: int
    end_cycle: int
    kind: str = "work"
    detail: str = ""
    moved_bytes: int = 0
    shares: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that the tensor engine's buffers hold from a moment on.

    Attributes:
        cycle: the moment.
        west_bytes: of tiles in the west buffer.
        north_bytes: in the north buffer.
        output_bytes: in the output buffer.
    """

    cycle: int
    west_bytes: int
    north_bytes: int
    output_bytes: int


@dataclass(slots=True)
class Recorder:
    """Collects the timeline of one step.

    Attributes:
        spans: in the order of their ends.
        held: in order of time.
    """

    spans: list[Span] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)

    def serve(self, track: str, label: str, start: int, end: int, moved_bytes: int) -> None:
        """An engine or a channel was busy."""
        self.spans.append(Span(track, label, start, end, moved_bytes=moved_bytes))

    def tile(self, label: str, start: int, end: int, causes: Mapping[str, int]) -> None:
        """The array worked on a tile."""
        self.spans.append(Span(TENSOR, label, start, end, shares=causes))

    def wait(self, label: str, cause: str, start: int, end: int) -> None:
        """The tensor engine waited, if it did."""
        if end > start:
            self.spans.append(Span(TENSOR, label, start, end, "wait", cause))

    def repeat(
        self, label: str, start: int, end: int, *, times: int, tiles: int, shares: Mapping[str, int], moved_bytes: int
    ) -> None:
        """What came just before happened so many times more."""
        detail = f"{times:,} times more, {tiles:,} tiles"
        self.spans.append(Span(TENSOR, label, start, end, "repeat", detail, moved_bytes, shares))

    def operator(self, label: str, stage: str, start: int, end: int) -> None:
        """A work of the schedule, from start to end."""
        track = VECTOR_WORK if stage == "vector" else PRODUCTS
        self.spans.append(Span(track, label, start, end, "work", stage))

    def hold(self, cycle: int, west: int, north: int, output: int) -> None:
        """The buffers hold this much from now on."""
        self.held.append(Held(cycle, west, north, output))
