"""One matrix product as the mapper sees it: C[m, n] = A[m, k] B[k, n], and what it remembers of a convolution.

A convolution's patches are never stored: operand A is a ``Window`` over an image, so a tile of A is fetched as the
rows of the image under it. Kernel positions ("taps") are folded into one GEMM axis, channels innermost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..configs.pattern import DENSE, Pattern
from ..training.graph import Stage

Axis = Literal["m", "n", "k"]
Operand = Literal["a", "b"]
Result = Literal["value", "sum"]
Place = Literal["a", "b", "c"]

AXES: tuple[Axis, ...] = ("m", "n", "k")
PLACES: tuple[Place, ...] = ("a", "b", "c")

SUM_BYTES = 4
"""Bytes of a partial sum, and of a finished one that is kept whole."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """A product to be mapped. Equal products (all fields but the three names) share one mapping.

    Attributes:
        name: unique, such as ``layer1.0.conv1:BP[1,0]``.
        operator: the graph operator that it belongs to.
        stage: of that operator.
        m: rows of A and C.
        n: columns of B and C.
        k: columns of A, rows of B.
        count: times that it runs, on different operands (groups, attention heads).
        taps: kernel positions folded into ``tap_axis``; that axis is taps x channels.
        tap_axis: ``k`` in FF and BP, ``m`` in WU.
        window: where A's positions come from; they lie along m when ``tap_axis`` is k, along k when it is m. None
            when A is a plain matrix.
        compressed: the operand pruned N:M along its channels on k, or None.
        pattern: that operand's pattern.
        reduced_on_load: the compressed operand lies dense in DRAM and passes the reduction engine on its way in.
        b_contiguous: the axis of B along which neighbours in memory lie. A's are its channels, C's lie along n.
        scattered_result: rows of C do not follow each other in memory: a phase of a strided convolution run backwards.
        result_spacing: positions in memory from a row of C to the next: above 1 in such a phase.
        result_piece: elements of a row of C that lie together, where a row lies in pieces; 0 where all of it does.
        result: what a finished element of C is kept as: a ``value`` in operand precision, or an FP32 ``sum``.
        on_chip: of A, B and C, those that stay on chip between works: an operand is not loaded from DRAM, a result not
            stored. Partial sums that spill still are.
    """

    name: str
    operator: str
    stage: Stage
    m: int
    n: int
    k: int
    count: int = 1
    taps: int = 1
    tap_axis: Literal["k", "m"] = "k"
    window: Window | None = None
    compressed: Operand | None = None
    pattern: Pattern = DENSE
    reduced_on_load: bool = False
    b_contiguous: Literal["k", "n"] = "n"
    scattered_result: bool = False
    result_spacing: int = 1
    result_piece: int = 0
    result: Result = "value"
    on_chip: tuple[Place, ...] = ()

    @property
    def position_axis(self) -> Literal["m", "k"]:
        """The axis of A that counts output positions."""
        return "m" if self.tap_axis == "k" else "k"

    @property
    def channels(self) -> int:
        """Channels along the tap axis."""
        return (self.k if self.tap_axis == "k" else self.m) // self.taps

    @property
    def slots(self) -> int:
        """S: accumulations an output."""
        if self.compressed is None:
            return self.k
        channels = self.channels if self.tap_axis == "k" else self.k
        return self.k // channels * self.pattern.kept_of(channels)

    @property
    def issued_macs(self) -> int:
        """Multiply-accumulates issued over all repetitions."""
        return self.count * self.m * self.n * self.slots

    def result_bytes(self, value_bytes: int) -> int:
        """Bytes of a finished element of C."""
        return SUM_BYTES if self.result == "sum" else value_bytes

    @property
    def shape_key(self) -> tuple[object, ...]:
        """All that a mapping depends on: products with equal keys share one."""
        return (
            self.m,
            self.n,
            self.k,
            self.count,
            self.taps,
            self.tap_axis,
            self.window,
            self.compressed,
            self.pattern,
            self.reduced_on_load,
            self.b_contiguous,
            self.scattered_result,
            self.result_spacing,
            self.result_piece,
            self.result,
            self.on_chip,
        )
