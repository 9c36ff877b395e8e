"""Costs of products: equal ones on the same designs are worked out once, for all steps that have them.

What several steps will ask for can be foreseen: all that is asked of a product is then worked out side by side, for few
long arrays are sooner done than many short ones, and each number is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...accel.tensor_engine import Count
from ...configs.arrays import BoolArray, IntArray
from ...dataflow.design_products import DesignProducts
from ...dataflow.design_view import gathered, of_design
from ...dataflow.epilogue import Epilogue
from ...dataflow.gemm import Place
from ...dataflow.joined_products import batches_of_mapped, joined
from ...dataflow.product_cost import MappedProducts, ProductCost, mapped_cost
from ...dataflow.residency import TileDemand
from ...dataflow.works import PlannedProduct

Places = Mapping[Place, BoolArray]
"""Which of A, B and C of a product stay on chip, [S] each."""

_SIDE_BY_SIDE = 1024
"""Candidates worked out side by side at most, where there are several products: more no longer lie close at hand."""

Parts = list[tuple[IntArray, MappedProducts]]
"""A product on designs in parts: which of the designs, and the product there, in one form."""

MappedOn = Callable[[PlannedProduct, IntArray, Places | None], Parts]
"""A planned product on some designs, a mapping each; with nothing but itself to say what stays on chip when None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a step asks of products that lie on the same designs.

    Attributes:
        products: one after another.
        rows: [S] the designs.
        stays: what of each product stays on chip.
        epilogue: what rides on their way out; None where only their demand of the buffers is asked for.
    """

    products: tuple[PlannedProduct, ...]
    rows: IntArray
    stays: Places | None
    epilogue: Epilogue | None

    @property
    def kind(self) -> tuple[object, ...]:
        """What must agree for its products to be worked out side by side with those of another step."""
        after = self.epilogue
        rides = () if after is None else (after.nothing, after.passes_lanes)
        return rides, self.stays is None


class _Ridden(NamedTuple):
    """A product and what rides on its way out; by what keys its costs are known, with that and without."""

    product: PlannedProduct
    epilogue: Epilogue
    cost_key: tuple[object, ...]
    bare_key: tuple[object, ...]


@dataclass(kw_only=True)
class CostCache:
    """Costs by product, mapping, designs, residence and epilogue.

    Attributes:
        mapped_on: how a product is mapped on designs.
        products: those of the one design that there is; None where there are many.
    """

    mapped_on: MappedOn
    products: DesignProducts | None = None
    _known: dict[tuple[object, ...], Any] = field(default_factory=dict)

    @classmethod
    def of_design(cls, products: DesignProducts) -> CostCache:
        """Costs on one design, of products whose mapping is planned."""

        def mapped_on(product: PlannedProduct, rows: IntArray, stays: Places | None) -> Parts:
            return [(np.arange(len(rows)), products.mapped(product))]

        return cls(mapped_on=mapped_on, products=products)

    def foresee_step(self, asked: Iterable[Asked]) -> None:
        """Work out what a step will ask for of its products on one design, alike ones side by side."""
        if self.products is None:
            return
        together: dict[tuple[bool, bool], dict[tuple[object, ...], _Ridden]] = {}
        for each in asked:
            assert each.epilogue is not None, "costs are asked for"
            rides = each.epilogue.nothing, each.epilogue.passes_lanes
            for product in each.products:
                key = ("cost", *_key(product, each.rows, each.stays), _after(each.epilogue))
                if key not in self._known:
                    bare = ("bare", *_key(product, each.rows, each.stays))
                    together.setdefault(rides, {})[key] = _Ridden(product, each.epilogue, key, bare)
        for several in together.values():
            self._find_alike(self.products, list(several.values()))

    def _find_alike(self, products: DesignProducts, several: Sequence[_Ridden]) -> None:
        """Find costs of products on one design, of which all or none have anything ride, and pass the lanes."""
        for numbers, mapped in products.together([each.product for each in several]):
            some = [several[number] for number in numbers]
            epilogue = Epilogue.joined([each.epilogue for each in some])
            cost = mapped_cost(mapped, epilogue)
            bare = None if epilogue.nothing else mapped.pipeline().cycles
            for at, each in enumerate(some):
                own = slice(at, at + 1)
                self._known[each.cost_key] = of_design(cost, own)
                if bare is not None:
                    self._known[each.bare_key] = bare[own]

    def foresee(self, asked: Iterable[Asked]) -> None:
        """Work out what steps will ask for on many designs, products that are alike side by side."""
        together: dict[tuple[object, ...], dict[tuple[object, ...], tuple[PlannedProduct, Asked]]] = {}
        for each in asked:
            for product in each.products:
                key = (*_key(product, each.rows, each.stays), _after(each.epilogue))
                together.setdefault(each.kind, {})[key] = product, each
        for several in together.values():
            self._find_together(list(several.values()))

    def _find_together(self, several: Sequence[tuple[PlannedProduct, Asked]]) -> None:
        """Find costs, or demands, of products; what rides on their way out: on all or none, past the lanes or not."""
        parts = [
            (number, rows, mapped)
            for number, (product, asked) in enumerate(several)
            for rows, mapped in self._mapped(product, asked.rows, asked.stays)
        ]
        found: list[list[tuple[IntArray, Any]]] = [[] for _ in several]
        for together in batches_of_mapped([mapped for _, _, mapped in parts], _SIDE_BY_SIDE):
            some = [parts[at] for at in together]
            epilogues = [(several[number][1].epilogue, rows) for number, rows, _ in some]
            figures = _figures(
                joined([mapped for _, _, mapped in some]),
                [each.of_designs(rows) for each, rows in epilogues if each is not None],
                [len(rows) for _, rows in epilogues],
            )
            end = 0
            for number, rows, _ in some:
                start, end = end, end + len(rows)
                found[number].append((rows, of_design(figures, slice(start, end))))
        for (product, asked), own in zip(several, found, strict=True):
            key, figures = _key(product, asked.rows, asked.stays), gathered(own, len(asked.rows))
            if asked.epilogue is None:
                self._known["demand", *key] = figures
                continue
            cost, bare = figures
            self._known["cost", *key, _after(asked.epilogue)] = cost
            if not asked.epilogue.nothing:
                self._known["bare", *key] = bare

    def cost(self, product: PlannedProduct, rows: IntArray, stays: Places | None, epilogue: Epilogue) -> ProductCost:
        """What a product costs with its epilogue, [S]."""
        key = ("cost", *_key(product, rows, stays), _after(epilogue))
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


def _after(epilogue: Epilogue | None) -> tuple[object, ...]:
    if epilogue is None:
        return ()
    return epilogue.lane_operations, epilogue.result_elements, np.asarray(epilogue.moved_bytes).tobytes()


def _figures(mapped: MappedProducts, epilogues: Sequence[Epilogue], designs: Sequence[int]) -> Any:
    """Costs of products with their epilogues, and cycles without; demands where nothing is said of epilogues.

    Args:
        mapped: the products.
        epilogues: of each; or none of any.
        designs: of each, how many.
    """
    if not epilogues:
        return TileDemand.of(mapped)
    epilogue = Epilogue.of_all(list(zip(epilogues, designs, strict=True)))
    cost = mapped_cost(mapped, epilogue)
    return cost, cost.cycles if epilogue.nothing else mapped.pipeline().cycles
