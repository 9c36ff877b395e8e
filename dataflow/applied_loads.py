"""Tiles of a product whose operands are normalised on their way into the buffers.

Lanes of their own, ``vector_engine.load_lanes``, stand before the buffers: a block's load takes the longer of what it
takes without them and of their cycles on its elements, wherever these come from. DRAM is not busy for longer. A block
that is loaded again is normalised again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..configs.arrays import IntArray
from .tile_grid import TileGrid


@dataclass(frozen=True, kw_only=True)
class AppliedTiles(TileGrid):
    """Candidate tiles of one product on one design.

    Attributes:
        load_lanes: of the design.
    """

    load_lanes: int

    @classmethod
    def of(cls, tiles: TileGrid, load_lanes: int) -> AppliedTiles:
        """The same tiles behind load lanes."""
        return cls(
            gemm=tiles.gemm,
            design=tiles.design,
            m=tiles.m,
            n=tiles.n,
            k=tiles.k,
            resident=tiles.resident,
            load_lanes=load_lanes,
        )

    @cached_property
    def a_load_cycles(self) -> IntArray:
        """[J, 2, 3] cycles to load an A tile, reduction and load lanes on the way included."""
        bare = self._with_reduction("a", self.a_fetch_cycles, self._dense_a_elements())
        return np.maximum(bare, self.a_lane_cycles)

    @cached_property
    def b_load_cycles(self) -> IntArray:
        """[J, 3, 2] cycles to load a B tile, the same included."""
        return np.maximum(self._with_reduction("b", self.b_fetch_cycles, self._b_elements()), self.b_lane_cycles)

    @cached_property
    def a_lane_cycles(self) -> IntArray:
        """[J, 2, 3] cycles of the load lanes on an A tile."""
        return self._lane_cycles(self.gemm.applied[0], self._dense_a_elements())

    @cached_property
    def b_lane_cycles(self) -> IntArray:
        """[J, 3, 2] cycles of the load lanes on a B tile."""
        return self._lane_cycles(self.gemm.applied[1], self._b_elements())

    @cached_property
    def applied_elements(self) -> tuple[IntArray, IntArray]:
        """[J] elements of A, and of B, that the load lanes work on when every block is loaded once."""
        a, b = self._dense_a_elements(), self._b_elements()
        return (
            self.sum_over_blocks(a if self.gemm.applied[0] else 0 * a, "mk"),
            self.sum_over_blocks(b if self.gemm.applied[1] else 0 * b, "kn"),
        )

    def _lane_cycles(self, each: float, elements: IntArray) -> IntArray:
        return np.asarray(np.ceil(each * elements / self.load_lanes)).astype(np.int64)
