"""What a convolution's operand A is of: the image that a window slides over, axis by axis."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialAxis:
    """One spatial axis under a window.

    Attributes:
        positions: output positions along it.
        inputs: positions of the image along it.
        stride: input positions between neighbouring output positions.
        reach: input positions that one output position reads.
    """

    positions: int
    inputs: int
    stride: int
    reach: int

    def reached(self, positions: int) -> int:
        """Input positions under so many neighbouring output positions; padding is not fetched.

        >>> [SpatialAxis(positions=8, inputs=8, stride=1, reach=3).reached(count) for count in (1, 4, 8)]
        [3, 6, 8]
        """
        return min(self.inputs, (positions - 1) * self.stride + self.reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How the rows of A come out of images.

    Attributes:
        images: images in the batch.
        axes: spatial axes of an image, outermost first; positions along the last are neighbours in memory.
    """

    images: int
    axes: tuple[SpatialAxis, ...]

    @property
    def image_positions(self) -> int:
        """Output positions of an image."""
        return math.prod(axis.positions for axis in self.axes)

    @property
    def image_inputs(self) -> int:
        """Positions of an image read."""
        return math.prod(axis.inputs for axis in self.axes)
