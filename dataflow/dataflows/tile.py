"""What the array sees of a tile of a product, and of all tiles at once: all that a dataflow is told.

Both may be exchanged: operand A for B, m for n. A dataflow that is said once is said for both ways of lying.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...accel.tensor_engine import ArrayTiming, Count, ceil_div
from ...configs.arrays import IntArray
from ...configs.operand_format import OperandFormat
from ..gemm import Axis, Gemm, Operand
from ..tiling import AxisTiles

OTHER: dict[Operand, Operand] = {"a": "b", "b": "a"}
"""The operand beside each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparsity:
    """What is pruned of a product.

    Attributes:
        compressed: the operand that travels as (value, index) pairs, B where both do; None of a dense product.
        pattern: its format along k.
        both: whether the other one does too, and the zeros of both are skipped.
    """

    compressed: Operand | None
    pattern: OperandFormat
    both: bool = False

    @classmethod
    def of(cls, gemm: Gemm) -> Sparsity:
        """That of a product."""
        compressed: Operand | None = "b" if "b" in gemm.compressed else "a" if gemm.compressed else None
        return cls(compressed=compressed, pattern=gemm.pattern_taken, both=gemm.compressed == "ab")

    @property
    def waits(self) -> bool:
        """Whether lanes keep different numbers of elements, and wait for each other."""
        return self.compressed is not None and self.pattern.is_irregular

    @property
    def exchanged(self) -> Sparsity:
        """The same of the product whose operands change places."""
        return self if self.compressed is None else replace(self, compressed=OTHER[self.compressed])


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayTile:
    """A tile, or many; the counts broadcast.

    Attributes:
        m: rows of C.
        n: columns of C.
        slots: S, accumulations an output.
        groups: G, groups along k; single values when nothing is pruned.
        sparsity: of the product.
    """

    m: Count
    n: Count
    slots: Count
    groups: Count
    sparsity: Sparsity

    @property
    def exchanged(self) -> ArrayTile:
        """The same with the roles of the operands exchanged: C transposed."""
        return replace(self, m=self.n, n=self.m, sparsity=self.sparsity.exchanged)


class Folds(NamedTuple):
    """A tiling of a product on an array in folds, summed over the tiles along each axis; counts broadcast.

    Attributes:
        rows: along m, R outputs a fold.
        cols: along n, C outputs a fold.
        deep_rows: along m, with as many outputs a PE as it may turn between.
        deep_cols: the same along n.
        groups: along k, a group a row of PEs.
        slots: accumulations of an output in all tiles along k.
        trips_m: tiles along m.
        trips_n: tiles along n.
        trips_k: tiles along k.
        extent_m: m of the whole product.
    """

    rows: Count
    cols: Count
    deep_rows: Count
    deep_cols: Count
    groups: Count
    slots: Count
    trips_m: Count
    trips_n: Count
    trips_k: Count
    extent_m: Count


class Tiling(NamedTuple):
    """A tiling of a product as an array sees it.

    Attributes:
        m: along m: full tiles, the size of one, last ones, the size of one.
        n: the same along n.
        k: along k: the first tile, those between, and the last, how many of each.
        groups: along k of one of each, as PEs hold them.
    """

    m: tuple[int, int, int, int]
    n: tuple[int, int, int, int]
    k: tuple[int, int, int]
    groups: tuple[int, int, int]


def folds_along(fulls: Count, full: Count, lasts: Count, last: Count, extent: Count) -> Count:
    """Folds along an axis, summed over its tiles.

    Args:
        fulls: full tiles.
        full: size of one.
        lasts: last ones.
        last: size of one.
        extent: of a fold.
    """
    return fulls * ceil_div(full, extent) + lasts * ceil_div(last, extent)


@dataclass(frozen=True, kw_only=True)
class TileSums:
    """Tilings of a product on designs, in sums over all tiles of one repetition: what floors are made of.

    Counts are arrays that broadcast to [E, M, N, K]: designs, tile sizes along m, n and k.

    Attributes:
        array: the arrays, each count [E, 1, 1, 1].
        deepest: accumulations that a PE may turn between at most, [E, 1, 1, 1].
        m: tiles along m, [E, M, 1, 1], or [1, M, 1, 1] where all designs have the same.
        n: tiles along n, likewise.
        k: tiles along k, likewise.
        slots: [E, 1, 1, K, 3] accumulations an output of the first tile along k, those between, and the last.
        groups: groups along k of the same.
        count_k: how many there are of each.
        m_extent: m of the whole product.
        n_extent: n of the whole product.
        sparsity: of the product.
    """

    array: ArrayTiming
    deepest: IntArray
    m: AxisTiles
    n: AxisTiles
    k: AxisTiles
    slots: IntArray
    groups: IntArray
    count_k: IntArray
    m_extent: Count
    n_extent: Count
    sparsity: Sparsity

    @cached_property
    def exchanged(self) -> TileSums:
        """The same with the roles of the operands exchanged."""
        return replace(
            self,
            m=self.n,
            n=self.m,
            m_extent=self.n_extent,
            n_extent=self.m_extent,
            sparsity=self.sparsity.exchanged,
        )

    @cached_property
    def tiles(self) -> IntArray:
        """How many."""
        return self.m.trips * self.n.trips * self.k.trips

    @cached_property
    def slots_along_k(self) -> IntArray:
        """Accumulations of an output in all tiles along k."""
        return np.asarray((self.slots * self.count_k).sum(axis=-1))

    def folds(self, axis: Axis, extent: Count) -> IntArray:
        """Folds along m or n, summed over the tiles along it, with ``extent`` a fold."""
        along = self.m if axis == "m" else self.n
        full, last = along.size[..., 0], along.size[..., 1]
        return np.asarray(folds_along(along.fulls, full, along.lasts, last, extent))

    def folds_of_groups(self, rows: Count, *, apart: bool = False) -> IntArray:
        """Folds along k of the groups of one column, summed over the tiles, ``rows`` a fold.

        Args:
            rows: groups a fold.
            apart: whether each kept value counts as a group of its own.
        """
        held = self.slots if apart else self.groups
        return np.asarray((self.count_k * ceil_div(held, np.asarray(rows)[..., None])).sum(axis=-1))

    def in_folds(self, *, apart: bool = False) -> Folds:
        """The same in folds of the array; ``apart`` as for ``folds_of_groups``."""
        array = self.array
        return Folds(
            rows=self.folds("m", array.rows),
            cols=self.folds("n", array.cols),
            deep_rows=self.folds("m", array.rows * self.deepest),
            deep_cols=self.folds("n", array.cols * self.deepest),
            groups=self.folds_of_groups(array.rows, apart=apart),
            slots=self.slots_along_k,
            trips_m=self.m.trips,
            trips_n=self.n.trips,
            trips_k=self.k.trips,
            extent_m=self.m_extent,
        )
