"""The ladder of tile sizes: what is tried, what a tile covers, and that nothing of it depends on buffers."""

import inspect
import math

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow import tiling
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import ArrayMapping, Mapping
from bisparse.dataflow.product_cost import MappedProducts
from bisparse.dataflow.tile_grid import TileGrid
from bisparse.dataflow.tiling import EXHAUSTIVE, axis_tiles
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.training.graph import Stage

SAT = load_hardware("sat-vcu1525").model


def product(**fields):
    return Gemm(name="product", operator="product", stage=Stage.FORWARD, **{"m": 8, "n": 8, "k": 8} | fields)


def sizes(gemm, axis, unit=4, patch_expansion=True):
    return axis_tiles(gemm, axis, unit=unit, patch_expansion=patch_expansion).size[:, 0].tolist()


@pytest.mark.parametrize("extent", range(1, EXHAUSTIVE + 1))
def test_every_size_of_a_small_axis_is_tried(extent):
    assert sizes(product(n=extent), "n") == list(range(1, extent + 1))


def test_a_large_axis_is_cut_into_parts_in_multiples_of_the_array_and_below_into_parts_of_it():
    # 100 in 1, 2, 3, 4, 6 parts, rounded up to 16; then a quarter of 16, one.
    assert sizes(product(n=100), "n", unit=16) == [1, 4, 16, 32, 48, 64, 100]
    assert sizes(product(n=1024), "n", unit=128) == [1, 4, 32, 128, 256, 384, 512, 1024]


def test_an_axis_smaller_than_the_array_is_taken_whole_or_in_parts_of_the_array():
    assert sizes(product(n=20), "n", unit=32) == [1, 8, 20]


def test_a_compressed_depth_is_cut_in_whole_groups():
    pruned = product(k=10, b=Pattern(2, 4))
    assert sizes(pruned, "k") == [4, 8, 10]
    assert sizes(product(k=100, b=Pattern(2, 8)), "k", unit=12) == [8, 24, 48, 72, 100]
    assert sizes(product(k=3, b=Pattern(2, 4)), "k") == [3]


def test_all_kernel_positions_of_some_channels_stay_together():
    assert sizes(product(k=9 * 4, taps=9), "k") == [9, 18, 27, 36]
    assert sizes(product(k=9 * 8, taps=9, b=Pattern(2, 4)), "k") == [36, 72]
    assert sizes(product(m=9 * 4, taps=9, tap_axis="m"), "m") == [9, 18, 27, 36]


def windowed(images=3, axes=((6, 12, 2, 3), (5, 10, 2, 3))):
    """Images of so many (positions, inputs, stride, reach) an axis."""
    names = ("positions", "inputs", "stride", "reach")
    return Window(images=images, axes=tuple(SpatialAxis(**dict(zip(names, axis, strict=True))) for axis in axes))


def test_positions_are_cut_in_rows_of_an_image_in_parts_of_a_row_or_in_whole_images():
    gemm = product(m=3 * 30, window=windowed())
    assert sizes(gemm, "m") == [1, 2, 3, 4, 5, 10, 15, 20, 25, 30, 60, 90]
    tiles = axis_tiles(gemm, "m", unit=4, patch_expansion=True)
    # In parts of a row: 2 of 5 make 3 tiles of each of 18 rows. In rows: 4 of 6 make 2 of each of 3 images.
    assert tiles.trips.tolist() == [90, 54, 36, 36, 18, 9, 6, 6, 6, 3, 2, 1]
    assert tiles.size[:, 1].tolist() == [1, 1, 2, 1, 5, 10, 15, 10, 5, 30, 30, 90]
    # Short ones: one a row, or one an image; of whole images the last tile alone.
    assert tiles.lasts.tolist() == [1, 18, 18, 18, 1, 1, 1, 3, 3, 1, 1, 1]
    # Parts of a row: 3 rows of (positions - 1) * 2 + 3. Rows: as many of 10, at most 12 of them; whole images add up.
    assert tiles.rows[:, 0].tolist() == [9, 15, 21, 27, 30, 50, 70, 90, 110, 120, 240, 360]
    assert tiles.rows[:, 1].tolist() == [9, 9, 15, 9, 30, 50, 70, 50, 30, 120, 120, 360]
    assert tiles.run_rows[:, 0].tolist() == [3, 5, 7, 9, 30, 50, 70, 90, 110, 120, 120, 120]
    assert tiles.pitch.tolist() == [10] * 4 + [120] * 8


def test_positions_of_a_volume_are_cut_along_any_axis():
    """Two volumes of 3 x 2 x 4: parts of a line, lines of a plane, planes, volumes."""
    axes = ((3, 3, 1, 3), (2, 2, 1, 3), (4, 4, 1, 3))
    gemm = product(m=2 * 24, window=windowed(images=2, axes=axes))
    assert sizes(gemm, "m") == [1, 2, 3, 4, 8, 16, 24, 48]
    tiles = axis_tiles(gemm, "m", unit=4, patch_expansion=True)
    # A line reaches 3 planes of 2 lines (3 cut to the plane) of all 4; two planes reach 3 (4 cut to the volume) of 8.
    assert dict(zip(tiles.size[:, 0].tolist(), tiles.rows[:, 0].tolist(), strict=True)) == {
        1: 3 * 2 * 3, 2: 3 * 2 * 4, 3: 3 * 2 * 4, 4: 3 * 2 * 4, 8: 3 * 8, 16: 3 * 8, 24: 3 * 8, 48: 2 * 3 * 8,
    }  # fmt: skip
    assert tiles.trips.tolist() == [48, 24, 24, 12, 6, 4, 2, 1]


def test_positions_of_a_weight_gradient_lie_along_k():
    gemm = product(m=9 * 4, k=3 * 30, taps=9, tap_axis="m", window=windowed())
    assert sizes(gemm, "k") == [1, 2, 3, 4, 5, 10, 15, 20, 25, 30, 60, 90]


def test_expanded_patches_are_fetched_as_they_lie():
    gemm = product(m=3 * 30, k=9 * 4, taps=9, window=windowed())
    tiles = axis_tiles(gemm, "m", unit=4, patch_expansion=False)
    assert tiles.rows.tolist() == tiles.size.tolist()
    assert axis_tiles(gemm, "k", unit=4, patch_expansion=False).channels[:, 0].tolist() == [9, 18, 27, 36]


@pytest.mark.parametrize("extent", [1, 7, 12, 13, 50, 1000, 25088])
@pytest.mark.parametrize("unit", [1, 16, 32, 128])
def test_tiles_cover_their_axis_exactly(extent, unit):
    tiles = axis_tiles(product(k=extent), "k", unit=unit, patch_expansion=True)
    full, last = tiles.size[:, 0], tiles.size[:, 1]
    assert (tiles.fulls * full + tiles.lasts * last == extent).all()
    assert (last >= 1).all()
    assert (last <= full).all()
    assert full[-1] == extent


@pytest.mark.parametrize("positions", [(1,), (7,), (29, 1), (1, 31), (13, 17), (3, 5, 7), (1, 1, 16)])
@pytest.mark.parametrize("images", [1, 2, 37])
def test_tiles_cover_all_positions_exactly(positions, images):
    window = windowed(images=images, axes=tuple((each, each + 2, 1, 3) for each in positions))
    extent = images * math.prod(positions)
    tiles = axis_tiles(product(m=extent, window=window), "m", unit=16, patch_expansion=True)
    full, last = tiles.size[:, 0], tiles.size[:, 1]
    assert (tiles.fulls * full + tiles.lasts * last == extent).all()
    assert (full[0], full[-1]) == (1, extent)
    assert ((last >= 1) & (last <= full)).all()


def test_the_ladder_does_not_know_the_buffers():
    """So that a larger buffer can only add legal mappings."""
    assert list(inspect.signature(axis_tiles).parameters) == ["gemm", "axis", "unit", "patch_expansion"]
    assert "capacity" not in inspect.getsource(tiling).partition('"""\n\nfrom')[2]
    cramped = {
        side: getattr(SAT.buffers, side).model_copy(update={"capacity_bytes": 1})
        for side in ("west", "north", "output")
    }
    without = SAT.model_copy(update={"buffers": SAT.buffers.model_copy(update=cramped)})
    gemm = product(m=500, n=200, k=300)
    assert len(TileGrid.ladder(gemm, without)) == len(TileGrid.ladder(gemm, SAT))


def narrowed(**capacities):
    buffers = {
        side: getattr(SAT.buffers, side).model_copy(update={"capacity_bytes": capacity_bytes})
        for side, capacity_bytes in capacities.items()
    }
    return SAT.model_copy(update={"buffers": SAT.buffers.model_copy(update=buffers)})


def fit(gemm, design, *, a_in_west=True, **trips):
    grid = TileGrid.ladder(gemm, design)
    chosen = np.logical_and.reduce([grid.trips[axis] == count for axis, count in trips.items()])
    (found,) = set(grid.fits(a_in_west)[chosen].tolist())
    return found


@pytest.mark.parametrize(("side", "needed"), [("west", 128), ("north", 128), ("output", 256)])
@pytest.mark.parametrize("spare", [0, -1])
def test_a_tile_that_is_never_replaced_is_held_once(side, needed, spare):
    """All of 8 x 8 FP16 values: 128 bytes; 256 of sums."""
    assert fit(product(), narrowed(**{side: needed + spare}), m=1, n=1, k=1) is (spare == 0)


@pytest.mark.parametrize(("side", "needed"), [("west", 256), ("north", 256), ("output", 512)])
@pytest.mark.parametrize("spare", [0, -1])
def test_a_tile_that_is_replaced_is_held_twice(side, needed, spare):
    """The same in another repetition of the product."""
    assert fit(product(count=2), narrowed(**{side: needed + spare}), m=1, n=1, k=1) is (spare == 0)


def test_capacity_follows_the_operand_to_its_side():
    gemm, design = product(m=8, n=2), narrowed(west=2 * 2 * 8)
    whole = {"m": 1, "n": 1, "k": 1}
    assert (fit(gemm, design, **whole), fit(gemm, design, a_in_west=False, **whole)) == (False, True)


def test_compressed_tiles_are_held_in_whole_bursts():
    """16 x 8 weights at 2:8: 4 * 8 pairs of 19 bits, 76 bytes, two bursts of 64."""
    gemm = product(k=16, n=8, b=Pattern(2, 8))
    grid = TileGrid.ladder(gemm, SAT)
    whole = (grid.trips["n"] == 1) & (grid.trips["k"] == 1)
    assert set(grid.b_held_bytes[whole][:, 0, 0].tolist()) == {128}
    assert set(grid.b_load_bytes[whole][:, 0, 0].tolist()) == {128}


def test_an_operand_reduced_on_its_way_in_is_fetched_dense_and_held_compressed():
    gemm = product(k=16, n=8, b=Pattern(2, 8), reduced_on_load="b")
    grid = TileGrid.ladder(gemm, SAT)
    whole = (grid.trips["n"] == 1) & (grid.trips["k"] == 1)
    assert set(grid.b_held_bytes[whole][:, 0, 0].tolist()) == {128}
    assert set(grid.b_load_bytes[whole][:, 0, 0].tolist()) == {16 * 8 * 2}


@pytest.mark.parametrize("tile", [(3, 8, 5), (8, 9, 8), (0, 8, 8), (8, 8, -4)])
def test_a_mapping_of_no_legal_tile_is_refused(tile):
    gemm = product(k=20, b=Pattern(2, 4))
    mapping = Mapping(array=ArrayMapping(dataflow="os"), tile_m=tile[0], tile_n=tile[1], tile_k=tile[2], order="mnk")
    shown = "x".join(map(str, tile))
    with pytest.raises(MappingError, match=f"product: got tile {shown}, need one that is legal and fits sat-vcu1525"):
        MappedProducts.of(gemm, SAT, mapping)
