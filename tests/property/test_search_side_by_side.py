"""Products that are searched or priced side by side get what each gets alone."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.design_view import of_design
from bisparse.dataflow.epilogue import NO_EPILOGUE, Epilogue
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.gemm_batch import GemmBatch, batches_of
from bisparse.dataflow.objective import Objective
from bisparse.dataflow.product_cost import MappedProducts, mapped_cost, product_cost
from bisparse.dataflow.search import Choice, best_mapping, best_mappings
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.training.graph import Stage

from .every_mapping import PRICES

SAT = load_hardware("sat-vcu1525").model


def plain(name, m, n, k, **kind):
    return Gemm(name=name, operator=name, stage=Stage.FORWARD, m=m, n=n, k=k, **kind)


def convolution(name, images, side, channels, n, reach=3, **kind):
    axis = SpatialAxis(positions=side, inputs=side + 1, stride=1, reach=reach)
    window = Window(images=images, axes=(axis, axis))
    taps = reach**2
    return plain(name, images * side**2, n, taps * channels, taps=taps, window=window, **kind)


def products(seed):
    draw = np.random.default_rng(seed)

    def size(most):
        return int(draw.integers(1, most))

    kind = {"b": Pattern(2, 8)} if draw.random() < 0.5 else {}
    windows = [convolution(f"c{at}", size(5), size(20), 8 * size(9), size(200), size(4), **kind) for at in range(4)]
    flat = [plain(f"p{at}", size(900), size(900), 8 * size(300), **kind) for at in range(5)]
    heads = [replace(each, count=size(6)) for each in flat[:2]]
    return [*windows, *flat, *heads, plain("one", 1, 1, 8, **kind)]


@pytest.mark.parametrize("name", ["time", "energy"])
@pytest.mark.parametrize("seed", range(3))
def test_each_gets_what_it_gets_alone(seed, name):
    hardware = load_hardware(("sat-vcu1525", "sat-vcu1525-timed", "sat-vcu1525")[seed]).model
    gemms, objective = products(seed), Objective(name=name, energy=PRICES)
    assert any(len(each) > 1 for each in batches_of(gemms, 16))
    together = best_mappings(gemms, hardware, objective=objective)
    for gemm, found in zip(gemms, together, strict=True):
        alone = best_mapping(gemm, hardware, objective=objective)
        assert replace(found, timed_exactly=0) == replace(alone, timed_exactly=0)


@pytest.mark.parametrize("applied", [(0.0, 0.0), (1.5, 0.0)])
@pytest.mark.parametrize("rides", [False, True])
def test_each_costs_what_it_costs_alone(rides, applied):
    lanes = SAT.vector_engine.model_copy(update={"load_lanes": 16})
    design = SAT.model_copy(update={"vector_engine": lanes})
    gemms = [replace(each, applied=applied) for each in products(0)]
    after = [_epilogue(gemm) if rides else NO_EPILOGUE for gemm in gemms]
    mappings = [each.mapping for each in best_mappings(gemms, design)]
    for numbers in batches_of(gemms, len(gemms)):
        mapped = MappedProducts.of_each([gemms[at] for at in numbers], design, [mappings[at] for at in numbers])
        together = mapped_cost(mapped, Epilogue.joined([after[at] for at in numbers]))
        for place, at in enumerate(numbers):
            assert of_design(together, place) == product_cost(gemms[at], design, mappings[at], after[at])


def _epilogue(gemm):
    elements = gemm.results
    return Epilogue(
        lane_operations=0.7 * elements, moved_bytes=5 * elements, result_elements=elements, result_bytes=2 * elements
    )


def test_one_that_fits_nowhere_leaves_the_others_theirs():
    small = SAT.buffers.model_copy(update={"west": SAT.buffers.west.model_copy(update={"capacity_bytes": 900})})
    design = SAT.model_copy(update={"buffers": small})
    wide = convolution("wide", 1, 64, 2, 8, reach=50)
    gemms = [convolution("fits", 1, 4, 2, 8), wide, convolution("fits too", 1, 6, 3, 8)]
    assert len(batches_of(gemms, 16)) == 1
    first, refused, last = best_mappings(gemms, design)
    assert isinstance(first, Choice)
    assert isinstance(last, Choice)
    assert "no tile of wide fits" in str(refused)
    assert str(first.mapping) == str(best_mapping(gemms[0], design).mapping)


def test_a_pattern_that_the_design_lacks_is_refused_of_each_by_name():
    found = best_mappings([plain(name, 8, 8, 45, b=Pattern(7, 9)) for name in ("one", "two")], SAT)
    assert [str(each).partition(":")[0] for each in found] == ["one", "two"]


def test_a_product_too_large_for_64_bits_stands_alone():
    huge, small = plain("huge", 1 << 30, 1 << 30, 1 << 30), plain("small", 8, 8, 8)
    assert batches_of([huge, small, huge, small], 16) == [[0], [1, 3], [2]]
    assert GemmBatch.of([huge]) is huge
