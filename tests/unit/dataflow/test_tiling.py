"""The ladder of tile sizes: what is tried, what a tile covers, and that nothing of it depends on buffers."""

import inspect

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow import tiling
from bisparse.dataflow.gemm import Gemm, Window
from bisparse.dataflow.mapping import ArrayMapping, Mapping
from bisparse.dataflow.tile_grid import TileGrid
from bisparse.dataflow.tiling import EXHAUSTIVE, axis_tiles
from bisparse.training.graph import Stage

SAT = load_hardware("sat-vcu1525").model


def product(**fields):
    return Gemm(name="product", operator="product", stage=Stage.FORWARD, **{"m": 8, "n": 8, "k": 8} | fields)


def sizes(gemm, axis, unit=4, patch_expansion=True):
    return axis_tiles(gemm, axis, unit=unit, patch_expansion=patch_expansion).size[:, 0].tolist()


@pytest.mark.parametrize("extent", range(1, EXHAUSTIVE + 1))
def test_every_size_of_a_small_axis_is_tried(extent):
    assert sizes(product(n=extent), "n") == list(range(1, extent + 1))


def test_a_large_axis_is_halved_down_to_the_array_and_rounded_up_to_it():
    assert sizes(product(n=100), "n", unit=16) == [16, 32, 64, 100]
    assert sizes(product(n=1000), "n", unit=32) == [32, 64, 128, 256, 512, 1000]


def test_an_axis_smaller_than_the_array_is_not_cut_when_large():
    assert sizes(product(n=20), "n", unit=32) == [20]


def test_a_compressed_depth_is_cut_in_whole_groups():
    pruned = product(k=10, compressed="b", pattern=Pattern(2, 4))
    assert sizes(pruned, "k") == [4, 8, 10]
    assert sizes(product(k=100, compressed="b", pattern=Pattern(2, 8)), "k", unit=12) == [24, 48, 72, 100]
    assert sizes(product(k=3, compressed="b", pattern=Pattern(2, 4)), "k") == [3]


def test_all_kernel_positions_of_some_channels_stay_together():
    assert sizes(product(k=9 * 4, taps=9), "k") == [9, 18, 27, 36]
    assert sizes(product(k=9 * 8, taps=9, compressed="b", pattern=Pattern(2, 4)), "k") == [36, 72]
    assert sizes(product(m=9 * 4, taps=9, tap_axis="m"), "m") == [9, 18, 27, 36]


def windowed(**fields):
    window = {"images": 3, "rows": 6, "row_positions": 5, "input_rows": 12, "input_row_elements": 10}
    return Window(**window | {"row_stride": 2, "row_reach": 3} | fields)


def test_positions_are_cut_in_equal_rows_of_an_image_or_whole_images():
    gemm = product(m=3 * 30, window=windowed())
    assert sizes(gemm, "m") == [5, 10, 15, 30, 60, 90]
    tiles = axis_tiles(gemm, "m", unit=4, patch_expansion=True)
    assert tiles.trips.tolist() == [18, 9, 6, 3, 2, 1]
    assert tiles.size[:, 1].tolist() == [5, 10, 15, 30, 30, 90]
    # (rows - 1) * 2 + 3 image rows of 10, at most 12 of them; whole images add up.
    assert tiles.rows[:, 0].tolist() == [30, 50, 70, 120, 240, 360]


def test_positions_of_a_weight_gradient_lie_along_k():
    gemm = product(m=9 * 4, k=3 * 30, taps=9, tap_axis="m", window=windowed())
    assert sizes(gemm, "k") == [5, 10, 15, 30, 60, 90]


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
    assert ((tiles.trips - 1) * full + last == extent).all()
    assert (last >= 1).all()
    assert (last <= full).all()
    assert full[-1] == extent


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


def test_both_halves_of_a_buffer_must_hold_the_tile():
    """A tile of 8 x 8 FP16 values is 128 bytes: 256 double buffered."""
    gemm = product()
    for side, bytes_needed in (("west", 256), ("north", 256), ("output", 512)):
        for spare in (0, -1):
            buffer = getattr(SAT.buffers, side).model_copy(update={"capacity_bytes": bytes_needed + spare})
            design = SAT.model_copy(update={"buffers": SAT.buffers.model_copy(update={side: buffer})})
            grid = TileGrid.ladder(gemm, design)
            whole = (grid.trips["m"] == 1) & (grid.trips["n"] == 1) & (grid.trips["k"] == 1)
            assert grid.fits("a")[whole].tolist() == [spare == 0]


def test_capacity_follows_the_operand_to_its_side():
    gemm = product(m=8, n=2)
    west = SAT.buffers.west.model_copy(update={"capacity_bytes": 2 * 2 * 2 * 8})
    design = SAT.model_copy(update={"buffers": SAT.buffers.model_copy(update={"west": west})})
    grid = TileGrid.ladder(gemm, design)
    whole = (grid.trips["m"] == 1) & (grid.trips["n"] == 1) & (grid.trips["k"] == 1)
    assert (grid.fits("a")[whole].tolist(), grid.fits("b")[whole].tolist()) == ([False], [True])


def test_compressed_tiles_are_held_in_whole_bursts():
    """16 x 8 weights at 2:8: 4 * 8 pairs of 19 bits, 76 bytes, two bursts of 64."""
    gemm = product(k=16, n=8, compressed="b", pattern=Pattern(2, 8))
    grid = TileGrid.ladder(gemm, SAT)
    whole = (grid.trips["n"] == 1) & (grid.trips["k"] == 1)
    assert set(grid.b_held_bytes[whole][:, 0, 0].tolist()) == {128}
    assert set(grid.b_load_bytes[whole][:, 0, 0].tolist()) == {128}


def test_an_operand_reduced_on_its_way_in_is_fetched_dense_and_held_compressed():
    gemm = product(k=16, n=8, compressed="b", pattern=Pattern(2, 8), reduced_on_load=True)
    grid = TileGrid.ladder(gemm, SAT)
    whole = (grid.trips["n"] == 1) & (grid.trips["k"] == 1)
    assert set(grid.b_held_bytes[whole][:, 0, 0].tolist()) == {128}
    assert set(grid.b_load_bytes[whole][:, 0, 0].tolist()) == {16 * 8 * 2}


@pytest.mark.parametrize("tile", [(3, 8, 5), (8, 9, 8), (0, 8, 8)])
def test_a_mapping_of_no_legal_tile_is_refused(tile):
    gemm = product(k=20, compressed="b", pattern=Pattern(2, 4))
    mapping = Mapping(array=ArrayMapping(dataflow="os"), tile_m=tile[0], tile_n=tile[1], tile_k=tile[2], order="mnk")
    shown = "x".join(map(str, tile))
    with pytest.raises(MappingError, match=f"product: got tile {shown}, need one that is legal and fits sat-vcu1525"):
        TileGrid.of_mapping(gemm, SAT, mapping)
