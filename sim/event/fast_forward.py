"""Exact fast-forward: loops of tiles in a steady state are counted, not played.

An iteration of a loop is a function of the state in which the machine meets it and of the tiles in it. Away from a
loop's ends all iterations hold the same tiles, so once the machine begins one in a state in which it began an earlier
one, what came between repeats until the loop nears its end. Patient work (an update beside the tiles) may be under way
as long as it lasts: what it was served is the same in each repetition, so it is taken off, and the jump ends before the
work does. Found at every level of the loop nest. With and without it a step is the same, cycle for cycle; the tests
hold that.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple


class Snapshot(NamedTuple):
    """The machine as it begins an iteration.

    Attributes:
        state: all that the future depends on, relative to now.
        left: cycles that patient work under way still needs, server by server.
        counts: what has been counted so far, in a fixed order.
        now: the cycle.
    """

    state: Hashable
    left: tuple[int, ...]
    counts: tuple[int, ...]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """Repetitions that need not be played.

    Attributes:
        repetitions: of what came between two iterations.
        tiles: in all of them.
        cycles: of all of them.
        counts: to add, in the order of ``Snapshot.counts``.
        served: patient work of all of them, server by server.
    """

    repetitions: int
    tiles: int
    cycles: int
    counts: tuple[int, ...]
    served: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class _Level:
    """One loop: tiles of an iteration, turns, and what was seen of the pass through it that is under way.

    ``fulls`` of the turns are over full tiles, the rest over short ones.
    """

    stride: int
    turns: int
    fulls: int
    outer: int = -1
    seen: dict[Hashable, tuple[int, Snapshot]] = field(default_factory=dict)


class FastForward:
    """Watches one product's loops.

    Args:
        runs: turns of each loop, outermost first: over full tiles, and over short ones after them.
        reach: tiles before and after the present one that DMA may be busy with.
    """

    def __init__(self, runs: Sequence[tuple[int, int]], reach: int) -> None:
        self._reach = reach
        self._levels: list[_Level] = []
        stride = 1
        for fulls, shorts in reversed(runs):
            turns = fulls + shorts
            if turns > 1:
                self._levels.insert(0, _Level(stride=stride, turns=turns, fulls=fulls))
            stride *= turns

    def begins_iteration(self, index: int) -> bool:
        """Whether a jump could start at this tile; only then is a snapshot worth taking."""
        return any(self._interior(level, index) > 0 for level in self._levels)

    def jump(self, index: int, snapshot: Snapshot) -> Jump | None:
        """What can be skipped at this tile, at the outermost loop where anything can."""
        for level in self._levels:
            left = self._interior(level, index)
            if left <= 0:
                continue
            outer, turn = divmod(index // level.stride, level.turns)
            if outer != level.outer:
                level.outer = outer
                level.seen.clear()
            earlier = level.seen.get((turn < level.fulls, snapshot.state))
            level.seen[turn < level.fulls, snapshot.state] = (turn, snapshot)
            if earlier is not None:
                found = _repeat(earlier[1], snapshot, turn - earlier[0], left, level.stride)
                if found is not None:
                    level.seen.clear()
                    return found
        return None

    def _interior(self, level: _Level, index: int) -> int:
        """Iterations from this tile on that look alike, with all that DMA is busy with around them; 0 at the edges.

        The first iteration loads what the loop outside changed; the last is followed by what it changes next.
        """
        if index % level.stride:
            return 0
        turn = index // level.stride % level.turns
        around = -(-self._reach // level.stride)
        # Full iterations among full ones, short ones among short ones.
        begin, end = (0, level.fulls) if turn < level.fulls else (level.fulls, level.turns)
        return min(end, level.turns - 1) - around - turn if turn > begin + around else 0


def _repeat(earlier: Snapshot, now: Snapshot, period: int, left: int, stride: int) -> Jump | None:
    """As often as what came between fits into the iterations left, and patient work outlasts it."""
    served = tuple(before - after for before, after in zip(earlier.left, now.left, strict=True))
    if any(each < 0 for each in served):
        return None
    repetitions = left // period
    for each, remaining in zip(served, now.left, strict=True):
        if each:
            repetitions = min(repetitions, (remaining - 1) // each)
    if repetitions < 1:
        return None
    return Jump(
        repetitions=repetitions,
        tiles=repetitions * period * stride,
        cycles=repetitions * (now.now - earlier.now),
        # Tiles of a new kind may have joined since; they are counted from nothing.
        counts=tuple(
            repetitions * (after - before) for before, after in zip_longest(earlier.counts, now.counts, fillvalue=0)
        ),
        served=tuple(repetitions * each for each in served),
    )
