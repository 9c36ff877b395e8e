"""Costs of products: equal ones on the same designs are worked out once, for all steps that have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...accel.tensor_engine import Count
from ...configs.arrays import BoolArray, IntArray
from ...dataflow.design_products import DesignProducts
from ...dataflow.design_view import gathered
from ...dataflow.epilogue import Epilogue
from ...dataflow.gemm import Place
from ...dataflow.product_cost import MappedProducts, ProductCost, mapped_cost
from ...dataflow.residency import TileDemand
from ...dataflow.works import PlannedProduct

Places = Mapping[Place, BoolArray]
"""Which of A, B and C of a product stay on chip, [S] each."""

Parts = list[tuple[IntArray, MappedProducts]]
"""A product on designs in parts: which of the designs, and the product there, in one form."""

MappedOn = Callable[[PlannedProduct, IntArray, Places | None], Parts]
"""A planned product on some designs, a mapping each; with nothing but itself to say what stays on chip when None."""


@dataclass(kw_only=True)
class CostCache:
    """Costs by product, mapping, designs, residence and epilogue.

    Attributes:
        mapped_on: how a product is mapped on designs.
    """

    mapped_on: MappedOn
    _known: dict[tuple[object, ...], Any] = field(default_factory=dict)

    @classmethod
    def of_design(cls, products: DesignProducts) -> CostCache:
        """Costs on one design, of products whose mapping is planned."""

        def mapped_on(product: PlannedProduct, rows: IntArray, stays: Places | None) -> Parts:
            return [(np.arange(len(rows)), products.mapped(product))]

        return cls(mapped_on=mapped_on)

    def cost(self, product: PlannedProduct, rows: IntArray, stays: Places | None, epilogue: Epilogue) -> ProductCost:
        """What a product costs with its epilogue, [S]."""
        after = (epilogue.lane_operations, epilogue.result_elements, np.asarray(epilogue.moved_bytes).tobytes())
        key = ("cost", *_key(product, rows, stays), after)
        if key not in self._known:
            parts = self._mapped(product, rows, stays)
            found = [(own, mapped_cost(mapped, epilogue.of_designs(own))) for own, mapped in parts]
            self._known[key] = gathered(found, len(rows))
        cost: ProductCost = self._known[key]
        return cost

    def bare_cycles(self, product: PlannedProduct, rows: IntArray, stays: Places | None) -> Count:
        """[S] cycles of a product without an epilogue."""
        key = ("bare", *_key(product, rows, stays))
        if key not in self._known:
            parts = self._mapped(product, rows, stays)
            self._known[key] = gathered([(own, mapped.pipeline().cycles) for own, mapped in parts], len(rows))
        cycles: Count = self._known[key]
        return cycles

    def demand(self, product: PlannedProduct, rows: IntArray) -> TileDemand:
        """What it asks of the buffers, and what its operands cost in DRAM bytes, when nothing stays on chip."""
        key = ("demand", *_key(product, rows, None))
        if key not in self._known:
            parts = self._mapped(product, rows, None)
            self._known[key] = gathered([(own, TileDemand.of(mapped)) for own, mapped in parts], len(rows))
        demand: TileDemand = self._known[key]
        return demand

    def _mapped(self, product: PlannedProduct, rows: IntArray, stays: Places | None) -> Parts:
        key = ("mapped", *_key(product, rows, stays))
        if key not in self._known:
            self._known[key] = self.mapped_on(product, rows, stays)
        mapped: Parts = self._known[key]
        return mapped


def _key(product: PlannedProduct, rows: IntArray, stays: Places | None) -> tuple[object, ...]:
    staying = b"" if stays is None else b"".join(each.tobytes() for each in stays.values())
    return product.gemm.shape_key, product.mapping, rows.tobytes(), staying
