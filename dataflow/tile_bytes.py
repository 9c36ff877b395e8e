"""What the tiles of a product hold and move: sizes and bytes of each candidate tile size.

Arrays have a candidate axis [J] first, then one axis for each GEMM axis that matters: position 0 is a full tile, 1
the last one. Along k there are three: the first tile (no partial sums to read), those between, the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..accel.dram import DramTiming
from ..accel.tensor_engine import Count
from ..configs.arrays import BoolArray, Counts, IntArray
from .block_formulas import kept_of_window, on_diagonal, window_elements
from .design_view import DesignView
from .formats.stored import Stored, stored_bytes
from .gemm import OPERANDS, SUM_BYTES, Axis, Gemm, Operand, Place
from .paired import by_pair
from .tiling import AxisTiles

FIRST_MIDDLE_LAST = [0, 0, 1]
"""Of a full tile and a last one along k, those that are the first, in the middle and the last."""


@dataclass(frozen=True, kw_only=True)
class TileBytes:
    """Candidate tiles of one product on one design, or on a design each.

    Attributes:
        gemm: the product, or one a candidate, see ``gemm_batch``.
        design: what is to be known of the design.
        m: tile sizes along m, [J] candidates.
        n: the same along n.
        k: the same along k.
        resident: which of A, B and C stay on chip, candidate by candidate, [J] each; as the product says when None.
        pairs: grids of the pairs of sizes that A, B and C depend on, and which pair each candidate has, [J]; see
            ``tile_pairs``.
    """

    gemm: Gemm
    design: DesignView
    m: AxisTiles
    n: AxisTiles
    k: AxisTiles
    resident: Mapping[Place, BoolArray] | None = None
    pairs: Mapping[Place, tuple[Any, IntArray]] | None = None

    def __len__(self) -> int:
        return len(self.m)

    @cached_property
    def by_block(self) -> Gemm:
        """The product with its sizes shaped to meet those of blocks, [J, 2, 2] and the like."""
        return self.gemm.to_meet(2)

    @property
    def trips(self) -> dict[Axis, IntArray]:
        """[J] tiles along each axis."""
        return {"m": self.m.trips, "n": self.n.trips, "k": self.k.trips}

    @cached_property
    def size_m(self) -> IntArray:
        """[J, 2] rows of C."""
        return self.m.size

    @cached_property
    def size_n(self) -> IntArray:
        """[J, 2] columns of C."""
        return self.n.size

    @cached_property
    def size_k(self) -> IntArray:
        """[J, 3] depth."""
        return self.k.size[:, FIRST_MIDDLE_LAST]

    @cached_property
    def count_k(self) -> IntArray:
        """[J, 3] tiles of each kind along k."""
        first = np.ones_like(self.k.trips)
        lasts = np.where(self.k.trips > 1, self.k.lasts, 0)
        return np.stack([first, self.k.trips - 1 - lasts, lasts], axis=1)

    @cached_property
    def counts(self) -> IntArray:
        """[J, 2, 2, 3] tiles of each kind (m, n, k)."""
        m, n, k = (self._block_counts[axis] for axis in "mnk")
        return m[:, :, None, None] * n[:, None, :, None] * k[:, None, None, :]

    @cached_property
    def _block_counts(self) -> dict[str, IntArray]:
        """Tiles of each kind along one axis: [J, 2], [J, 3] along k."""
        return {
            "m": np.stack([self.m.fulls, self.m.lasts], axis=1),
            "n": np.stack([self.n.fulls, self.n.lasts], axis=1),
            "k": self.count_k,
        }

    @property
    def slots(self) -> IntArray:
        """[J, 3] accumulations an output of a tile."""
        if not self.gemm.compressed:
            return self.size_k
        taps, channels = self._k_taps_and_channels
        return np.asarray(self.gemm.slots_along(channels, taps))

    @property
    def balanced_slots(self) -> IntArray:
        """[J, 3] the same if all lanes kept equally many."""
        gemm = self.gemm
        if not gemm.compressed:
            return self.size_k
        if gemm.compressed == "ab":
            # Zeros of the two operands lie independently of each other.
            of_a, of_b = (self.kept_k(each) / gemm.format_of(each).kept_scale for each in OPERANDS)
            both = np.ceil(of_a * of_b / self.size_k - 1e-9).astype(np.int64)
            return np.asarray(slots_of_balanced(self.slots, both, 1))
        operand: Operand = "a" if gemm.compressed == "a" else "b"
        return np.asarray(slots_of_balanced(self.slots, self.kept_k(operand), gemm.format_of(operand).kept_scale))

    @cached_property
    def kept_a(self) -> IntArray:
        """[J, 3] of the depth of a tile, what A keeps, times its format's ``kept_scale``; all of it when dense."""
        return self._kept_of("a")

    @cached_property
    def kept_b(self) -> IntArray:
        """[J, 3] the same of B."""
        return self._kept_of("b")

    def kept_k(self, operand: Operand) -> IntArray:
        """[J, 3] the same of either."""
        return self.kept_a if operand == "a" else self.kept_b

    def _kept_of(self, operand: Operand) -> IntArray:
        if operand not in self.gemm.sparse:
            return self.size_k
        taps, channels = self._k_taps_and_channels
        return np.asarray(self.gemm.format_of(operand).kept_elements(channels, taps))

    @cached_property
    def groups(self) -> IntArray:
        """[J, 3] groups of M along k; k itself when dense."""
        if not self.gemm.compressed:
            return self.size_k
        taps, channels = self._k_taps_and_channels
        return np.asarray(self.gemm.groups_along(channels, taps))

    @property
    def _k_taps_and_channels(self) -> tuple[Count, IntArray]:
        taps = self.gemm.to_meet(1).taps if self.gemm.tap_axis == "k" else 1
        return taps, self.size_k // taps

    # Bytes -----------------------------------------------------------------------------------------------------------

    @property
    def value_bytes(self) -> int:
        """Bytes of an operand value."""
        return self.design.value_bytes

    @property
    def result_element_bytes(self) -> int:
        """Bytes of a finished element of C."""
        return self.gemm.result_bytes(self.value_bytes)

    def stored(self, operand: Operand) -> Stored:
        """What the bytes of a sparse operand depend on."""
        return Stored.of(self.gemm.format_of(operand), self.value_bytes)

    def _pairs(self, operand: Operand, kept: IntArray, elements: IntArray) -> IntArray:
        """Bytes of a compressed piece in whole bursts, of elements kept times ``kept_scale``."""
        return self.memory.whole_bursts(stored_bytes(kept, elements, self.stored(operand)))

    @property
    def memory(self) -> DramTiming:
        """The memory's timing."""
        return self.design.memory

    def _unless_resident(self, place: Place, count: IntArray) -> IntArray:
        """What crosses to DRAM of an operand or result: nothing where it stays on chip."""
        if self.resident is not None:
            return np.where(self.resident[place][:, None, None], 0, count)
        return np.zeros_like(count) if place in self.gemm.on_chip else count

    def _of_blocks(self, place: Place, count: IntArray) -> IntArray:
        """Of the elements of a tile those that memory knows: the blocks on the diagonal, where that is all there is."""
        return np.asarray(on_diagonal(count, self.gemm.packed)) if place == self.gemm.diagonal else count

    def _in_pairs(self, operand: Operand) -> bool:
        """Whether an operand lies in memory as pairs of value and index."""
        return self.gemm.in_pairs(operand)

    def _b_elements(self) -> IntArray:
        """[J, 3, 2] elements of B fetched from memory for a tile, nothing pruned."""
        return self._of_blocks("b", self.size_k[:, :, None] * self.size_n[:, None, :])

    @by_pair("c")
    def result_elements(self) -> IntArray:
        """[J, 2, 2] elements of C that a tile finishes and that are asked for."""
        return self._of_blocks("c", self.size_m[:, :, None] * self.size_n[:, None, :])

    def _dense_a_elements(self) -> IntArray:
        """[J, 2, 3] elements of A fetched from memory for a tile: under a window, the image rows below it."""
        on_m, on_k = self.m, self.k
        if self.gemm.position_axis == "m":
            found = window_elements(on_m.rows[:, :, None], on_k.channels[:, None, FIRST_MIDDLE_LAST])
        else:
            found = window_elements(on_k.rows[:, None, FIRST_MIDDLE_LAST], on_m.channels[:, :, None])
        return np.asarray(found)

    @by_pair("a")
    def a_held_bytes(self) -> IntArray:
        """[J, 2, 3] bytes of an A tile in its buffer."""
        elements = self._dense_a_elements()
        if "a" not in self.gemm.compressed:
            return elements * self.value_bytes
        return self._kept_a_bytes()

    def _kept_a_bytes(self) -> IntArray:
        """[J, 2, 3] bytes of an A tile as pairs."""
        elements = self._dense_a_elements()
        kept = kept_of_window(elements, self.kept_a[:, None, :], self.size_k[:, None, :])
        return self._pairs("a", np.asarray(kept), elements)

    @by_pair("b")
    def b_held_bytes(self) -> IntArray:
        """[J, 3, 2] bytes of a B tile in its buffer."""
        if "b" in self.gemm.compressed:
            elements = self.size_k[:, :, None] * self.size_n[:, None, :]
            return self._pairs("b", self.kept_b[:, :, None] * self.size_n[:, None, :], elements)
        return self.size_k[:, :, None] * self.size_n[:, None, :] * self.value_bytes

    @by_pair("a")
    def a_load_bytes(self) -> IntArray:
        """[J, 2, 3] bytes fetched from DRAM for an A tile: none when A stays on chip."""
        if self._in_pairs("a"):
            return self._unless_resident("a", self._kept_a_bytes())
        return self._unless_resident("a", self._dense_a_elements() * self.value_bytes)

    @by_pair("b")
    def b_load_bytes(self) -> IntArray:
        """[J, 3, 2] bytes fetched from DRAM for a B tile: none when B stays on chip."""
        if self._in_pairs("b"):
            kept = self._of_blocks("b", self.kept_b[:, :, None] * self.size_n[:, None, :])
            return self._unless_resident("b", self._pairs("b", kept, self._b_elements()))
        return self._unless_resident("b", self._b_elements() * self.value_bytes)

    @property
    def reduced_elements(self) -> IntArray:
        """[J, 2, 3] of A or [J, 3, 2] of B: elements of a tile that pass the reduction engine on their way in."""
        if self.gemm.reduced_on_load is None:
            return np.zeros_like(self.b_held_bytes)
        return self._dense_a_elements() if self.gemm.reduced_on_load == "a" else self._b_elements()

    @by_pair("c")
    def sum_bytes(self) -> IntArray:
        """[J, 2, 2] bytes of a C tile of partial sums."""
        return self.size_m[:, :, None] * self.size_n[:, None, :] * SUM_BYTES

    @by_pair("c")
    def result_bytes(self) -> IntArray:
        """[J, 2, 2] bytes stored of a finished C tile: none when C stays on chip."""
        return self._unless_resident("c", self.result_elements * self.result_element_bytes)


def slots_of_balanced(slots: Counts, kept: Counts, scale: int) -> Counts:
    """Slots of a tile if all lanes kept equally many: at least 1, and no more than they take.

    Args:
        slots: that it takes.
        kept: elements of a lane along its depth, times ``scale``.
        scale: ``OperandFormat.kept_scale``.

    >>> int(slots_of_balanced(12, 30, 4))
    8
    """
    return np.minimum(slots, np.maximum(-(-kept // scale), 1))
