"""Properties of tiles that depend on two of the three axes: worked out for pairs of sizes, looked up for the rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

import numpy as np

from ..configs.arrays import IntArray
from .gemm import Place


def by_pair(place: Place) -> Callable[[Callable[[Any], IntArray]], cached_property[IntArray]]:
    """A property of A, B or C of a grid of tiles, see ``TileGrid.pairs``.

    Args:
        place: whose it is.
    """

    def wrapped(work_out: Callable[[Any], IntArray]) -> cached_property[IntArray]:
        @wraps(work_out)
        def found(grid: Any) -> IntArray:
            if grid.pairs is None:
                return work_out(grid)
            of_pairs, index = grid.pairs[place]
            return np.asarray(getattr(of_pairs, work_out.__name__)[index])

        return cached_property(found)

    return wrapped
