"""Mapped products on one design, each taken apart once: what its tiles hold, move and cost follows from that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..accel.specification import Hardware
from .design_view import of_design
from .gemm_batch import batches_of
from .mapping import Mapping
from .product_cost import MappedProducts
from .residency import TileDemand
from .works import PlannedProduct


@dataclass(frozen=True, kw_only=True)
class DesignProducts:
    """Products on a design, equal ones one time.

    Attributes:
        hardware: the design.
    """

    hardware: Hardware
    _mapped: dict[tuple[tuple[object, ...], Mapping], MappedProducts] = field(default_factory=dict, repr=False)
    _demands: dict[tuple[tuple[object, ...], Mapping], TileDemand] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self._mapped.keys() | self._demands.keys())

    def mapped(self, product: PlannedProduct) -> MappedProducts:
        """A product under its mapping.

        Raises:
            MappingError: the mapping is not legal on this design.
        """
        key = _key(product)
        if key not in self._mapped:
            self._mapped[key] = MappedProducts.of(product.gemm, self.hardware, product.mapping)
        return self._mapped[key]

    def demand(self, product: PlannedProduct) -> TileDemand:
        """What it asks of the buffers and of DRAM; errors as above."""
        key = _key(product)
        if key not in self._demands:
            self._demands[key] = TileDemand.of(self.mapped(product))
        return self._demands[key]

    def foresee(self, products: Iterable[PlannedProduct]) -> None:
        """Work out the demands that will be asked for, many side by side; errors as above."""
        unknown = list({_key(each): each for each in products if _key(each) not in self._demands}.values())
        for numbers, mapped in self.together(unknown):
            demand = TileDemand.of(mapped)
            for at, number in enumerate(numbers):
                self._demands[_key(unknown[number])] = of_design(demand, slice(at, at + 1))

    def together(self, products: Sequence[PlannedProduct]) -> Iterator[tuple[list[int], MappedProducts]]:
        """Products under their mappings in batches, by number: few long arrays are sooner done than many short ones."""
        for numbers in batches_of([product.gemm for product in products], len(products)):
            gemms = [products[number].gemm for number in numbers]
            mappings = [products[number].mapping for number in numbers]
            yield numbers, MappedProducts.of_each(gemms, self.hardware, mappings)


def _key(product: PlannedProduct) -> tuple[tuple[object, ...], Mapping]:
    return product.gemm.shape_key, product.mapping
