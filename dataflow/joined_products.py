"""Mapped products of a batch, each on designs of its own, side by side: their formulas then broadcast over all of them.

Few long arrays are sooner done than many short ones, and each number is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..configs.arrays import IntArray
from .design_view import joined_views
from .gemm_batch import GemmBatch, batches_of
from .product_cost import MappedProducts, SideTimes
from .tile_grid import TileGrid
from .tile_time import TileTime
from .tiling import AxisTiles


def batches_of_mapped(several: Sequence[MappedProducts], most: int) -> Iterator[list[int]]:
    """Numbers of mapped products that may be joined, of so many candidates at most where one alone has no more."""
    for alike in batches_of([mapped.gemm for mapped in several], len(several)):
        together, candidates = list[int](), 0
        for number in alike:
            own = len(several[number].tiles)
            if together and candidates + own > most:
                yield together
                together, candidates = [], 0
            together.append(number)
            candidates += own
        yield together


def joined(several: Sequence[MappedProducts]) -> MappedProducts:
    """The candidates of mapped products, one product after another; all or none say by candidate what stays on chip.

    Args:
        several: products of one batch, see ``batches_of_mapped``, each on designs of a table.
    """
    if len(several) == 1:
        return several[0]
    grids = [mapped.tiles for mapped in several]
    counts = [len(grid) for grid in grids]
    m, n, k = (AxisTiles.joined([getattr(grid, axis) for grid in grids]) for axis in ("m", "n", "k"))
    stays = [grid.resident for grid in grids if grid.resident is not None]
    tiles = TileGrid(
        gemm=GemmBatch.of([grid.gemm for grid in grids]).pick(np.repeat(np.arange(len(grids)), counts)),
        design=joined_views([grid.design for grid in grids]),
        m=m,
        n=n,
        k=k,
        resident={place: np.concatenate([each[place] for each in stays]) for place in stays[0]} if stays else None,
    )
    return MappedProducts(
        tiles=tiles,
        orders=np.concatenate([mapped.orders for mapped in several]),
        by_side=_sides(tiles, several, np.cumsum([0, *counts])),
    )


def _sides(tiles: TileGrid, several: Sequence[MappedProducts], starts: IntArray) -> list[SideTimes]:
    """The candidates by dataflow and side.

    Args:
        tiles: of all candidates.
        several: the products.
        starts: the first candidate of each.
    """
    by_side: dict[tuple[str, str], list[tuple[IntArray, TileTime]]] = {}
    for start, mapped in zip(starts.tolist(), several, strict=False):
        for side in mapped.by_side:
            key = side.times.lying.name, side.times.west
            by_side.setdefault(key, []).append((start + side.rows, side.times))
    found = []
    for parts in by_side.values():
        rows, lying = np.concatenate([own for own, _ in parts]), parts[0][1].lying
        numbers = {
            name: np.concatenate([times.numbers[name] for _, times in parts], axis=1) for name in lying.parameters
        }
        own = tiles if len(rows) == len(tiles) else tiles.pick(rows)
        found.append(SideTimes(rows=rows, times=TileTime(tiles=own, lying=lying, numbers=numbers)))
    return found
