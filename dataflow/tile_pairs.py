"""The tiles of a product that fit some buffers, found by pairs of axes.

What an operand's tiles hold and move depends on two of the three axes: it is worked out for every pair of sizes, and
looked up for every combination of three. The ladder has thousands of combinations and some hundred pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..configs.arrays import IntArray
from .block_totals import BlockTotals, totals_of
from .design_view import DesignView
from .gemm import PLACES, Gemm, Place
from .holding import HeldByPlace, Room, least_bytes
from .tile_grid import TileGrid
from .tiling import AxisTiles


def fitting_tiles(gemm: Gemm, design: DesignView, axes: Sequence[AxisTiles], room: Room) -> TileGrid:
    """Those combinations of tile sizes that fit some buffers, A in the west or B.

    Args:
        gemm: the product.
        design: what is to be known of the design.
        axes: tile sizes along m, n and k.
        room: in the buffers.
    """
    one = np.zeros(1, dtype=np.int64)
    m, n, k = axes
    pairs: dict[Place, TileGrid] = {
        "a": TileGrid.product_of_axes(gemm, design, (m, n.take(one), k)),
        "b": TileGrid.product_of_axes(gemm, design, (m.take(one), n, k)),
        "c": TileGrid.product_of_axes(gemm, design, (m, n, k.take(one))),
    }
    shapes: dict[Place, tuple[int, int, int]] = {
        "a": (len(m), 1, len(k)),
        "b": (1, len(n), len(k)),
        "c": (len(m), len(n), 1),
    }
    held = {place: grid.held_of(place) for place, grid in pairs.items()}
    least = {place: least_bytes(held[place], gemm, room) for place in PLACES}
    legal = np.zeros([len(tiles) for tiles in axes], dtype=bool)
    for a_in_west in (True, False):
        small = [(least[place] <= room.of(place, a_in_west)).reshape(shapes[place]) for place in PLACES]
        legal |= small[0] & small[1] & small[2]
    at_m, at_n, at_k = np.nonzero(legal)
    at: dict[Place, IntArray] = {
        "a": at_m * len(k) + at_k,
        "b": at_n * len(k) + at_k,
        "c": at_m * len(n) + at_n,
    }
    grid = TileGrid(
        gemm=gemm,
        design=design,
        m=m.take(at_m),
        n=n.take(at_n),
        k=k.take(at_k),
        pairs={place: (pairs[place], at[place]) for place in PLACES},
    )
    grid.knows(
        held=HeldByPlace({place: held[place].take(at[place]) for place in PLACES}),
        block_totals=BlockTotals(
            **{name: pairs[place].total(name)[at[place]] for place in PLACES for name in totals_of(gemm, place)}
        ),
    )
    return grid
