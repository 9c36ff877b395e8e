"""Operand links: skew registers at the edge of the array, and registers that hand operands from PE to PE."""

from __future__ import annotations

import numpy as np

from ....configs.arrays import FloatArray, IntArray


class SkewLine:
    """A shift register with a tap for every lane: lane i sees what entered ``i * delay`` cycles ago.

    Args:
        lanes: taps.
        delay: registers from one tap to the next.
        idle: what the registers hold before anything entered.
    """

    def __init__(self, lanes: int, delay: int, idle: int) -> None:
        self._line = np.full((lanes - 1) * delay + 1, idle, dtype=np.int64)
        self._delay = delay

    def push(self, entry: int) -> IntArray:
        """Shift ``entry`` in; return what every lane sees, [lanes]."""
        self._line[1:] = self._line[:-1]
        self._line[0] = entry
        return self._line[:: self._delay]


class OperandLink:
    """Lanes of registers along which steps and their operands travel away from one edge.

    Args:
        feed: what the edge of each lane sends with each step, [steps + 1, lanes, width].
        hops: PEs along a lane.
        delay: cycles from one lane's start to the next.
    """

    def __init__(self, feed: FloatArray, hops: int, delay: int) -> None:
        steps, lanes, width = feed.shape
        self._feed = feed
        self._lane = np.arange(lanes)
        self._skew = SkewLine(lanes, delay, steps - 1)
        self.step = np.full((lanes, hops), steps - 1)
        self.operand = np.zeros((lanes, hops, width))

    def advance(self, step: int) -> None:
        """One cycle: everything moves one hop, and the edge sends ``step`` into the first lane."""
        at_edge = self._skew.push(step)
        self.step[:, 1:] = self.step[:, :-1]
        self.step[:, 0] = at_edge
        self.operand[:, 1:] = self.operand[:, :-1]
        self.operand[:, 0] = self._feed[at_edge, self._lane]


def values_in(feed: FloatArray, *, pairs: bool) -> int:
    """Values other than zero in what an edge sends [..., width]: group vectors, or pairs of value and index."""
    return int(np.count_nonzero(feed[..., 0] if pairs else feed))
