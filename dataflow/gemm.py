"""One matrix product as the mapper sees it: C[m, n] = A[m, k] B[k, n], and what it remembers of a convolution.

A convolution's patches are never stored: operand A is a ``Window`` over an image, so a tile of A is fetched as the
rows of the image under it. Kernel positions ("taps") are folded into one GEMM axis, channels innermost.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Literal

import numpy.typing as npt

from ..configs.arrays import Counts
from ..configs.operand_format import OperandFormat
from ..configs.pattern import DENSE
from ..training.graph import Stage
from .window import Window

Axis = Literal["m", "n", "k"]
Operand = Literal["a", "b"]
Operands = Literal["", "a", "b", "ab"]
Result = Literal["value", "sum"]
Place = Literal["a", "b", "c"]
Beside = Literal["m", "n"]

AXES: tuple[Axis, ...] = ("m", "n", "k")
OPERANDS: tuple[Operand, ...] = ("a", "b")
PLACES: tuple[Place, ...] = ("a", "b", "c")

SUM_BYTES = 4
"""Bytes of a partial sum, and of a finished one that is kept whole."""


def those(a: bool, b: bool) -> Operands:
    """Which of the operands it is true of.

    >>> those(False, True)
    'b'
    """
    return ("ab" if b else "a") if a else "b" if b else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a product is brought to the array: what the scheduler decides before it is cut into tiles.

    Attributes:
        packed: repetitions that lie side by side in one product, see ``Gemm.pack``; 1 for one after another.
        expanded: whether sparse operands get their zeros back on their way into the buffer and are multiplied densely.
        alone: of two sparse operands the only one that keeps its zeros out; the other is expanded. None for both.
        split: shares of k that groups of columns take side by side, see ``shares``; 1 where no column has a share.
        beside: the axis of C whose columns stand there so many times, where k is split.
        along: the axis of C that several arrays share out, where a design has such, see ``shares``.
    """

    packed: int = 1
    expanded: bool = False
    alone: Operand | None = None
    split: int = 1
    beside: Beside = "n"
    along: Beside = "m"

    def __str__(self) -> str:
        packed = f"{self.packed} packed" if self.packed > 1 else ""
        split = f"k split over {self.split} groups of columns" if self.split > 1 else ""
        sparse = "multiplied densely" if self.expanded else f"{self.alone.upper()} alone sparse" if self.alone else ""
        shared = "arrays side by side along n" if self.along == "n" else ""
        return ", ".join(filter(None, (packed, split, shared, sparse)))


PLAIN = Form()
"""One repetition after another, what is sparse as pairs."""


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
        a: the format of operand A along its channels on k.
        b: that of B.
        expanded: sparse operands that are multiplied densely: their zeros are put back on the way into the buffer.
        reduced_on_load: the operand that lies dense in DRAM and is pruned on its way in, by the reduction engine.
        encoded_on_load: operands that lie dense in DRAM, whose zeros are left out on their way in; they are not when
            it is expanded.
        b_contiguous: the axis of B along which neighbours in memory lie. A's are its channels, C's lie along n.
        scattered_result: rows of C do not follow each other in memory: a phase of a strided convolution run backwards.
        result_spacing: positions in memory from a row of C to the next: above 1 in such a phase.
        result_piece: elements of a row of C that lie together, where a row lies in pieces; 0 where all of it does.
        result: what a finished element of C is kept as: a ``value`` in operand precision, or an FP32 ``sum``.
        on_chip: of A, B and C, those that stay on chip between works: an operand is not loaded from DRAM, a result not
            stored. Partial sums that spill still are.
        packable: its repetitions are groups of one convolution: they share positions, and lie side by side in memory.
        packed: repetitions that lie side by side, see ``pack``; m, n, k and ``count`` are those of packs.
        split: groups of columns that share k out, see ``Form``.
        beside: the axis of C that lies along them.
        units: arrays that share every tile out, see ``shares``.
        along: the axis of C that they share out.
        tap_rows: rows that stationary values of one kernel position fill up; 1 where positions follow each other.
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
    a: OperandFormat = DENSE
    b: OperandFormat = DENSE
    expanded: Operands = ""
    reduced_on_load: Operand | None = None
    encoded_on_load: Operands = ""
    b_contiguous: Literal["k", "n"] = "n"
    scattered_result: bool = False
    result_spacing: int = 1
    result_piece: int = 0
    result: Result = "value"
    on_chip: tuple[Place, ...] = ()
    packable: bool = False
    packed: int = 1
    split: int = 1
    beside: Beside = "n"
    units: int = 1
    along: Beside = "m"
    tap_rows: int = 1
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

    def expand(self, operands: Operands = "ab") -> Gemm:
        """The same product, its sparse operands, or some, multiplied densely."""
        sparse = self.sparse
        return replace(self, expanded=those("a" in operands and "a" in sparse, "b" in operands and "b" in sparse))

    def formed(self, form: Form) -> Gemm:
        """A product as it is lowered, in a form."""
        packed = self.pack(form.packed) if form.packed > 1 else self
        if (packed.split, packed.beside, packed.along) != (form.split, form.beside, form.along):
            packed = replace(packed, split=form.split, beside=form.beside, along=form.along)
        if form.alone is not None:
            return packed.expand("b" if form.alone == "a" else "a")
        return packed.expand() if form.expanded else packed

    def pick(self, chosen: npt.NDArray[Any] | slice) -> Gemm:
        """The product of some candidates: itself, see ``gemm_batch``."""
        return self

    def to_meet(self, axes: int) -> Gemm:
        """The product with sizes that meet arrays of more axes: itself."""
        return self

    @property
    def form(self) -> Form:
        """Its form."""
        alone: Operand | None = None
        if self.sparse == "ab" and len(self.expanded) == 1:
            alone = "b" if self.expanded == "a" else "a"
        expanded = bool(self.expanded) and alone is None
        alike = Form(packed=self.packed, expanded=expanded, alone=alone, split=self.split, beside=self.beside)
        return replace(alike, along=self.along)

    @property
    def as_lowered(self) -> Gemm:
        """The product that forms are made of: one repetition after another, sparse operands compressed."""
        sides = {axis: getattr(self, axis) // self.packed for axis in self.block_axes}
        plain = replace(self, packed=1, split=1, beside="n", along="m", spare=0, expanded="")
        return replace(plain, **sides, count=self.repetitions)

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

    # Sparse operands -------------------------------------------------------------------------------------------------

    def format_of(self, operand: Operand) -> OperandFormat:
        """The format of an operand."""
        return self.a if operand == "a" else self.b

    @property
    def sparse(self) -> Operands:
        """Operands that are not dense, however they are multiplied."""
        return those(not self.a.is_dense, not self.b.is_dense)

    @property
    def compressed(self) -> Operands:
        """Operands that the array takes as pairs."""
        expanded = self.expanded
        return those("a" not in expanded and not self.a.is_dense, "b" not in expanded and not self.b.is_dense)

    def in_pairs(self, operand: Operand) -> bool:
        """Whether an operand lies in memory as pairs of value and index."""
        return operand in self.sparse and operand != self.reduced_on_load and operand not in self.encoded_on_load

    @property
    def pattern(self) -> OperandFormat:
        """The format of the operand that is sparse; of B where both are."""
        return self.a if self.b.is_dense else self.b

    @property
    def is_irregular(self) -> bool:
        """Whether an operand that the array takes as pairs has groups that keep different numbers of elements."""
        return any(self.format_of(each).is_irregular for each in OPERANDS if each in self.compressed)

    def slots_along(self, channels: Counts, taps: Counts) -> Counts:
        """S of so many channels at so many kernel positions along k."""
        match self.compressed:
            case "":
                return channels * taps
            case "ab":
                return self.b.slots_beside(self.a, channels, taps)
            case "a":
                return self.a.slots(channels, taps)
            case _:
                return self.b.slots(channels, taps)

    def groups_along(self, channels: Counts, taps: Counts) -> Counts:
        """Groups of the same; elements by themselves where nothing is taken as pairs."""
        return self.pattern_taken.groups(channels, taps) if self.compressed else channels * taps

    @property
    def pattern_taken(self) -> OperandFormat:
        """The format of the operand that the array takes as pairs; of B where it takes both."""
        return self.b if "b" in self.compressed else self.a if self.compressed else DENSE

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
        return int(self.slots_along(*self.channels_and_taps))

    @property
    def channels_and_taps(self) -> tuple[int, int]:
        """Channels along k at a kernel position, and kernel positions along k."""
        channels = self.channels if self.tap_axis == "k" else self.k
        return channels, self.k // channels

    def kept_of(self, operand: Operand) -> float:
        """Of the elements of an operand those kept, on average; 1 when it is dense."""
        kept, scale = self._kept(operand)
        return kept / (self.k * scale)

    @property
    def kept_share(self) -> float:
        """Of the multiply-accumulates those of which both operands are kept, on average; 1 when nothing is sparse."""
        return self.kept_of("a") * self.kept_of("b")

    def _kept(self, operand: Operand) -> tuple[int, int]:
        """Elements kept along k, times a scale, and the scale."""
        kept = self.format_of(operand)
        return int(kept.kept_elements(*self.channels_and_taps)), kept.kept_scale

    @property
    def issued_macs(self) -> int:
        """Multiply-accumulates issued over all repetitions: of lanes that wait none."""
        results = self.count * self.m * self.n
        # Zeros of the two operands lie independently of each other.
        kept, of = self.k, 1
        for operand in self.compressed:
            own, scale = self._kept("a" if operand == "a" else "b")
            kept, of = kept * own, of * scale * self.k
        return -(-results * kept // of)

    @property
    def choices(self) -> int:
        """Choices of one word of two by which PEs pick operands out of groups: M - 1 for each that they pick.

        A compressed operand has the other one picked out of its groups; of two each is.
        """
        of_each = sum(self.format_of("a" if operand == "a" else "b").selected_from - 1 for operand in self.compressed)
        return self.issued_macs * of_each

    def result_bytes(self, value_bytes: int) -> int:
        """Bytes of a finished element of C."""
        return SUM_BYTES if self.result == "sum" else value_bytes

    @property
    def shape_key(self) -> tuple[object, ...]:
        """All that a mapping depends on: products with equal keys share one."""
        shape: tuple[object, ...] = _shape_of(self)
        return shape


_shape_of = attrgetter(*(each.name for each in fields(Gemm) if each.name not in ("name", "operator", "stage")))


def part_of(moved: Counts, wanted: int, places: int) -> Counts:
    """Of what so many places move the part of those that are wanted.

    >>> part_of(100, 3, 4)
    75
    """
    return moved * wanted // places if wanted < places else moved
