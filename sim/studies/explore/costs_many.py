"""Costs of products on many designs, shared between the steps that have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....configs.arrays import BoolArray, IntArray
from ....dataflow.epilogue import Epilogue
from ....dataflow.product_cost import MappedProducts, ProductCosts, product_costs
from ....dataflow.residency_many import Demand
from ....dataflow.search_many import BestMappings


@dataclass(kw_only=True)
class CostsMany:
    """Costs of equal products on the same designs, worked out once for all steps that have them.

    Attributes:
        found: mappings by what a search depends on.
    """

    found: dict[tuple[object, ...], BestMappings]
    _known: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def mapped(self, key: tuple[object, ...], rows: IntArray, kept: Mapping[Any, BoolArray] | None) -> MappedProducts:
        """A product, by its ``shape_key``, on some designs."""
        whole = ("mapped", key, rows.tobytes(), _bytes(kept))
        if whole not in self._known:
            self._known[whole] = self.found[key].mapped(rows, None if kept is None else dict(kept))
        mapped: MappedProducts = self._known[whole]
        return mapped

    def costs(
        self, key: tuple[object, ...], rows: IntArray, kept: Mapping[Any, BoolArray] | None, epilogue: Epilogue
    ) -> ProductCosts:
        """What it costs there with what rides on its results."""
        riding = (epilogue.lane_operations, epilogue.result_elements, np.asarray(epilogue.moved_bytes).tobytes())
        whole = ("costs", key, rows.tobytes(), _bytes(kept), riding)
        if whole not in self._known:
            self._known[whole] = product_costs(self.mapped(key, rows, kept), epilogue)
        costs: ProductCosts = self._known[whole]
        return costs

    def alone_cycles(self, key: tuple[object, ...], rows: IntArray, kept: Mapping[Any, BoolArray] | None) -> IntArray:
        """Cycles of the product with nothing riding on its results."""
        whole = ("alone", key, rows.tobytes(), _bytes(kept))
        if whole not in self._known:
            self._known[whole] = self.mapped(key, rows, kept).pipeline().cycles
        cycles: IntArray = self._known[whole]
        return cycles

    def demand(self, key: tuple[object, ...], rows: IntArray) -> Demand:
        """What it asks of the buffers, and what its operands cost in DRAM bytes, when nothing stays on chip."""
        whole = ("demand", key, rows.tobytes())
        if whole not in self._known:
            self._known[whole] = _demand(self.mapped(key, rows, None))
        demand: Demand = self._known[whole]
        return demand


def _bytes(kept: Mapping[Any, BoolArray] | None) -> bytes:
    return b"" if kept is None else b"".join(each.tobytes() for each in kept.values())


def _demand(mapped: MappedProducts) -> Demand:
    tiles, traffic, count = mapped.tiles, mapped.traffic, mapped.gemm.count
    held = (tiles.a_held_bytes, tiles.b_held_bytes, tiles.sum_bytes)
    return Demand(
        tile_bytes=sum((each[:, 0, 0] for each in held), np.zeros(len(tiles), dtype=np.int64)),
        moved_bytes=(count * traffic.a_bytes, count * traffic.b_bytes, count * traffic.result_bytes),
    )
