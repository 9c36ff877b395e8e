"""Products by what a structure leaves of a weight are those of the smaller layers that are left, GEMM by GEMM."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.configs.formats import parse_format
from bisparse.dataflow.lowering import lower
from bisparse.dataflow.structured_products import bound, in_parts
from bisparse.sim.product.single_product import plain_product
from bisparse.training.graph import Convolution, MatrixProduct, Operator, Size, Stage
from bisparse.training.recipes.annotation import Pruning
from hypothesis import given, settings
from hypothesis import strategies as st

BATCH = 3


def convolution(outputs, inputs, *, groups=1, stride=1, kernel=3, transposed=False):
    size = ((9 - 1) * stride + kernel - 2, (7 - 1) * stride + kernel - 2)
    small = (9, 7)
    return Convolution(
        batch=Size(per_sample=1),
        groups=groups,
        in_channels=inputs,
        out_channels=outputs,
        input_size=small if transposed else size,
        output_size=size if transposed else small,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        padding=(1, 1),
        dilation=(1, 1),
        transposed=transposed,
    )


def linear(outputs, inputs, stage):
    tokens, out, into = Size(per_sample=5), Size(fixed=outputs), Size(fixed=inputs)
    m, n, k = {
        Stage.FORWARD: (tokens, out, into),
        Stage.BACKWARD: (tokens, into, out),
        Stage.WEIGHT_GRADIENT: (into, out, tokens),
    }[stage]
    return MatrixProduct(m=m, n=n, k=k)


def operator(geometry, stage):
    return Operator(
        name="layer",
        kind="linear",
        stage=stage,
        module="layer",
        inputs=("x", "w"),
        outputs=("y",),
        geometry=geometry,
        parameter="w",
    )


def lowered(geometry, stage, text):
    """With a weight of a format that is written as FF sees it."""
    sparse = parse_format(text)
    seen = sparse.turned if stage is Stage.BACKWARD else sparse
    operand = "result" if stage is Stage.WEIGHT_GRADIENT else "weight"
    return lower(operator(geometry, stage), BATCH, Pruning(operand=operand, pattern=seen, reduced_on_load=False))


def sizes(gemms):
    return [(gemm.m, gemm.n, gemm.k, gemm.count, gemm.taps, gemm.packable, gemm.window) for gemm in gemms]


KINDS = {
    "3x3": {},
    "3x3 stride 2": {"stride": 2},
    "4x4 stride 2": {"stride": 2, "kernel": 4},
    "2x2 stride 2": {"stride": 2, "kernel": 2},
    "transposed": {"transposed": True, "stride": 2},
    "grouped": {"groups": 2},
}


@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_without_rows_or_columns_a_convolution_is_one_with_fewer_channels(kind, stage):
    groups = kind.get("groups", 1)
    for text, outputs, inputs in (("25% of rows", 12, 8), ("50% of columns", 16, 4)):
        whole, left = convolution(16, 8, **kind), convolution(outputs, inputs, **kind)
        found, small = lowered(whole, stage, text), lower(operator(left, stage), BATCH)
        assert sizes(found.gemms) == sizes(small.gemms)
        assert found.useful_macs == small.useful_macs
        written = sum(gemm.count * gemm.m * gemm.n for gemm in found.gemms)
        if stage is not Stage.WEIGHT_GRADIENT:
            spatial, channels = (
                (whole.output_size, whole.out_channels)
                if stage is Stage.FORWARD
                else (whole.input_size, whole.in_channels)
            )
            assert written + found.zero_fill_elements == BATCH * int(np.prod(spatial)) * channels
        else:
            assert found.zero_fill_elements == 0
            assert written == kind.get("kernel", 3) ** 2 * outputs * inputs // groups


@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT])
@pytest.mark.parametrize("kind", [name for name in KINDS if name != "grouped"])
def test_blocks_on_the_diagonal_are_groups_of_a_convolution(kind, stage):
    whole = convolution(16, 8, **KINDS[kind])
    found = lowered(whole, stage, "4 diagonal blocks")
    grouped = lower(operator(replace(whole, groups=4), stage), BATCH)
    assert sizes(found.gemms) == sizes(grouped.gemms)
    assert found.useful_macs == grouped.useful_macs
    assert found.zero_fill_elements == grouped.zero_fill_elements


@pytest.mark.parametrize(
    ("text", "outputs", "inputs"), [("50% of rows", 6, 20), ("50% of columns", 12, 10), ("0% of rows", 12, 20)]
)
@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT])
def test_a_linear_layer_without_them_is_a_smaller_one(stage, text, outputs, inputs):
    found = lowered(linear(12, 20, stage), stage, text)
    assert sizes(found.gemms) == sizes(lower(operator(linear(outputs, inputs, stage), stage), BATCH).gemms)


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.sampled_from(["rows", "columns", "blocks", "band"])
)
@settings(deadline=None, max_examples=150)
def test_parts_are_what_the_mask_has(outputs, inputs, number, kind):
    text = {"blocks": f"{number} diagonal blocks", "band": f"band {number - 1}"}.get(kind, f"{number}0% of {kind}")
    sparse = parse_format(text)
    mask = sparse.mask(np.random.default_rng(number), outputs, inputs)
    on = sparse.on(outputs, inputs)
    assert on.kept == mask.sum()
    assert on.share == (mask.sum(), mask.size)
    turned = sparse.turned.on(inputs, outputs)
    assert turned.kept == mask.sum()
    assert turned == on.turned
    if kind in ("blocks", "band"):
        assert np.array_equal(turned.mask(np.random.default_rng(0), inputs, outputs), mask.T)
    held = sum(part.outputs * part.inputs * part.times for part in on.parts())
    assert held == mask.sum() if kind != "band" else held >= mask.sum()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 8), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_stretches_of_a_band_give_the_product(outputs, inputs, beside, seed):
    """Stretch by stretch, found again in the mask itself, of the very sizes that the parts say."""
    sparse, draw = parse_format(f"band {beside}"), np.random.default_rng(seed)
    mask = sparse.mask(draw, outputs, inputs)
    x, weight = draw.integers(-9, 9, (4, inputs)), draw.integers(-9, 9, (outputs, inputs)) * mask
    found, parts = np.zeros((4, outputs), dtype=int), {}
    for start in range(0, outputs, 2 * beside + 1):
        rows = np.arange(start, min(start + 2 * beside + 1, outputs))
        rows = rows[mask[rows].any(axis=1)]
        if len(rows):
            columns = np.flatnonzero(mask[rows].any(axis=0))
            columns = np.arange(columns[0], columns[-1] + 1)
            found[:, rows] = x[:, columns] @ weight[np.ix_(rows, columns)].T
            parts[len(rows), len(columns)] = parts.get((len(rows), len(columns)), 0) + 1
    assert np.array_equal(found, x @ weight.T)
    assert parts == {(part.outputs, part.inputs): part.times for part in sparse.on(outputs, inputs).parts()}


def test_what_a_band_multiplies_and_what_of_it_is_useful():
    found = lowered(linear(64, 64, Stage.FORWARD), Stage.FORWARD, "band 2")
    useful = sum(min(63, row + 2) - max(0, row - 2) + 1 for row in range(64))
    assert found.useful_macs == 5 * BATCH * useful
    issued = sum(gemm.issued_macs for gemm in found.gemms)
    assert found.useful_macs < issued < 2 * found.useful_macs
    assert len({gemm.name for gemm in found.gemms}) == len(found.gemms)
    assert not any(gemm.packable for gemm in found.gemms)


def test_results_beside_each_other_along_n_keep_their_places():
    """A patch embedding backwards: the results of all kernel positions in one product."""
    geometry = replace(convolution(16, 8, stride=2, kernel=2), padding=(0, 0), input_size=(18, 14))
    whole, left = lower(operator(geometry, Stage.BACKWARD), BATCH).gemms, None
    assert len(whole) == 1
    assert whole[0].n == 4 * 8
    (left,) = lowered(geometry, Stage.BACKWARD, "50% of columns").gemms
    assert (left.n, left.result_piece) == (4 * 4, whole[0].result_piece // 2)


def test_one_product_alone_says_the_sizes_of_what_is_left():
    with pytest.raises(Exception, match="leaves dense products of their own; try 512x64x128"):
        plain_product(512, 256, 512, parse_format("4 diagonal blocks"))


def test_nothing_gone_is_the_whole_product():
    gemm = plain_product(8, 12, 20)
    left = bound(parse_format("1 diagonal blocks"), operator(linear(12, 20, Stage.FORWARD), Stage.FORWARD))
    assert in_parts(gemm, left) == [gemm]
    assert parse_format("0% of rows").is_dense
    assert parse_format("1 diagonal blocks").is_dense
    assert parse_format("band 30").on(12, 20).is_dense
    assert not parse_format("band 3").on(12, 20).is_dense
