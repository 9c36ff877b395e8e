"""How long the array works on one tile, where those cycles go, and what passes its ports.

The array's cycles, and how often what passes which port, are the dataflow's. A port that cannot keep up holds the tile.
Source: docs/hardware-model.md, "Tile time".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...accel.specification import SHARED_PORT, SIDES, Side
from ...accel.tensor_engine import ArrayTiming, Handover, cycles_to_next
from ...dataflow.dataflows.tile import ArrayTile
from ...dataflow.gemm import Operand
from ...dataflow.mapping import ArrayMapping
from ...dataflow.shares import array_for, tile_on_array
from .sparse_depth import balanced_slots_in
from .tile_walk import SUM_BYTES, TileWalk

Indices = tuple[int, int, int]
"""Of a tile along m, n and k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPass:
    """One tile on the array.

    Attributes:
        array_cycles: of the array, nothing in its way: until the tile has left, or where tiles overlap until the next
            one enters.
        issue_cycles: of those, PEs issue.
        imbalance_cycles: of the cycles in which PEs issue, those in which lanes wait for the fullest.
        bubble_cycles: of those, lost to the accumulate latency.
        port_bytes: through each port: ``west``, ``north``, ``output``.
        port_cycles: that each port needs for them, and what both operands share, if they do.
    """

    array_cycles: int
    issue_cycles: int
    imbalance_cycles: int
    bubble_cycles: int
    port_bytes: dict[str, int]
    port_cycles: dict[str, int]

    @classmethod
    def of(cls, walk: TileWalk, mapping: ArrayMapping, *, at: Indices, following: Indices | None) -> ArrayPass:
        """The tile at these indices of a walk, laid on the array as a mapping says.

        Args:
            walk: of the product.
            mapping: how tiles lie.
            at: of the tile along m, n and k.
            following: of the next tile, if there is one.
        """
        shape = _Shape.of(walk, at)
        on_array, issue, bubble = shape.array_cycles(mapping)
        if following is not None and walk.hardware.tensor_engine.tile_overlap:
            own, after = shape.handover(mapping), _Shape.of(walk, following).handover(mapping)
            on_array = int(cycles_to_next(on_array, own, after.interval, after.lead, after.first, after.second))
        moved = shape.port_bytes(mapping)
        passing = moved | {SHARED_PORT: moved["west"] + moved["north"]}
        widths = walk.hardware.buffers.port_widths
        return cls(
            array_cycles=on_array,
            issue_cycles=issue,
            imbalance_cycles=shape.imbalance_cycles(mapping, issue),
            bubble_cycles=bubble,
            port_bytes=moved,
            port_cycles={port: -(-passing[port] // width) for port, width in widths.items()},
        )

    @property
    def cycles(self) -> int:
        """The array or the port that holds it up."""
        return max(self.array_cycles, *self.port_cycles.values())

    @property
    def causes(self) -> dict[str, int]:
        """The cycles by cause; the first of west, north and output that needs all of them names what is late.

        Where both operands wait for what they share, the one that takes more of it is late.
        """
        found = {
            "busy": self.issue_cycles - self.imbalance_cycles,
            "imbalance": self.imbalance_cycles,
            "bubble": self.bubble_cycles,
            "fill_drain": self.array_cycles - self.issue_cycles - self.bubble_cycles,
        }
        if self.cycles > self.array_cycles:
            larger: Side = "west" if self.port_bytes["west"] >= self.port_bytes["north"] else "north"
            slowest = next((side for side in SIDES if self.port_cycles[side] == self.cycles), larger)
            found[slowest] = self.cycles - self.array_cycles
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """A tile's extents."""

    walk: TileWalk
    m: int
    n: int
    k_index: int

    @classmethod
    def of(cls, walk: TileWalk, at: Indices) -> _Shape:
        """Those of a tile of a walk."""
        return cls(walk=walk, m=walk.sizes_m[at[0]], n=walk.sizes_n[at[1]], k_index=at[2])

    @property
    def _slots(self) -> int:
        return self.walk.slots(self.k_index)

    @property
    def _on_array(self) -> ArrayTile:
        walk = self.walk
        dense = not walk.gemm.compressed
        return tile_on_array(
            walk.gemm,
            m=self.m,
            n=self.n,
            slots=self._slots,
            groups=walk.sizes_k[self.k_index] if dense else walk.depth.groups(walk.sizes_k[self.k_index]),
        )

    @property
    def _array(self) -> ArrayTiming:
        return array_for(self.walk.gemm, self.walk.hardware.tensor_engine.timing)

    def array_cycles(self, mapping: ArrayMapping) -> tuple[int, int, int]:
        """Cycles of the array, those in which PEs issue, those lost to latency."""
        laid = self._array, self._on_array, mapping.numbers
        issue, bubble = mapping.lying.issue_and_bubble_cycles(*laid)
        return int(mapping.lying.cycles(*laid)), int(issue), int(bubble)

    def imbalance_cycles(self, mapping: ArrayMapping, issue: int) -> int:
        """Of the cycles in which PEs issue those beyond what equally full lanes would take."""
        tile, walk = self._on_array, self.walk
        if not tile.sparsity.waits:
            return 0
        balanced = replace(tile, slots=balanced_slots_in(walk.gemm, walk.sizes_k[self.k_index]))
        return issue - int(mapping.lying.issue_and_bubble_cycles(self._array, balanced, mapping.numbers)[0])

    def handover(self, mapping: ArrayMapping) -> Handover:
        """When the tile lets the next one in."""
        return mapping.lying.handover(self._array, self._on_array, mapping.numbers)

    def _operand_bytes(self, operand: Operand) -> int:
        """An operand of the tile as the array takes it once: patches expanded, pairs where it is pruned."""
        side = self.m if operand == "a" else self.n
        if operand in self.walk.gemm.compressed:
            return self.walk.port_bytes(operand, side, self.k_index)
        return side * self.walk.sizes_k[self.k_index] * self.walk.value_bytes

    def port_bytes(self, mapping: ArrayMapping) -> dict[str, int]:
        """Bytes through each port."""
        lying = mapping.lying
        sends = lying.sends(self._array, self._on_array, mapping.numbers)
        # Each fold along k writes its sums; each reads those before it, the tile's first only if an earlier tile left
        # some.
        passes = int(sends.sums) + int(sends.sums) - 1 + (self.k_index > 0)
        return {
            "west": int(sends.west) * self._operand_bytes(lying.west),
            "north": int(sends.north) * self._operand_bytes(lying.north),
            "output": passes * self.m * self.n * SUM_BYTES,
        }
