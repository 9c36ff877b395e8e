"""A timeline reduced to what a picture shows: the step cut into equal parts, and what everybody did in each.

A stretch is spread evenly over the parts that it reaches into; repetitions that were counted bring their own shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...accel.specification import SIDES
from ...dataflow.cycle_causes import CYCLE_CAUSES
from ..results.step_profile import OperatorSpan, Profile
from .recorder import PRODUCTS, TENSOR, VECTOR_WORK, Held, Recorder, Span

PARTS = 240
"""Parts that a step is cut into, if it has as many cycles."""

DRAM = "DRAM"
"""All channels together."""

_CHANNEL = "channel"
"""How the names of channels begin."""

_DIGITS = 4
"""Decimal places of a share."""


def profile(recorder: Recorder, *, total_cycles: int, dram_channels: int) -> Profile:
    """What a recorder collected, as shares of each part of the step.

    Args:
        recorder: of the step.
        total_cycles: of the step.
        dram_channels: of the design; one server may stand for all of them.
    """
    parts = _Parts(total_cycles)
    channels = {span.track for span in recorder.spans if span.track.startswith(_CHANNEL)}
    operators = []
    for span in recorder.spans:
        if span.track in (PRODUCTS, VECTOR_WORK):
            operators.append(OperatorSpan(span.label, span.detail, span.start_cycle, span.end_cycle))
            continue
        parts.move(span)
        for name, cycles in _cycles(span):
            if name in channels:
                parts.add(DRAM, span, cycles / len(channels))
            else:
                parts.add(name, span, cycles)
    shares = {name: parts.shares(name) for name in parts.cycles}
    return Profile(
        parts=parts.count,
        dram_channels=dram_channels,
        tensor={cause: shares[cause] for cause in CYCLE_CAUSES if any(shares.get(cause, ()))},
        engines={name: shares[name] for name in sorted(shares) if name not in CYCLE_CAUSES and any(shares[name])},
        moved_bytes=tuple(map(round, parts.moved)),
        held_bytes={side: parts.largest([(held.cycle, _held(held, side)) for held in recorder.held]) for side in SIDES},
        operators=tuple(sorted(operators, key=lambda operator: operator.start_cycle)),
    )


def _cycles(span: Span) -> Iterator[tuple[str, int]]:
    """Whose cycles a stretch is made of."""
    if span.kind == "wait":
        yield span.detail, span.end_cycle - span.start_cycle
    elif span.track == TENSOR:
        yield from span.shares.items()
    else:
        yield span.track, span.end_cycle - span.start_cycle


def _held(held: Held, side: str) -> int:
    return int(getattr(held, f"{side}_bytes"))


class _Parts:
    """Equal parts of a step, filled stretch by stretch."""

    def __init__(self, total_cycles: int) -> None:
        self.count = max(1, min(PARTS, total_cycles))
        self.length = total_cycles / self.count
        self.cycles: dict[str, list[float]] = {}
        self.moved = [0.0] * self.count

    def add(self, name: str, span: Span, cycles: float) -> None:
        """Spread somebody's cycles over a stretch."""
        row = self.cycles.setdefault(name, [0.0] * self.count)
        for part, share in self._reach(span):
            row[part] += share * cycles

    def move(self, span: Span) -> None:
        """Spread the bytes that a stretch moves."""
        if span.moved_bytes:
            for part, share in self._reach(span):
                self.moved[part] += share * span.moved_bytes

    def shares(self, name: str) -> tuple[float, ...]:
        """Somebody's cycles as shares of each part."""
        return tuple(round(cycles / self.length, _DIGITS) for cycles in self.cycles[name])

    def largest(self, levels: Sequence[tuple[int, int]]) -> tuple[int, ...]:
        """The largest of a level in each part; it holds from the moment given until the next."""
        row = [0] * self.count
        level, reached = 0, 0
        for cycle, value in levels:
            part = self._part(cycle)
            for between in range(reached, part + 1):
                row[between] = max(row[between], level)
            level, reached = value, part
            row[part] = max(row[part], value)
        for between in range(reached, self.count):
            row[between] = max(row[between], level)
        return tuple(row)

    def _part(self, cycle: float) -> int:
        return min(int(cycle / self.length), self.count - 1)

    def _reach(self, span: Span) -> Iterator[tuple[int, float]]:
        """The parts that a stretch reaches into, with the share of it in each."""
        start, end = span.start_cycle, span.end_cycle
        first, last = self._part(start), self._part(end)
        if first == last or end == start:
            yield first, 1.0
            return
        for part in range(first, last + 1):
            inside = min(end, (part + 1) * self.length) - max(start, part * self.length)
            if inside > 0:
                yield part, inside / (end - start)
