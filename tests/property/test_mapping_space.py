"""Laws of the mapping space: what growing a product costs, what buffers are for, and that nothing legal is refused."""

import itertools

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.objective import slowest_alike
from bisparse.dataflow.product_cost import product_cost
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.tiling import tiles_of_sizes
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.sim.event.tile_walk import TileWalk
from bisparse.sim.witness.traffic_agreement import Draw, random_hardware, random_product
from bisparse.training.graph import Stage

DESIGNS = [load_hardware(name).model for name in ("sat-vcu1525", "edge-16x16", "datacenter-128x128")]


def plain(m, n, k, pattern=DENSE):
    return Gemm(name="plain", operator="plain", stage=Stage.FORWARD, m=m, n=n, k=k, b=pattern)


def convolution(images, *positions, channels=32, filters=32):
    """A 3 x 3 (or 3, or 3 x 3 x 3) convolution of these output positions, padded, stride 1."""
    taps = 3 ** len(positions)
    axes = tuple(SpatialAxis(positions=each, inputs=each, stride=1, reach=3) for each in positions)
    return Gemm(
        name="convolution",
        operator="convolution",
        stage=Stage.FORWARD,
        m=images * int(np.prod(positions)),
        n=filters,
        k=taps * channels,
        taps=taps,
        window=Window(images=images, axes=axes),
    )


def cycles(gemm, hardware):
    return best_mapping(gemm, hardware).cycles


def shaken(base, draw):
    """A design with buffers, ports and memory other than it has."""
    sides = {
        side: buffer.model_copy(update={"capacity_bytes": 1 << int(draw.integers(13, 23))})
        for side, buffer in base.buffers.by_side.items()
    }
    return base.model_copy(update={"buffers": base.buffers.model_copy(update=sides)})


# Growing by one ------------------------------------------------------------------------------------------------------


def grown(seed):
    """A product; the same one larger along one axis; and what is added, by itself."""
    draw = np.random.default_rng(seed)
    sizes = [int(np.exp(draw.uniform(0, np.log(limit)))) for limit in (40_000, 4_000, 9_000)]
    pattern = Pattern(2, 8) if draw.random() < 0.4 else DENSE
    axis = int(draw.integers(0, 3))
    if axis == 2 and not pattern.is_dense:
        # A group more, so that what is added is one.
        sizes[2] += -sizes[2] % pattern.group
    step = pattern.group if axis == 2 else 1
    more, alone = list(sizes), list(sizes)
    more[axis] += step
    alone[axis] = step
    return (plain(*each, pattern) for each in (sizes, more, alone))


@pytest.mark.parametrize("hardware", DESIGNS, ids=lambda hardware: hardware.name)
@pytest.mark.parametrize("seed", range(25))
def test_one_more_costs_at_most_what_it_costs_alone(hardware, seed):
    """And a hundredth of the whole: the ladder is that fine."""
    product, larger, added = grown(seed)
    assert cycles(larger, hardware) <= 1.01 * cycles(product, hardware) + cycles(added, hardware)


@pytest.mark.parametrize("hardware", DESIGNS, ids=lambda hardware: hardware.name)
@pytest.mark.parametrize("positions", [(32_003,), (257, 257), (149, 149), (17, 31, 37)])
@pytest.mark.parametrize("images", [1, 7])
def test_prime_images_cost_as_much_as_their_neighbours(hardware, positions, images):
    below, here, above = (
        cycles(convolution(images, *(each + step for each in positions)), hardware) for step in (-1, 0, 1)
    )
    # One more position an axis is one part in the shortest axis, a few times over in a volume.
    share = sum(1 / each for each in positions)
    assert below * (1 - 0.02) <= here <= above * (1 + 0.02)
    assert above <= below * (1 + 2 * share) * 1.04


# Room ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_a_larger_buffer_neither_slows_nor_moves_more_for_no_time(seed):
    draw = np.random.default_rng(seed)
    smaller = shaken(DESIGNS[seed % 3], draw)
    side = ("west", "north", "output")[int(draw.integers(0, 3))]
    buffer = getattr(smaller.buffers, side)
    more = buffer.model_copy(update={"capacity_bytes": 2 * buffer.capacity_bytes})
    larger = smaller.model_copy(update={"buffers": smaller.buffers.model_copy(update={side: more})})
    product, _, _ = grown(seed)
    before, after = (
        product_cost(product, design, best_mapping(product, design).mapping) for design in (smaller, larger)
    )
    assert after.cycles <= slowest_alike(before.cycles)
    if after.cycles >= before.cycles:
        assert after.read_bytes + after.write_bytes <= before.read_bytes + before.write_bytes


def legal_tiles(gemm, hardware, draw):
    """Sizes of a tile that is legal, at random."""
    expansion = hardware.buffers.patch_expansion
    found = []
    for axis, extent in (("m", gemm.m), ("n", gemm.n), ("k", gemm.k)):
        sizes = tiles_of_sizes(gemm, axis, range(1, extent + 1), patch_expansion=expansion).size[:, 0]
        found.append(int(draw.choice(sizes)) if draw.random() < 0.7 else int(sizes[0]))
    return found


@pytest.mark.parametrize("seed", range(150))
def test_what_fits_by_hand_is_not_refused(seed):
    draw = Draw(seed)
    gemm, hardware = random_product(draw), random_hardware(draw)
    random = np.random.default_rng(seed)
    tilings = [legal_tiles(gemm, hardware, random) for _ in range(3)]
    fits = any(
        TileWalk(gemm=gemm, hardware=hardware, tile_m=m, tile_n=n, tile_k=k, order="mnk", west="a").fits
        for m, n, k in tilings
    )
    if not fits:
        return
    # What a dataflow cannot select for is another matter.
    try:
        found = best_mapping(gemm, hardware).cycles
    except MappingError as refused:
        found = str(refused)
    assert isinstance(found, int) or "can select" in found or "need one that the tensor engine has" in found


def test_some_of_them_fit_and_some_do_not():
    found = set()
    for seed in range(150):
        draw = Draw(seed)
        gemm, hardware = random_product(draw), random_hardware(draw)
        m, n, k = legal_tiles(gemm, hardware, np.random.default_rng(seed))
        walk = TileWalk(gemm=gemm, hardware=hardware, tile_m=m, tile_n=n, tile_k=k, order="mnk", west="a")
        found.add(walk.fits)
    assert found == {True, False}


@pytest.mark.parametrize("order", ["".join(each) for each in itertools.permutations("mnk")])
def test_an_operand_that_fits_is_read_once_in_any_order(order):
    """Both operands of 64 x 64 x 64 fit the reference design many times over."""
    gemm, hardware = plain(64, 64, 64), DESIGNS[0]
    mapping = best_mapping(gemm, hardware).mapping
    tiled = type(mapping)(array=mapping.array, tile_m=16, tile_n=16, tile_k=16, order=order)
    cost = product_cost(gemm, hardware, tiled)
    assert (cost.read_bytes, cost.write_bytes) == (2 * 64 * 64 * 2, 64 * 64 * 2)
