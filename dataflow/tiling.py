"""Tile sizes: for each GEMM axis the sizes worth trying, and what a tile of each size holds.

The ladder never looks at buffer capacity, so that a larger buffer can only add legal mappings. Up to ``EXHAUSTIVE``
every size is tried; above that an axis is cut into 1, 2, 3, 4, 6, 8, 12 ... parts, each rounded up to what the array
takes at once, and below that into a quarter of it, an eighth of that ..., down to a single value or group.

Legal sizes: output positions of a convolution are whole images, some neighbours along one spatial axis of an image
with all positions of the axes inside it, and one of those outside; channels go in whole groups of M; an axis of packed
blocks, or one that lies along columns several times, is not cut; anything else goes freely. Tiles of an axis are all
full but the last; where every image is cut alike and leaves a short piece, the full ones of all images come first and
the short ones after them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..accel.specification import Hardware
from ..configs.arrays import BoolArray, IntArray
from .gemm import AXES, Axis, Gemm
from .window import Window

EXHAUSTIVE = 12
"""Up to this extent every tile size is tried."""

_FIELDS = ("size", "trips", "lasts", "channels", "rows", "run_rows", "pitch")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTiles:
    """Tile sizes of one axis, one a candidate; ``full`` tiles and the ``last`` ones, side by side.

    Attributes:
        size: [T, 2] extent on the GEMM axis of a full tile and of a last one.
        trips: [T] tiles along the axis.
        lasts: [T] last ones among them: 1, or one a piece of the batch that is cut like every other.
        channels: [T, 2] channels a tile holds, on the tap axis; equals ``size`` elsewhere.
        rows: [T, 2] positions of A's image under the tile, fetched a channel; ``size`` where A is a plain matrix.
        run_rows: [T, 2] of those, contiguous ones when all channels are fetched.
        pitch: [T] positions from one such run to the next; 0 where they follow each other.
    """

    size: IntArray
    trips: IntArray
    lasts: IntArray
    channels: IntArray
    rows: IntArray
    run_rows: IntArray
    pitch: IntArray

    def __len__(self) -> int:
        return len(self.trips)

    @property
    def fulls(self) -> IntArray:
        """[T] tiles that are no last ones."""
        return self.trips - self.lasts

    def take(self, index: IntArray | BoolArray | slice) -> AxisTiles:
        """Some candidates, in the given order."""
        return AxisTiles(**{name: getattr(self, name)[index] for name in _FIELDS})

    def reshape(self, *shape: int) -> AxisTiles:
        """The same candidates, an array of them of another shape."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return AxisTiles(**{name: each.reshape(*shape, *each.shape[1:]) for name, each in values.items()})

    @classmethod
    def joined(cls, parts: Sequence[AxisTiles]) -> AxisTiles:
        """The candidates of several, one after another."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS})


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
    return tiles_of_sizes(gemm, axis, _sizes_to_try(_Cut.of(gemm, axis), unit), patch_expansion=patch_expansion)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisLadders:
    """Ladders [L] of tile sizes along one axis, filled up to the longest [T].

    Attributes:
        tiles: of every size that stands in any of them.
        at: [L, T] which of these.
        present: [L, T] where there is one; beyond it the last is repeated.
    """

    tiles: AxisTiles
    at: IntArray
    present: BoolArray

    @classmethod
    def joined(cls, parts: Sequence[AxisLadders]) -> AxisLadders:
        """The ladders of several, one after another."""
        if len(parts) == 1:
            return parts[0]
        longest, start = max(part.at.shape[1] for part in parts), 0
        at, present = [], []
        for part in parts:
            filled = longest - part.at.shape[1]
            at.append(np.concatenate([part.at, part.at[:, -1:].repeat(filled, axis=1)], axis=1) + start)
            present.append(np.concatenate([part.present, np.zeros((len(part.at), filled), dtype=bool)], axis=1))
            start += len(part.tiles)
        tiles = AxisTiles.joined([part.tiles for part in parts])
        return cls(tiles=tiles, at=np.concatenate(at), present=np.concatenate(present))


def ladders_along(gemm: Gemm, axis: Axis, units: Sequence[int], *, patch_expansion: bool) -> AxisLadders:
    """The tile sizes to try along one axis, on arrays of several extents: a ladder each.

    Args:
        gemm: the product.
        axis: which axis.
        units: the arrays' own extents along it.
        patch_expansion: as for ``axis_tiles``.
    """
    return _ladders(_Cut.of(gemm, axis), tuple(units), patch_expansion)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What the tile sizes along an axis depend on, of a product.

    Attributes:
        extent: of the axis.
        group: what it is cut in.
        whole: whether it is not cut.
        taps: folded into it; 1 where it is not the tap axis.
        window: over the output positions along it, if any.
    """

    extent: int
    group: int
    whole: bool
    taps: int
    window: Window | None

    @classmethod
    def of(cls, gemm: Gemm, axis: Axis) -> _Cut:
        return cls(
            extent=_extent(gemm, axis),
            group=_group(gemm, axis),
            whole=_whole(gemm, axis),
            taps=gemm.taps if axis == gemm.tap_axis else 1,
            window=gemm.window if axis == gemm.position_axis else None,
        )


@lru_cache(maxsize=512)
def _ladders(cut: _Cut, units: tuple[int, ...], patch_expansion: bool) -> AxisLadders:
    wanted = [_sizes_to_try(cut, unit) for unit in units]
    # Many arrays try the same.
    once = {sizes: number for number, sizes in enumerate(dict.fromkeys(wanted))}
    tiles = _tiles(cut, sorted(set().union(*once)), patch_expansion=patch_expansion)
    number = {size: at for at, size in enumerate(tiles.size[:, 0].tolist())}
    ladders = [[number[size] for size in sizes if size in number] for sizes in once]
    lengths = np.array([len(each) for each in ladders])
    longest, which = int(lengths.max()), [once[sizes] for sizes in wanted]
    at = np.array([each + each[-1:] * (longest - len(each)) for each in ladders])
    return AxisLadders(tiles=tiles, at=at[which], present=np.arange(longest) < lengths[which][:, None])


def _sizes_to_try(cut: _Cut, unit: int) -> tuple[int, ...]:
    """Along one axis, rising; some may be no legal ones."""
    if cut.whole:
        return (cut.extent,)
    if cut.window is not None:
        return _position_ladder(cut.window, unit)
    if cut.taps > 1:
        channels = cut.extent // cut.taps
        return tuple(cut.taps * size for size in _ladder(channels, cut.group, coarse=max(cut.group, unit // 4)))
    return _ladder(cut.extent, cut.group, coarse=math.lcm(cut.group, unit))


def tiles_of_sizes(gemm: Gemm, axis: Axis, sizes: Iterable[int], *, patch_expansion: bool) -> AxisTiles:
    """Tiles of these sizes along one axis; sizes that are not legal are left out.

    Args:
        gemm: the product.
        axis: which axis.
        sizes: extents of full tiles on the GEMM axis.
        patch_expansion: as for ``axis_tiles``.
    """
    return _tiles(_Cut.of(gemm, axis), sizes, patch_expansion=patch_expansion)


def _tiles(cut: _Cut, sizes: Iterable[int], *, patch_expansion: bool) -> AxisTiles:
    extent, taps = cut.extent, cut.taps
    if cut.window is not None:
        return _position_tiles(cut.window, sizes, patch_expansion=patch_expansion)
    step = extent if cut.whole else taps * cut.group
    legal = [size for size in sizes if 0 < size <= extent and (size % step == 0 or size == extent)]
    size, trips = _cut(extent, np.array(legal, dtype=np.int64))
    channels = size // taps if patch_expansion else size
    flat = np.zeros_like(trips)
    return AxisTiles(size=size, trips=trips, lasts=flat + 1, channels=channels, rows=size, run_rows=size, pitch=flat)


def _extent(gemm: Gemm, axis: Axis) -> int:
    return {"m": gemm.m, "n": gemm.n, "k": gemm.k}[axis]


def _whole(gemm: Gemm, axis: Axis) -> bool:
    """Whether an axis is not cut: along it lie the blocks of packed repetitions, or groups of columns that share k."""
    return (gemm.packed > 1 and axis in gemm.block_axes) or (gemm.split > 1 and axis == gemm.beside)


def _group(gemm: Gemm, axis: Axis) -> int:
    """What channels are cut in: groups of M along k."""
    return gemm.pattern.unit if axis == "k" else 1


def _cut(extent: int, full: IntArray) -> tuple[IntArray, IntArray]:
    """[T, 2] sizes of full tiles and of the last one, and [T] trips."""
    trips = -(-extent // full)
    return np.stack([full, extent - (trips - 1) * full], axis=1), trips


# Ladders -------------------------------------------------------------------------------------------------------------


def _parts(most: int) -> Iterable[int]:
    """1, 2, 3 and their doubles, up to a number."""
    yield 1
    octave = 1
    while 2 * octave <= most:
        yield from (count * octave for count in (2, 3) if count * octave <= most)
        octave *= 2


@lru_cache(maxsize=1 << 14)
def _ladder(extent: int, group: int, *, coarse: int) -> tuple[int, ...]:
    """Sizes to try.

    Args:
        extent: of the axis.
        group: what it is cut in.
        coarse: what large tiles are multiples of; itself a multiple of the group.
    """
    if extent <= EXHAUSTIVE:
        return (*range(group, extent, group), extent)
    sizes = {min(extent, -(-extent // parts // coarse) * coarse) for parts in _parts(max(extent // coarse, 1))}
    sizes.add(min(extent, coarse))
    below = coarse // 4
    while below >= group:
        # Too few for the array: worth it where nothing else fits.
        sizes.add(min(extent, -(-below // group) * group))
        below //= 8
    return tuple(sorted({*sizes, min(extent, group), extent}))


@lru_cache(maxsize=1 << 14)
def _position_ladder(window: Window, unit: int) -> tuple[int, ...]:
    """Whole images; parts of an image along its first axis that is longer than one; of those, along the next."""
    sizes = {count * window.image_positions for count in _ladder(window.images, 1, coarse=1)}
    inside = window.image_positions
    for axis in window.axes:
        inside //= axis.positions
        coarse = max(1, unit // inside)
        sizes |= {count * inside for count in _ladder(axis.positions, 1, coarse=min(coarse, axis.positions))}
    return tuple(sorted(sizes))


class _Piece(NamedTuple):
    """A tile of output positions, full and last.

    Attributes:
        size: [2] positions.
        rows: [2] positions of the image under it, a channel.
        run: [2] of those, contiguous ones.
        trips: tiles of this size.
        lasts: last ones among them.
        pitch: image positions from a run to the next.
    """

    size: tuple[int, int]
    rows: tuple[int, int]
    run: tuple[int, int]
    trips: int
    lasts: int
    pitch: int


def _position_tiles(window: Window, sizes: Iterable[int], *, patch_expansion: bool) -> AxisTiles:
    """Tiles of so many output positions; a tile that no piece of an image or of the batch makes is left out."""
    made = (_piece(window, size) for size in sizes if size > 0)
    found = [piece for piece in made if piece is not None]

    def each(name: str, *shape: int) -> IntArray:
        values = [getattr(piece, name) for piece in found]
        return np.array(values, dtype=np.int64).reshape(len(found), *shape)

    size, trips = each("size", 2), each("trips")
    rows, runs, pitch = each("rows", 2), each("run", 2), each("pitch")
    if not patch_expansion:
        rows, runs, pitch = size, size, np.zeros_like(pitch)
    return AxisTiles(size=size, trips=trips, lasts=each("lasts"), channels=size, rows=rows, run_rows=runs, pitch=pitch)


@lru_cache(maxsize=1 << 16)
def _piece(window: Window, size: int) -> _Piece | None:
    """The piece of an image, or of the batch, of so many positions; None where there is none."""
    if size % window.image_positions == 0:
        return _whole_images(window, size // window.image_positions)
    outside, reached, inside, inputs = window.images, 1, window.image_positions, window.image_inputs
    for axis in window.axes:
        inside //= axis.positions
        inputs //= axis.inputs
        if inside <= size < inside * axis.positions:
            break
        outside *= axis.positions
        reached *= axis.reached(1)
    else:
        return None
    if size % inside:
        return None
    count = size // inside
    trips = -(-axis.positions // count)
    last = axis.positions - (trips - 1) * count
    run = axis.reached(count) * inputs, axis.reached(last) * inputs
    return _Piece(
        size=(size, last * inside),
        rows=(reached * run[0], reached * run[1]),
        run=run,
        trips=outside * trips,
        lasts=1 if last == count else outside,
        pitch=axis.inputs * inputs,
    )


def _whole_images(window: Window, images: int) -> _Piece | None:
    if images > window.images:
        return None
    trips = -(-window.images // images)
    last = window.images - (trips - 1) * images
    first, positions = window.axes[0], window.image_positions
    under = first.reached(first.positions) * (window.image_inputs // first.inputs)
    return _Piece(
        size=(images * positions, last * positions),
        rows=(images * under, last * under),
        run=(under, under),
        trips=trips,
        lasts=1,
        pitch=window.image_inputs,
    )
