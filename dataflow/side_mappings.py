"""The array mappings of one dataflow and side on many designs: which are legal, and how long a full tile takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..accel.specification import Dataflow, TensorEngine
from ..accel.tensor_engine import ArrayTiming, output_stationary_cycles, weight_stationary_cycles
from ..configs.arrays import BoolArray, IntArray
from .design_table import DesignTable
from .gemm import Gemm, Operand
from .mapping import compressed_side_allowed, stationary_group


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A dataflow and which operand enters from the west; sides stand in the order of ``mapping.array_mappings``."""

    dataflow: Dataflow
    west: Operand


def sides_of(engine: TensorEngine, gemm: Gemm, dataflows: tuple[Dataflow, ...] | None) -> tuple[Side, ...]:
    """The sides that an engine offers a product.

    Args:
        engine: the tensor engine, whatever its size.
        gemm: the product.
        dataflows: only these; all that the engine offers when None.
    """
    found = []
    for dataflow in engine.dataflows:
        if dataflows is not None and dataflow not in dataflows:
            continue
        for swapped in (False, True) if dataflow == "os" and engine.swap_operands else (False,):
            if gemm.compressed is None or compressed_side_allowed(
                engine, dataflow, swapped=swapped, compressed=gemm.compressed
            ):
                found.append(Side(dataflow=dataflow, west="b" if swapped or dataflow == "is" else "a"))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class SideMappings:
    """The array mappings of one side, for registers as deep as any design's, [A], in the order of ``array_mappings``.

    Attributes:
        gemm: the product.
        side: the side.
        interleave: whether a PE may turn between accumulations.
        parameters: [4, A], see ``tile_time.PARAMETERS``.
        alone: [A] where a PE has one slot only, and nothing to turn between.
    """

    gemm: Gemm
    side: Side
    interleave: bool
    parameters: IntArray
    alone: BoolArray

    @classmethod
    def of(cls, gemm: Gemm, side: Side, depth: int, *, interleave: bool) -> SideMappings:
        """All that registers of a depth hold."""
        most = depth if interleave else 1
        if side.dataflow == "os":
            found = [(m, n, 1, 1) for m in range(1, most + 1) for n in range(1, most // m + 1)]
            alone = [False] * len(found)
        else:
            slots, values = stationary_group(gemm, side.dataflow)
            groups = range(1, depth // values + 1)
            found = [(1, 1, g, turns) for g in groups for turns in range(1, (1 if g * slots == 1 else most) + 1)]
            alone = [g * slots == 1 for _, _, g, _ in found]
        return cls(
            gemm=gemm,
            side=side,
            interleave=interleave,
            parameters=np.array(found, dtype=np.int64).reshape(-1, 4).T,
            alone=np.array(alone, dtype=bool),
        )

    def legal(self, table: DesignTable, designs: IntArray) -> BoolArray:
        """[K, A] which mappings the registers of each design hold."""
        depth = table.numbers["register_depth"][designs][:, None]
        most = depth if self.interleave else np.ones_like(depth)
        on_m, on_n, groups, turns = self.parameters
        if self.side.dataflow == "os":
            return np.asarray(on_m * on_n <= most)
        least = np.minimum(table.numbers["accumulate_latency"][designs][:, None], most)
        turning = (turns >= least) & (turns <= most)
        held = groups * stationary_group(self.gemm, self.side.dataflow)[1]
        return np.asarray((held <= depth) & (self.alone | turning))

    def full_tile_cycles(
        self, table: DesignTable, designs: IntArray, *, m: IntArray, n: IntArray, slots: IntArray, groups: IntArray
    ) -> IntArray:
        """[K, A] cycles of the array for a full tile under every mapping, legal or not.

        Args:
            table: of the designs.
            designs: which of them, [K].
            m: rows of each tile.
            n: columns.
            slots: accumulations an output.
            groups: groups of M along k.
        """
        numbers, engine = table.numbers, table.first.tensor_engine
        timing = ArrayTiming(
            rows=numbers["rows"][designs][:, None],
            cols=numbers["cols"][designs][:, None],
            mac_latency=numbers["mac_latency"][designs][:, None],
            accumulate_latency=numbers["accumulate_latency"][designs][:, None],
            register_depth=numbers["register_depth"][designs][:, None],
            overlapped=engine.overlapped,
            drain=engine.drain,
            stationary_load=engine.stationary_load,
        )
        on_m, on_n, resident, turns = self.parameters
        if self.side.dataflow == "os":
            rows, cols = (n, m) if self.side.west == "b" else (m, n)
            return np.asarray(
                output_stationary_cycles(
                    timing,
                    m=rows[:, None],
                    n=cols[:, None],
                    slots=slots[:, None],
                    interleave_m=on_m,
                    interleave_n=on_n,
                )
            )
        moving, columns = (m, n) if self.side.dataflow == "ws" else (n, m)
        group_slots, group_load = stationary_group(self.gemm, self.side.dataflow)
        return np.asarray(
            weight_stationary_cycles(
                timing,
                moving=moving[:, None],
                columns=columns[:, None],
                groups=groups[:, None],
                group_slots=group_slots,
                group_load=group_load,
                resident_groups=resident,
                interleave=turns,
            )
        )
