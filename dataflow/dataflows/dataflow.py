"""What a dataflow answers: everything that search, cost, engines and reports ask of it, and no more.

A dataflow says how a tile lies on the array. It is told of tiles and arrays in counts that are Python integers or
arrays that broadcast (``Count``), so that one statement serves one tile in an event engine and all candidate tiles,
mappings and designs of a search. Cycles are of the array clock. Not its business: tile sizes, loop orders, buffers,
ports' widths, DRAM.

It is said for operand A in the west and C's rows along m; ``transposed`` says the same with the operands' roles
exchanged. ``bisparse.testing.dataflow_contract`` holds it to what is promised here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ...accel.specification import TensorEngine
from ...accel.tensor_engine import ArrayTiming, Count, Handover
from ...configs.arrays import BoolArray, FloatArray, IntArray
from ..gemm import Operand
from .tile import OTHER, ArrayTile, Sparsity, TileSums

Numbers: TypeAlias = Mapping[str, Count]
"""The numbers of an array mapping by name, see ``Dataflow.parameters``: of one mapping, or of many."""


class Sends(NamedTuple):
    """How often a tile's operands and sums pass the ports; counts broadcast.

    Attributes:
        west: times that the whole west operand is sent.
        north: times that the whole north operand is sent.
        sums: times that sums leave by the output port: once for each fold along k.
    """

    west: Count
    north: Count
    sums: Count


class Passed(NamedTuple):
    """What passed the ports in some time; counts broadcast.

    Attributes:
        west_bytes: of the west operand.
        north_bytes: of the north operand.
        output_bytes: of sums, out and back in.
        result_bytes: of finished sums, each counted once.
        tiles_along_k: into which each sum is cut.
    """

    west_bytes: Count
    north_bytes: Count
    output_bytes: Count
    result_bytes: Count
    tiles_along_k: Count


class Dataflow(ABC):
    """How a tile lies on the array.

    Attributes:
        name: one word in small letters, by which designs, options and schedules name it.
        title: for readers.
        parameters: names of the numbers that tell its array mappings apart, each at least 1. Of two mappings as good as
            each other the search takes the one with the smaller numbers, the first name first.
        west: the operand that enters from the west.
        lanes_wait: whether lanes of the north operand can wait for each other: what is sparse without a rule can be
            skipped there.
        shares_depth: whether sums leave at the foot of columns, so that groups of columns may take a share of k each,
            see ``shares``.
    """

    name: str
    title: str
    parameters: tuple[str, ...]
    west: Operand = "a"
    lanes_wait: bool = False
    shares_depth: bool = False

    # Where it may lie ------------------------------------------------------------------------------------------------

    def swaps(self, engine: TensorEngine) -> bool:
        """Whether an engine may also run it with the operands' roles exchanged, under the same name."""
        return False

    @abstractmethod
    def selects(self, engine: TensorEngine, compressed: Operand) -> bool:
        """Whether the PEs of an engine can select for this operand when it is compressed."""

    # Array mappings --------------------------------------------------------------------------------------------------

    def grid(self, depth: int) -> IntArray:
        """[P, A] every array mapping worth asking ``legal`` about, with registers of a depth.

        P numbers in the order of ``parameters``, mappings in rising order of these: each number from 1 to the depth.
        """
        found = list(product(range(1, depth + 1), repeat=len(self.parameters)))
        return np.array(found, dtype=np.int64).reshape(len(found), len(self.parameters)).T

    @abstractmethod
    def legal(self, array: ArrayTiming, sparsity: Sparsity, numbers: Numbers, *, interleave: bool) -> bool | BoolArray:
        """Whether the registers of an array hold a mapping, and it is worth trying.

        Args:
            array: one array, or many.
            sparsity: of the product.
            numbers: of one mapping, or of many.
            interleave: whether a PE may turn between accumulations; if not it works on one at a time.

        Returns:
            A truth, or truths of the shape that array and numbers broadcast to.
        """

    @abstractmethod
    def repeats(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> bool | BoolArray:
        """Whether a mapping, cut to what the tile offers, is one that stands already with smaller numbers."""

    def describe(self, numbers: Mapping[str, int]) -> str:
        """The numbers of one mapping, readable.

        Args:
            numbers: by name.
        """
        return ", ".join(f"{name.replace('_', ' ')} {numbers[name]}" for name in self.parameters)

    # What a tile takes -----------------------------------------------------------------------------------------------

    @abstractmethod
    def cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Count:
        """Cycles of a tile on the array, from the first operand in to the last sum out, no port in the way."""

    def handover(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Handover:
        """When a tile lets the next one into an array that overlaps tiles: once it has left, unless said otherwise."""
        return Handover(self.cycles(array, tile, numbers), 0, 0, 0, 0)

    @abstractmethod
    def issue_and_bubble_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count]:
        """Of a tile's cycles: those in which PEs issue, and those lost to the accumulate latency."""

    @abstractmethod
    def sends(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Sends:
        """How often its operands and sums pass the ports."""

    @abstractmethod
    def hop_bytes(self, array: ArrayTiming, passed: Passed) -> Count:
        """Bytes times the PEs that each passes on its way, for what passed the ports."""

    # What no mapping beats -------------------------------------------------------------------------------------------

    @abstractmethod
    def floor(self, sums: TileSums) -> FloatArray:
        """Cycles of all tiles that no mapping beats, no port in the way; at or below the exact, never above.

        Of every tiling, or of those that differ in it: it broadcasts as the sums do.
        """

    @abstractmethod
    def least_sends(self, sums: TileSums) -> tuple[Count, Count]:
        """The fewest sends of the west and of the north operand, summed over the tiles; they broadcast as the sums do.

        Sends of the west operand are summed over the tiles along n alone, of the north over those along m: times the
        bytes of the whole operand they are what passes the port.
        """

    def least_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Count:
        """Cycles from a tile's begin to the next one's at least, no port in the way."""
        return (
            (self.handover(array, tile, numbers).interval) if array.tile_overlap else self.cycles(array, tile, numbers)
        )

    # What follows ----------------------------------------------------------------------------------------------------

    @property
    def in_formulas(self) -> tuple[Any, bool] | None:
        """The dataflow whose plain formulas say this one, and whether with the operands' roles exchanged, if any."""
        return None

    @property
    def north(self) -> Operand:
        """The operand that enters from the north, or is loaded from there."""
        return OTHER[self.west]

    @cached_property
    def _swapped(self) -> Dataflow:
        return transposed(self, name=self.name, title=f"{self.title}, operands swapped")

    def lying(self, *, swapped: bool) -> Dataflow:
        """Itself, or with the operands' roles exchanged."""
        return self._swapped if swapped else self

    def named(self, values: IntArray) -> dict[str, IntArray]:
        """Values [P, ...] in the order of ``parameters`` by name; rows beyond these are somebody else's."""
        return dict(zip(self.parameters, values, strict=False))

    def legal_on_each(self, array: ArrayTiming, sparsity: Sparsity, values: IntArray, *, interleave: bool) -> BoolArray:
        """[K, A] which of the mappings [P, A] are legal on each of some arrays.

        Args:
            array: numbers for one array (K is 1), or counts [K, 1].
            sparsity: of the product.
            values: of the mappings, as ``grid`` gives them.
            interleave: as for ``legal``.
        """
        legal = self.legal(array, sparsity, self.named(values), interleave=interleave)
        shape = np.broadcast_shapes(np.shape(legal), np.shape(array.rows), (1, values.shape[1]))
        return np.broadcast_to(np.asarray(legal), shape)

    def mappings(self, array: ArrayTiming, sparsity: Sparsity, *, interleave: bool) -> IntArray:
        """[P, A] the mappings that are legal on an array, or on any of some; arguments as for ``legal_on_each``."""
        values = self.grid(int(np.max(array.register_depth)))
        return values[:, self.legal_on_each(array, sparsity, values, interleave=interleave).any(axis=0)]


class _Transposed(Dataflow):
    """A dataflow with the operands' roles exchanged."""

    def __init__(self, base: Dataflow, *, name: str, title: str) -> None:
        self.name, self.title = name, title
        self.parameters, self.west = base.parameters, base.north
        self.lanes_wait, self.shares_depth = base.lanes_wait, base.shares_depth
        self._base = base

    @property
    def in_formulas(self) -> tuple[Any, bool] | None:
        told = self._base.in_formulas
        return told and (told[0], not told[1])

    def swaps(self, engine: TensorEngine) -> bool:
        return self._base.swaps(engine)

    def selects(self, engine: TensorEngine, compressed: Operand) -> bool:
        return self._base.selects(engine, OTHER[compressed])

    def grid(self, depth: int) -> IntArray:
        return self._base.grid(depth)

    def legal(self, array: ArrayTiming, sparsity: Sparsity, numbers: Numbers, *, interleave: bool) -> bool | BoolArray:
        return self._base.legal(array, sparsity.exchanged, numbers, interleave=interleave)

    def repeats(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> bool | BoolArray:
        return self._base.repeats(array, tile.exchanged, numbers)

    def describe(self, numbers: Mapping[str, int]) -> str:
        return self._base.describe(numbers)

    def cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Count:
        return self._base.cycles(array, tile.exchanged, numbers)

    def handover(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Handover:
        return self._base.handover(array, tile.exchanged, numbers)

    def issue_and_bubble_cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Count, Count]:
        return self._base.issue_and_bubble_cycles(array, tile.exchanged, numbers)

    def sends(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Sends:
        return self._base.sends(array, tile.exchanged, numbers)

    def hop_bytes(self, array: ArrayTiming, passed: Passed) -> Count:
        return self._base.hop_bytes(array, passed)

    def floor(self, sums: TileSums) -> FloatArray:
        return self._base.floor(sums.exchanged)

    def least_sends(self, sums: TileSums) -> tuple[Count, Count]:
        return self._base.least_sends(sums.exchanged)


def transposed(dataflow: Dataflow, *, name: str, title: str) -> Dataflow:
    """A dataflow with the roles of the operands exchanged: what is said of A and m holds of B and n.

    The ports stay: what entered from the west is now the other operand, and still enters from the west.
    """
    return _Transposed(dataflow, name=name, title=title)
