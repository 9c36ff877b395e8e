"""The foot of an array whose k is split over groups of columns: sums travel east and are added, group after group.

Every column hands its finished sums to the foot, by one way or, where each PE has a wire of its own, by as many as it
has PEs. From each column of a group a lane leads to the same column of the next, with a register at every column in
between. There a sum meets the one of the same output, which waits for it if need be, enters an adder with it, and what
comes out hops on. Columns beyond those of the last group hold their sums back by as much.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from .specification import HazardError

Tag: TypeAlias = tuple[int, ...]
"""What tells a sum from all others of its column."""


Finished: TypeAlias = tuple[int, int, Tag, float]
"""A sum that a column has finished: the column, the way down it, what tells it from others, its value."""


class Sum(NamedTuple):
    """A sum at the foot.

    Attributes:
        column: where it is.
        way: by which it came down its column.
        tag: which sum of its column.
        value: so far.
        merged: sums of single columns that it was made of.
        left: hops until the next adder, or cycles until it leaves one.
    """

    column: int
    way: int
    tag: Tag
    value: float
    merged: int
    left: int


@dataclass(kw_only=True)
class SumChain:
    """The foot of an array.

    Attributes:
        groups: groups of columns that share k out.
        apart: columns from one group to the next.
        latency: stages of an adder.
    """

    groups: int
    apart: int
    latency: int
    _hopping: list[Sum] = field(default_factory=list)
    _adding: list[Sum] = field(default_factory=list)
    _waiting: dict[tuple[int, int], deque[Sum]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The first column of the last group."""
        return (self.groups - 1) * self.apart

    def cycle(self, finished: list[Finished]) -> list[Sum]:
        """One cycle; the sums that leave in it.

        Args:
            finished: what columns have finished in this cycle.

        Raises:
            HazardError: sums of different outputs met, or two were in one place.
        """
        hopping = [each._replace(column=each.column + 1, left=each.left - 1) for each in self._hopping]
        adding = [each._replace(left=each.left - 1) for each in self._adding]
        for column, way, tag, value in finished:
            own = Sum(column, way, tag, value, 1, self.apart)
            if column < self.apart:
                hopping.append(own)
            elif column >= self.last + self.apart:
                adding.append(own._replace(left=(self.groups - 1) * self.latency))
            else:
                self._waiting.setdefault((column, way), deque()).append(own)
        leaving = []
        for each in [each for each in adding if each.left == 0]:
            if each.column >= self.last:
                leaving.append(each)
            else:
                hopping.append(each._replace(left=self.apart))
        self._adding = [each for each in adding if each.left] + [self._met(each) for each in hopping if not each.left]
        self._hopping = [each for each in hopping if each.left]
        if len({(each.column, each.left, each.way) for each in self._hopping}) < len(self._hopping):
            raise HazardError("two sums were in one register of a lane")
        return leaving

    def _met(self, arrived: Sum) -> Sum:
        """A sum that has come to a later group, in the adder with the one that waits there."""
        waiting = self._waiting.get((arrived.column, arrived.way))
        if not waiting or waiting[0].tag != arrived.tag:
            raise HazardError("a sum found no other of its output at the foot of a column")
        own = waiting.popleft()
        total, merged = arrived.value + own.value, arrived.merged + own.merged
        return arrived._replace(value=total, merged=merged, left=self.latency)
