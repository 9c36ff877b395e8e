"""Candidates of a mapping search that were timed exactly, and which of each product's is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..configs.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Candidates timed exactly, [K].

    Attributes:
        product: of each, its product.
        side: its side.
        mapping: its array mapping.
        tile: its tile among those of all products.
        order: its loop order.
        cycles: its time.
        value: of the objective.
        joules: its energy.
        moved_bytes: between DRAM and chip, one repetition.
    """

    product: IntArray
    side: IntArray
    mapping: IntArray
    tile: IntArray
    order: IntArray
    cycles: IntArray
    value: FloatArray
    joules: FloatArray
    moved_bytes: IntArray

    def __len__(self) -> int:
        return len(self.product)

    def take(self, chosen: npt.NDArray[Any]) -> Timed:
        """Some of them."""
        return Timed(**{each.name: getattr(self, each.name)[chosen] for each in fields(Timed)})

    @classmethod
    def joined(cls, parts: Sequence[Timed]) -> Timed:
        """Those of several."""
        return cls(
            **{each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Timed)}
        )

    def best(self, figure: FloatArray) -> Timed:
        """Of each product the best by a figure: of equals what moves fewer bytes, then the faster, then the first."""
        keys = (self.order, self.tile, self.mapping, self.side, self.cycles, self.moved_bytes, figure, self.product)
        ranked = np.lexsort(keys)
        return self.take(ranked[np.flatnonzero(np.diff(self.product[ranked], prepend=-1))])

    @property
    def fastest(self) -> Timed:
        """The best of each product by the objective."""
        return self.best(self.value)

    @property
    def thriftiest(self) -> Timed:
        """The best of each product by energy."""
        return self.best(self.joules)

    def of_each(self, figure: npt.NDArray[Any], products: int, otherwise: float) -> npt.NDArray[Any]:
        """[products] a figure of one candidate each, and something else of products that have none."""
        found = np.full(products, otherwise, dtype=figure.dtype)
        found[self.product] = figure
        return found
