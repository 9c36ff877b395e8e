"""The array mappings of one side on many designs: which are legal, and how long a full tile takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..accel.tensor_engine import ArrayTiming
from ..configs.arrays import BoolArray, IntArray
from .dataflows.tile import Sparsity
from .design_table import DesignTable
from .gemm import Gemm
from .mapping import Side
from .shares import array_for, tile_on_array

OF_TIMING = ("rows", "cols", "mac_latency", "accumulate_latency", "register_depth")
"""The numbers of a design that an array's timing has."""


def timing_of_each(table: DesignTable, designs: IntArray, beside: int = 1) -> ArrayTiming:
    """The arrays of some of a table's designs, each count [K, 1], or with more axes beside them."""
    engine = table.first.tensor_engine
    return ArrayTiming(
        **{name: table.numbers[name][designs].reshape(-1, *[1] * beside) for name in OF_TIMING},
        overlapped=engine.overlapped,
        shifted_drain=engine.timing.shifted_drain,
        chained_load=engine.timing.chained_load,
        spread_groups=engine.spread_groups,
        tile_overlap=engine.tile_overlap,
    )


@dataclass(frozen=True, kw_only=True)
class SideMappings:
    """The array mappings of one side that are legal on any of some designs, [A], in the order of ``array_mappings``.

    Attributes:
        gemm: the product.
        side: the side.
        interleave: whether a PE may turn between accumulations.
        parameters: [P, A], in the order of the dataflow's parameters.
    """

    gemm: Gemm
    side: Side
    interleave: bool
    parameters: IntArray

    @classmethod
    def of(cls, gemm: Gemm, side: Side, timing: ArrayTiming, *, interleave: bool) -> SideMappings:
        """All that the registers of some arrays hold; counts as ``timing_of_each`` gives them."""
        parameters = side.lying.mappings(timing, Sparsity.of(gemm), interleave=interleave)
        return cls(gemm=gemm, side=side, interleave=interleave, parameters=parameters)

    def legal(self, table: DesignTable, designs: IntArray) -> BoolArray:
        """[K, A] which mappings the registers of each design hold."""
        timing = timing_of_each(table, designs)
        return self.side.lying.legal_on_each(
            timing, Sparsity.of(self.gemm), self.parameters, interleave=self.interleave
        )

    def full_tile_cycles(
        self, table: DesignTable, designs: IntArray, *, m: IntArray, n: IntArray, slots: IntArray, groups: IntArray
    ) -> IntArray:
        """[K, A] cycles of the array for a full tile at least, under every mapping, legal or not.

        Args:
            table: of the designs.
            designs: which of them, [K].
            m: rows of each tile.
            n: columns.
            slots: accumulations an output.
            groups: groups of M along k.
        """
        lying = self.side.lying
        gemm, array = self.gemm, array_for(self.gemm, timing_of_each(table, designs))
        tile = tile_on_array(gemm, m=m[:, None], n=n[:, None], slots=slots[:, None], groups=groups[:, None])
        cycles = lying.least_cycles(array, tile, lying.named(self.parameters))
        # Where nothing depends on the mapping or the design, all have the same.
        return np.array(np.broadcast_to(cycles, (len(designs), self.parameters.shape[1])))
