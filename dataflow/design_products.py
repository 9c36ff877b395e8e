"""Mapped products on one design, each taken apart once: what its tiles hold, move and cost follows from that."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..accel.specification import Hardware
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
        return len(self._mapped)

    def mapped(self, product: PlannedProduct) -> MappedProducts:
        """A product under its mapping.

        Raises:
            MappingError: the mapping is not legal on this design.
        """
        key = (product.gemm.shape_key, product.mapping)
        if key not in self._mapped:
            self._mapped[key] = MappedProducts.of(product.gemm, self.hardware, product.mapping)
        return self._mapped[key]

    def demand(self, product: PlannedProduct) -> TileDemand:
        """What it asks of the buffers and of DRAM; errors as above."""
        key = (product.gemm.shape_key, product.mapping)
        if key not in self._demands:
            self._demands[key] = TileDemand.of(self.mapped(product))
        return self._demands[key]
