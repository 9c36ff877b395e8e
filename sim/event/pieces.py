"""The tiles along an axis of output positions, listed: which images, and which stretch of each spatial axis.

The witness for ``dataflow.tiling``: plain integers, one tile after another, sorted into the order in which they are
walked. Source: docs/hardware-model.md, "Memory".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from ...dataflow.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some whole images, or a stretch of one.

    Attributes:
        image: the first.
        images: how many.
        begin: first position along each spatial axis.
        count: positions along each.
    """

    image: int
    images: int
    begin: tuple[int, ...]
    count: tuple[int, ...]

    @property
    def size(self) -> int:
        """Output positions in it."""
        return self.images * math.prod(self.count)

    def start(self, window: Window) -> int:
        """Number of its first output position, over all images."""
        number = self.image
        for axis, first in zip(window.axes, self.begin, strict=True):
            number = number * axis.positions + first
        return number

    def cut(self, window: Window) -> int:
        """The axis along which it is a stretch, with one position of each axis outside and all of each inside."""
        return max((at for at, axis in enumerate(window.axes) if self.count[at] < axis.positions), default=0)

    def reached(self, window: Window) -> tuple[int, ...]:
        """Input positions fetched along each spatial axis: inside the one that is cut all."""
        cut = self.cut(window)
        return tuple(
            axis.inputs if at > cut else min(axis.inputs, (count - 1) * axis.stride + axis.reach)
            for at, (axis, count) in enumerate(zip(window.axes, self.count, strict=True))
        )

    def run(self, window: Window) -> int:
        """Input positions of it that lie together."""
        return math.prod(self.reached(window)[self.cut(window) :])

    def pitch(self, window: Window) -> int:
        """Input positions from one run to the next."""
        return math.prod(axis.inputs for axis in window.axes[self.cut(window) :])


def pieces(window: Window, size: int) -> list[Piece]:
    """The tiles of so many output positions each, in the order in which they are walked: short ones last.

    Raises:
        ValueError: no images, and no stretch of one, have as many positions.
    """
    extents = [axis.positions for axis in window.axes]
    whole = math.prod(extents)
    if size % whole == 0:
        step = size // whole
        return [
            Piece(
                image=first,
                images=min(step, window.images - first),
                begin=(0,) * len(extents),
                count=tuple(extents),
            )
            for first in range(0, window.images, step)
        ]
    for at, extent in enumerate(extents):
        inside = math.prod(extents[at + 1 :])
        if inside <= size < inside * extent and size % inside == 0:
            step = size // inside
            break
    else:
        raise ValueError(f"tile: got {size} positions, need some of one axis of {extents}, or whole images")
    outside = [range(extent) for extent in extents[:at]]
    found = [
        Piece(
            image=image,
            images=1,
            begin=(*place, first, *(0 for _ in extents[at + 1 :])),
            count=(*(1 for _ in place), min(step, extents[at] - first), *extents[at + 1 :]),
        )
        for image in range(window.images)
        for place in product(*outside)
        for first in range(0, extents[at], step)
    ]
    return sorted(found, key=lambda piece: piece.size != size)
