"""What rides on the write-back of a product's results: element-wise work on the vector lanes, and the memory it moves.

A finished tile passes the lanes on its way to DRAM: its store ends when both are done, and until then the tile's half
of the output buffer is taken. The work of a whole operator is shared out over its finished tiles by their elements;
what it moves in memory lies as the results lie, so it is moved as efficiently as they are.
Source: docs/hardware-model.md, "Engines beside the array".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ..configs.arrays import Counts, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Epilogue:
    """The fused operators of one tensor work; or of one on many designs, or of many works: an array, [K, 1, 1], each.

    Attributes:
        lane_operations: lane cycles of all of them.
        moved_bytes: over the memory's pins on the way out: the results, unless they stay on chip, and what fused
            operators move.
        result_elements: of all products of the work.
        result_bytes: of the same, as they would lie in memory.
    """

    lane_operations: Counts = 0.0
    moved_bytes: Counts = 0
    result_elements: Counts = 0
    result_bytes: Counts = 0

    @classmethod
    def joined(cls, several: Sequence[Epilogue]) -> Epilogue:
        """Those of several works, of which all or none have anything ride, and all or none pass the lanes."""
        first = several[0]
        if first.nothing or len(several) == 1:
            return first
        found = {each.name: np.array([getattr(one, each.name) for one in several]) for each in fields(cls)}
        return cls(**{name: each.reshape(-1, 1, 1) for name, each in found.items()})

    @classmethod
    def of_all(cls, several: Sequence[tuple[Epilogue, int]]) -> Epilogue:
        """As ``joined``, of works on many designs, each with how many designs there are."""
        first = several[0][0]
        if first.nothing or len(several) == 1:
            return first
        found = {
            each.name: np.concatenate(
                [np.broadcast_to(getattr(one, each.name), (designs, 1, 1)) for one, designs in several]
            )
            for each in fields(cls)
        }
        return cls(**found)

    @property
    def passes_lanes(self) -> bool:
        """Whether the vector lanes have anything to do with results."""
        return bool(np.any(self.lane_operations))

    @property
    def nothing(self) -> bool:
        """Whether nothing rides."""
        return not np.any(self.result_elements)

    def of_designs(self, chosen: IntArray) -> Epilogue:
        """The same on some of the designs."""
        moved = self.moved_bytes
        return replace(self, moved_bytes=moved[chosen]) if isinstance(moved, np.ndarray) else self

    def store_cycles(self, result_cycles: Counts) -> Counts:
        """DRAM cycles of finished tiles whose bare results would be stored in ``result_cycles``.

        >>> Epilogue(moved_bytes=150, result_elements=50, result_bytes=100).store_cycles(7)
        11
        """
        return -(-result_cycles * self.moved_bytes // self.result_bytes)

    def lane_cycles(self, lanes: Counts, elements: Counts) -> Counts:
        """Cycles that the lanes of the vector engine need for finished tiles of so many elements.

        >>> int(Epilogue(lane_operations=64, result_elements=32, result_bytes=64).lane_cycles(4, 3))
        2
        """
        if not self.passes_lanes:
            return 0 * elements
        share = self.lane_operations * elements / (self.result_elements * lanes)
        return np.asarray(np.ceil(share)).astype(np.int64)


NO_EPILOGUE = Epilogue()
"""No fused operators: results go straight to memory, or stay."""
