"""Tile sizes: for each GEMM axis the sizes worth trying, and what a tile of each size holds.

The ladder never looks at buffer capacity, so that a larger buffer can only add legal mappings. Up to ``EXHAUSTIVE``
every size is tried; above that, halvings rounded to the array. Legal sizes: output positions of a convolution are
tiled in whole rows (a divisor of the rows of an image, so that tiles are equal) or whole images; channels in whole
groups of M; anything else freely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..accel.specification import Hardware
from ..configs.arrays import BoolArray, IntArray
from .gemm import AXES, Axis, Gemm, Window

EXHAUSTIVE = 12
"""Up to this extent every tile size is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTiles:
    """Tile sizes of one axis, one a candidate; ``full`` tiles and the ``last`` one, side by side.

    Attributes:
        size: [T, 2] extent on the GEMM axis of a full tile and of the last.
        trips: [T] tiles along the axis.
        channels: [T, 2] channels a tile holds, on the tap axis; equals ``size`` elsewhere.
        rows: [T, 2] memory rows of A under the tile's positions, times their length: positions fetched a channel.
            Equals ``size`` where A is a plain matrix.
        run_rows: [T] of those, contiguous ones when all channels are fetched.
    """

    size: IntArray
    trips: IntArray
    channels: IntArray
    rows: IntArray
    run_rows: IntArray

    def __len__(self) -> int:
        return len(self.trips)

    def take(self, index: IntArray | BoolArray) -> AxisTiles:
        """Some candidates, in the given order."""
        return AxisTiles(
            size=self.size[index],
            trips=self.trips[index],
            channels=self.channels[index],
            rows=self.rows[index],
            run_rows=self.run_rows[index],
        )

    @classmethod
    def joined(cls, parts: Sequence[AxisTiles]) -> AxisTiles:
        """The candidates of several, one after another."""
        names = ("size", "trips", "channels", "rows", "run_rows")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def axis_ladders(gemm: Gemm, hardware: Hardware) -> list[AxisTiles]:
    """The tile sizes to try along m, n and k on a design."""
    engine, expansion = hardware.tensor_engine, hardware.buffers.patch_expansion
    unit = min(engine.rows, engine.cols)
    return [axis_tiles(gemm, axis, unit=unit, patch_expansion=expansion) for axis in AXES]


def axis_tiles(gemm: Gemm, axis: Axis, *, unit: int, patch_expansion: bool) -> AxisTiles:
    """The tile sizes to try along one axis.

    Args:
        gemm: the product.
        axis: which axis.
        unit: the array's own extent along it; tiles of large axes are multiples.
        patch_expansion: whether patches are expanded on chip (fetch the image's rows) or lie expanded in DRAM.
    """
    group = gemm.pattern.group if axis == "k" else 1
    if axis == gemm.position_axis and gemm.window is not None:
        return _position_tiles(gemm.window, patch_expansion=patch_expansion)
    if axis == gemm.tap_axis and gemm.taps > 1:
        channels = _plain(gemm.channels, _ladder(gemm.channels, group, least=max(4, unit // 4)))
        size = channels.size * gemm.taps
        fetched = channels.size if patch_expansion else size
        return AxisTiles(size=size, trips=channels.trips, channels=fetched, rows=size, run_rows=size[:, 0])
    extent = {"m": gemm.m, "n": gemm.n, "k": gemm.k}[axis]
    return _plain(extent, _ladder(extent, math.lcm(group, unit) if extent > EXHAUSTIVE else group, least=unit))


def _ladder(extent: int, unit: int, *, least: int) -> list[int]:
    """Sizes to try: every multiple of ``unit`` of a small extent, else its halvings down to ``least``, rounded up."""
    if extent <= EXHAUSTIVE:
        return [*range(unit, extent, unit), extent]
    sizes, parts = {extent}, 2
    while parts <= extent and (size := -(-extent // parts)) >= least:
        sizes.add(min(extent, -(-size // unit) * unit))
        parts *= 2
    sizes.add(min(extent, -(-least // unit) * unit))
    return sorted(sizes)


def _plain(extent: int, sizes: Sequence[int]) -> AxisTiles:
    size = np.array(sizes, dtype=np.int64)
    trips = -(-extent // size)
    both = np.stack([size, extent - (trips - 1) * size], axis=1)
    return AxisTiles(size=both, trips=trips, channels=both, rows=both, run_rows=size)


def _position_tiles(window: Window, *, patch_expansion: bool) -> AxisTiles:
    """Whole rows of one image, or several whole images."""
    part_rows = [rows for rows in range(1, window.rows) if window.rows % rows == 0]
    images = _ladder(window.images, 1, least=1)
    tile_rows = np.array(part_rows + [window.rows] * len(images), dtype=np.int64)
    tile_images = np.array([1] * len(part_rows) + images, dtype=np.int64)
    trips = -(-window.images // tile_images) * (window.rows // tile_rows)
    last_images = window.images - (-(-window.images // tile_images) - 1) * tile_images
    image_count = np.stack([tile_images, last_images], axis=1)
    size = image_count * (tile_rows * window.row_positions)[:, None]
    if not patch_expansion:
        return AxisTiles(size=size, trips=trips, channels=size, rows=size, run_rows=size[:, 0])
    reached = np.minimum(window.input_rows, (tile_rows - 1) * window.row_stride + window.row_reach)
    under = reached * window.input_row_elements
    return AxisTiles(size=size, trips=trips, channels=size, rows=image_count * under[:, None], run_rows=under)
