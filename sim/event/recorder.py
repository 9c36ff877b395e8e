"""What happened when: the timeline of a played step, for pictures and traces.

Stretches of service of every engine and channel, tiles and waits of the tensor engine, operators, what the buffers
hold. Repetitions that fast-forward counted appear as one stretch that says how often what came before it repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TENSOR = "tensor engine"
OPERATORS = "operators"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time on one track.

    Attributes:
        track: engine or channel, or ``operators``.
        label: what it was busy with.
        start_cycle: first cycle.
        end_cycle: the cycle after the last.
        kind: ``work``, ``wait`` or ``repeat``.
        detail: cause of a wait, stage of an operator, how often something repeats.
    """

    track: str
    label: str
    start_cycle: int
    end_cycle: int
    kind: str = "work"
    detail: str = ""


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

    def span(self, track: str, label: str, start: int, end: int) -> None:
        """An engine was busy."""
        self.spans.append(Span(track, label, start, end))

    def wait(self, label: str, cause: str, start: int, end: int) -> None:
        """The tensor engine waited."""
        self.spans.append(Span(TENSOR, label, start, end, "wait", cause))

    def repeat(self, label: str, times: int, tiles: int, start: int, end: int) -> None:
        """What came just before happened so many times more."""
        self.spans.append(Span(TENSOR, label, start, end, "repeat", f"{times} times more, {tiles} tiles"))

    def operator(self, label: str, stage: str, start: int, end: int) -> None:
        """A work of the schedule, from start to end."""
        self.spans.append(Span(OPERATORS, label, start, end, "work", stage))

    def hold(self, cycle: int, west: int, north: int, output: int) -> None:
        """The buffers hold this much from now on."""
        self.held.append(Held(cycle, west, north, output))
