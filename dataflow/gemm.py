"""One matrix product as the mapper sees it: C[m, n] = A[m, k] B[k, n], and what it remembers of a convolution.

A convolution's patches are never stored: operand A is a ``Window`` over an image, so a tile of A is fetched as the
rows of the image under it. Kernel positions ("taps") are folded into one GEMM axis, channels innermost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from ..configs.arrays import Counts
from ..configs.operand_format import OperandFormat
from ..configs.pattern import DENSE
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
class Form:
    """How a product is brought to the array: what the scheduler decides before it is cut into tiles.

    Attributes:
        packed: repetitions that lie side by side in one product, see ``Gemm.pack``; 1 for one after another.
        expanded: whether a pruned operand gets its zeros back on its way into the buffer and is multiplied densely.
    """

    packed: int = 1
    expanded: bool = False

    def __str__(self) -> str:
        packed = f"{self.packed} packed" if self.packed > 1 else ""
        return ", ".join(filter(None, (packed, "multiplied densely" if self.expanded else "")))


PLAIN = Form()
"""One repetition after another, what is pruned as pairs."""


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
        compressed: the operand pruned along its channels on k, or None.
        pattern: that operand's format.
        reduced_on_load: the compressed operand lies dense in DRAM and passes the reduction engine on its way in.
        b_contiguous: the axis of B along which neighbours in memory lie. A's are its channels, C's lie along n.
        scattered_result: rows of C do not follow each other in memory: a phase of a strided convolution run backwards.
        result_spacing: positions in memory from a row of C to the next: above 1 in such a phase.
        result_piece: elements of a row of C that lie together, where a row lies in pieces; 0 where all of it does.
        result: what a finished element of C is kept as: a ``value`` in operand precision, or an FP32 ``sum``.
        on_chip: of A, B and C, those that stay on chip between works: an operand is not loaded from DRAM, a result not
            stored. Partial sums that spill still are.
        packable: its repetitions are groups of one convolution: they share positions, and lie side by side in memory.
        expanded: the pruned operand that is multiplied densely: its zeros are put back on its way into the buffer.
        packed: repetitions that lie side by side, see ``pack``; m, n, k and ``count`` are those of packs.
        spare: places of the last pack that no repetition takes: they take time and multiply zeros, and move nothing.
        applied: lane cycles for what is done to an element of A, and of B, on its way into the buffer.
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
    pattern: OperandFormat = DENSE
    reduced_on_load: bool = False
    b_contiguous: Literal["k", "n"] = "n"
    scattered_result: bool = False
    result_spacing: int = 1
    result_piece: int = 0
    result: Result = "value"
    on_chip: tuple[Place, ...] = ()
    packable: bool = False
    expanded: Operand | None = None
    packed: int = 1
    spare: int = 0
    applied: tuple[float, float] = (0.0, 0.0)

    # Forms -----------------------------------------------------------------------------------------------------------

    def pack(self, places: int) -> Gemm:
        """The same product, repetitions packed block-diagonally.

        Of those that share A's positions, A's columns stand side by side, and B's blocks on the diagonal of a matrix
        whose rest is zeros; of weight gradients A and B stand side by side, and C's blocks on the diagonal are what is
        asked for.

        Args:
            places: repetitions in a pack.

        >>> depthwise = Gemm(name="g", operator="g", stage=Stage.FORWARD, m=49, n=1, k=9, count=96, taps=9)
        >>> packed = depthwise.pack(32)
        >>> packed.m, packed.n, packed.k, packed.count, packed.issued_macs // depthwise.issued_macs
        (49, 32, 288, 3, 32)
        """
        packs = -(-self.count // places)
        sides = {axis: places * getattr(self, axis) for axis in self.block_axes}
        return replace(self, **sides, count=packs, packed=places, spare=packs * places - self.count)

    def expand(self) -> Gemm:
        """The same product, its pruned operand multiplied densely."""
        return replace(self, compressed=None, expanded=self.compressed)

    def formed(self, form: Form) -> Gemm:
        """A product as it is lowered, in a form."""
        packed = self.pack(form.packed) if form.packed > 1 else self
        return packed.expand() if form.expanded else packed

    @property
    def form(self) -> Form:
        """Its form."""
        return Form(packed=self.packed, expanded=self.expanded is not None)

    @property
    def as_lowered(self) -> Gemm:
        """The product that forms are made of: one repetition after another, the pruned operand compressed."""
        sides = {axis: getattr(self, axis) // self.packed for axis in self.block_axes}
        return replace(
            self, **sides, count=self.repetitions, packed=1, spare=0, compressed=self.pruned_operand, expanded=None
        )

    @property
    def block_axes(self) -> tuple[Axis, Axis]:
        """The axes along which a pack has the blocks of its repetitions."""
        return ("k", "n") if self.tap_axis == "k" else ("m", "n")

    @property
    def diagonal(self) -> Place | None:
        """The matrix that has its blocks on the diagonal: B, or C of weight gradients; None where nothing is packed."""
        if self.packed == 1:
            return None
        return "b" if self.tap_axis == "k" else "c"

    @property
    def pruned_operand(self) -> Operand | None:
        """The operand that is pruned, however it is multiplied."""
        return self.compressed or self.expanded

    @property
    def repetitions(self) -> int:
        """Times that the product runs, packed or not."""
        return self.count * self.packed - self.spare

    def own_part(self, moved: Counts) -> Counts:
        """Of what packs would move in DRAM, all places taken, the part of the repetitions that there are."""
        return part_of(moved, self.repetitions, self.count * self.packed)

    @property
    def results(self) -> int:
        """Elements of C asked for, over all repetitions."""
        blocks = self.packed if self.tap_axis == "k" else self.packed**2
        return self.repetitions * self.m * self.n // blocks

    @property
    def own_share(self) -> float:
        """Share of the multiply-accumulates issued that are no packed repetition's with another's operands."""
        return self.repetitions / (self.count * self.packed**2)

    # Sizes -----------------------------------------------------------------------------------------------------------

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
        """S: accumulations an output, those included in which a lane waits for others."""
        if self.compressed is None:
            return self.k
        return int(self.pattern.slots(*self._channels_and_taps))

    @property
    def _channels_and_taps(self) -> tuple[int, int]:
        channels = self.channels if self.tap_axis == "k" else self.k
        return channels, self.k // channels

    @property
    def kept_share(self) -> float:
        """Of the elements of the pruned operand those kept, on average; 1 when nothing is pruned."""
        if self.pruned_operand is None:
            return 1.0
        kept = int(self.pattern.kept_elements(*self._channels_and_taps))
        return kept / (self.k * self.pattern.kept_scale)

    @property
    def issued_macs(self) -> int:
        """Multiply-accumulates issued over all repetitions: of lanes that wait none."""
        results = self.count * self.m * self.n
        if self.compressed is None:
            return results * self.k
        kept = int(self.pattern.kept_elements(*self._channels_and_taps))
        return -(-results * kept // self.pattern.kept_scale)

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
            self.packable,
            self.expanded,
            self.packed,
            self.spare,
            self.applied,
        )


def part_of(moved: Counts, wanted: int, places: int) -> Counts:
    """Of what so many places move the part of those that are wanted.

    >>> part_of(100, 3, 4)
    75
    """
    return moved * wanted // places if wanted < places else moved
