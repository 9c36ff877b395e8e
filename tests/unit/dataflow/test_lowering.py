"""Lowered convolutions compute what convolutions compute: every kind, every stage, in numpy, GEMM by GEMM.

A convolution ties narrow position y and kernel position t to wide position y * stride - padding + t * dilation.
Operands are laid out here from that relation alone and must have the shapes that lowering says; the products must give
the sums over all (wide position, narrow position, kernel position) triples.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.lowering import lower
from bisparse.training.graph import Convolution, Operator, Size, Stage
from bisparse.training.recipes.annotation import Pruning

BATCH = 2


def convolution(size, kernel, *, stride=1, padding=0, dilation=1, groups=1, channels=(4, 6), transposed=False, extra=0):
    """A geometry, one number an axis or the same for all; ``extra`` is a transposed convolution's output padding."""

    def axes(value):
        return value if isinstance(value, tuple) else (value,) * len(size)

    kernel, stride, padding, dilation = map(axes, (kernel, stride, padding, dilation))
    settings = list(zip(size, kernel, stride, padding, dilation, strict=True))
    if transposed:
        output = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 + extra for n, k, s, p, d in settings)
    else:
        output = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in settings)
    return Convolution(
        batch=Size(per_sample=1),
        groups=groups,
        in_channels=channels[0],
        out_channels=channels[1],
        input_size=size,
        output_size=output,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        transposed=transposed,
    )


KINDS = {
    "3x3": convolution((6, 5), 3, padding=1),
    "1x1": convolution((4, 3), 1),
    "1x1 with padding": convolution((4, 3), 1, padding=1),
    "3x3 stride 2, even": convolution((8, 6), 3, stride=2, padding=1),
    "3x3 stride 2, odd": convolution((7, 5), 3, stride=2, padding=1),
    "1x1 stride 2": convolution((6, 5), 1, stride=2),
    "2x2 stride 2": convolution((6, 6), 2, stride=2),
    "2x2 stride 3": convolution((8, 7), 2, stride=3),
    "5x5 stride 3": convolution((11, 10), 5, stride=3, padding=2),
    "7x7 stride 2, padding 3": convolution((9, 8), 7, stride=2, padding=3),
    "stride by axis": convolution((6, 7), (3, 1), stride=(1, 2), padding=(1, 0)),
    "kernel by axis": convolution((6, 7), (1, 3), stride=(2, 1), padding=(0, 1)),
    "dilated": convolution((8, 7), 3, dilation=2, padding=2),
    "dilated and strided": convolution((9, 8), 3, dilation=2, stride=2, padding=2),
    "dilated 3, stride 2": convolution((11, 9), 3, dilation=3, stride=2, padding=1),
    "dilated 2, stride 4": convolution((13, 9), 3, dilation=2, stride=4, padding=1),
    "stride beyond the image": convolution((2, 3), 2, stride=4),
    "grouped": convolution((6, 5), 3, padding=1, groups=2),
    "grouped and strided": convolution((7, 5), 3, stride=2, padding=1, groups=2),
    "depthwise": convolution((6, 5), 3, padding=1, groups=4, channels=(4, 4)),
    "depthwise, multiplier 2": convolution((6, 5), 3, stride=2, padding=1, groups=4, channels=(4, 8)),
    "1-d": convolution((9,), 4, stride=2, padding=1),
    "3-d": convolution((4, 5, 3), 3, stride=(1, 2, 1), padding=1, channels=(2, 3)),
    "transposed": convolution((4, 3), 3, stride=2, padding=1, transposed=True),
    "transposed, output padding": convolution((4, 3), 3, stride=2, padding=1, transposed=True, extra=1),
    "transposed 4x4 stride 2": convolution((4, 3), 4, stride=2, padding=1, transposed=True),
    "transposed 2x2 stride 3": convolution((3, 4), 2, stride=3, transposed=True, extra=1),
    "transposed and grouped": convolution((3, 4), 3, stride=2, transposed=True, groups=2),
    "transposed and dilated": convolution((4, 3), 3, stride=2, dilation=3, padding=1, transposed=True),
    "transposed 1-d": convolution((5,), 3, stride=3, transposed=True),
}


class Relation:
    """Which wide and narrow positions a kernel position ties together, and tensors laid over them."""

    def __init__(self, geometry):
        self.geometry = geometry
        pair = (geometry.input_size, geometry.output_size)
        self.wide, self.narrow = pair[::-1] if geometry.transposed else pair
        channels = (geometry.in_channels // geometry.groups, geometry.out_channels // geometry.groups)
        self.wide_channels, self.narrow_channels = channels[::-1] if geometry.transposed else channels
        self.taps = list(itertools.product(*(range(extent) for extent in geometry.kernel)))
        self.wide_positions = list(itertools.product(*(range(extent) for extent in self.wide)))
        self.narrow_positions = list(itertools.product(*(range(extent) for extent in self.narrow)))
        draw = np.random.default_rng(0)
        groups = geometry.groups
        self.wide_values = draw.integers(-5, 6, (BATCH, groups, *self.wide, self.wide_channels))
        self.narrow_values = draw.integers(-5, 6, (BATCH, groups, *self.narrow, self.narrow_channels))
        self.weight = draw.integers(-5, 6, (groups, *geometry.kernel, self.wide_channels, self.narrow_channels))

    def wide_of(self, narrow, tap):
        """The wide position tied to a narrow one, inside the image or not."""
        geometry = self.geometry
        return tuple(
            y * s - p + t * d
            for y, t, s, p, d in zip(narrow, tap, geometry.stride, geometry.padding, geometry.dilation, strict=True)
        )

    def narrow_of(self, wide, tap):
        """The narrow position tied to a wide one, inside or not; None when no whole position is."""
        found = []
        geometry = self.geometry
        for w, t, s, p, d in zip(wide, tap, geometry.stride, geometry.padding, geometry.dilation, strict=True):
            y, rest = divmod(w + p - t * d, s)
            if rest:
                return None
            found.append(y)
        return tuple(found)

    @property
    def triples(self):
        """All triples inside both tensors."""
        for narrow in self.narrow_positions:
            for tap in self.taps:
                wide = self.wide_of(narrow, tap)
                if inside(wide, self.wide):
                    yield wide, narrow, tap

    def phases(self):
        """Wide positions that the same kernel positions reach, by their remainder."""
        found = {}
        for wide in self.wide_positions:
            phase = tuple(w % s for w, s in zip(wide, self.geometry.stride, strict=True))
            found.setdefault(phase, []).append(wide)
        for phase, positions in found.items():
            yield phase, positions, [tap for tap in self.taps if self.narrow_of(positions[0], tap) is not None]


def inside(position, size):
    return all(0 <= at < extent for at, extent in zip(position, size, strict=True))


def value_at(values, group, image, position, size, channels):
    return values[(image, group, *position)] if inside(position, size) else np.zeros(channels, dtype=int)


def operator_of(geometry, stage):
    return Operator(
        name=f"layer:{stage}",
        kind="convolution",
        stage=stage,
        module="layer",
        inputs=("x", "w"),
        outputs=("y",),
        geometry=geometry,
        parameter="w",
    )


def lowered_of(geometry, stage):
    return lower(operator_of(geometry, stage), BATCH)


def gathers(geometry):
    return Stage.BACKWARD if geometry.transposed else Stage.FORWARD


def scatters(geometry):
    return Stage.FORWARD if geometry.transposed else Stage.BACKWARD


every_kind = pytest.mark.parametrize("geometry", KINDS.values(), ids=KINDS)


def patches(relation, group):
    """[positions, taps x channels] the wide tensor's patches."""
    return np.array(
        [
            np.concatenate(
                [
                    value_at(
                        relation.wide_values, group, image, relation.wide_of(narrow, tap), relation.wide,
                        relation.wide_channels,
                    )
                    for tap in relation.taps
                ]
            )
            for image in range(BATCH)
            for narrow in relation.narrow_positions
        ]
    )  # fmt: skip


@every_kind
def test_wide_to_narrow_is_one_product_over_patches(geometry):
    relation = Relation(geometry)
    lowered = lowered_of(geometry, gathers(geometry))
    (gemm,) = lowered.gemms
    assert gemm.count == geometry.groups
    assert lowered.zero_fill_elements == 0
    for group in range(geometry.groups):
        a = patches(relation, group)
        b = relation.weight[group].reshape(-1, relation.narrow_channels)
        assert (a.shape, b.shape) == ((gemm.m, gemm.k), (gemm.k, gemm.n))
        expected = np.zeros((BATCH, *relation.narrow, relation.narrow_channels), dtype=int)
        for wide, narrow, tap in relation.triples:
            expected[(slice(None), *narrow)] += (
                relation.wide_values[(slice(None), group, *wide)] @ relation.weight[(group, *tap)]
            )
        assert np.array_equal((a @ b).reshape(expected.shape), expected)


@every_kind
def test_weight_gradients_are_one_product_of_patches_and_the_narrow_tensor(geometry):
    relation = Relation(geometry)
    lowered = lowered_of(geometry, Stage.WEIGHT_GRADIENT)
    (gemm,) = lowered.gemms
    assert (gemm.tap_axis, gemm.position_axis, gemm.result) == ("m", "k", "sum")
    for group in range(geometry.groups):
        a = patches(relation, group).T
        b = relation.narrow_values[:, group].reshape(-1, relation.narrow_channels)
        assert (a.shape, b.shape, gemm.count) == ((gemm.m, gemm.k), (gemm.k, gemm.n), geometry.groups)
        expected = np.zeros(relation.weight[group].shape, dtype=int)
        for wide, narrow, tap in relation.triples:
            expected[tap] += (
                relation.wide_values[(slice(None), group, *wide)].T
                @ relation.narrow_values[(slice(None), group, *narrow)]
            )
        assert np.array_equal((a @ b).reshape(expected.shape), expected)


@every_kind
def test_narrow_to_wide_is_a_product_a_phase_and_zeros_where_none_reaches(geometry):
    relation = Relation(geometry)
    lowered = lowered_of(geometry, scatters(geometry))
    gemms = {gemm.name: gemm for gemm in lowered.gemms}
    assert len(gemms) == len(lowered.gemms), "names are unique"
    result = np.zeros(relation.wide_values.shape, dtype=int)
    unreached, every = 0, math.prod(geometry.stride)
    # Of a stride that is the kernel all phases are one product, side by side along n.
    merged = gemms.pop(f"layer:{scatters(geometry)}", None) if every > 1 else None
    if merged is not None:
        assert geometry.stride == geometry.kernel
        assert len(list(relation.phases())) == every
        assert (merged.n, merged.result_piece) == (
            every * relation.wide_channels,
            geometry.stride[-1] * relation.wide_channels,
        )
    for phase, positions, taps in relation.phases():
        suffix = f"[{','.join(map(str, phase))}]" if math.prod(geometry.stride) > 1 else ""
        if not taps:
            unreached += BATCH * len(positions) * relation.wide_channels * geometry.groups
            assert f"layer:{scatters(geometry)}{suffix}" not in gemms
            continue
        gemm = replace(merged, n=merged.n // every) if merged else gemms.pop(f"layer:{scatters(geometry)}{suffix}")
        assert (gemm.taps, gemm.count, gemm.tap_axis) == (len(taps), geometry.groups, "k")
        for group in range(geometry.groups):
            a = np.array(
                [
                    np.concatenate(
                        [
                            value_at(
                                relation.narrow_values, group, image, relation.narrow_of(wide, tap), relation.narrow,
                                relation.narrow_channels,
                            )
                            for tap in taps
                        ]
                    )
                    for image in range(BATCH)
                    for wide in positions
                ]
            )  # fmt: skip
            b = np.concatenate([relation.weight[(group, *tap)].T for tap in taps])
            assert (a.shape, b.shape) == ((gemm.m, gemm.k), (gemm.k, gemm.n))
            product = (a @ b).reshape(BATCH, len(positions), relation.wide_channels)
            for index, wide in enumerate(positions):
                result[(slice(None), group, *wide)] = product[:, index]
    assert gemms == {}, "no product beside the phases"
    assert lowered.zero_fill_elements == unreached
    expected = np.zeros_like(result)
    for wide, narrow, tap in relation.triples:
        for group in range(geometry.groups):
            expected[(slice(None), group, *wide)] += (
                relation.narrow_values[(slice(None), group, *narrow)] @ relation.weight[(group, *tap)].T
            )
    assert np.array_equal(result, expected)


@every_kind
def test_no_stage_multiplies_by_an_inserted_zero(geometry):
    """Issued multiplications stay with the triples, but for taps that hang over an edge."""
    relation = Relation(geometry)
    pair = geometry.in_channels * geometry.out_channels // geometry.groups
    least = BATCH * pair * sum(1 for _ in relation.triples)
    overhanging = BATCH * pair * sum(
        1
        for wide in relation.wide_positions
        for tap in relation.taps
        if (narrow := relation.narrow_of(wide, tap)) is not None and not inside(narrow, relation.narrow)
    )  # fmt: skip
    issued = sum(gemm.issued_macs for gemm in lowered_of(geometry, scatters(geometry)).gemms)
    assert issued == least + overhanging
    for stage in (Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT):
        lowered = lowered_of(geometry, stage)
        assert lowered.useful_macs == BATCH * pair * len(relation.narrow_positions) * len(relation.taps)


def inputs_read(relation, stage, phase, taps, axis, outputs):
    """Positions of the image along an axis, outside ones included, that some positions of C along it read."""
    geometry = relation.geometry
    for output in outputs:
        if stage is scatters(geometry):
            stride = geometry.stride[axis]
            for tap in taps:
                wide = phase[axis] + output * stride
                y, rest = divmod(wide + geometry.padding[axis] - tap[axis] * geometry.dilation[axis], stride)
                assert rest == 0
                yield y
        else:
            for tap in relation.taps:
                narrow = [0] * len(relation.narrow)
                narrow[axis] = output
                yield relation.wide_of(tuple(narrow), tap)[axis]


@every_kind
@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT])
def test_windows_reach_the_positions_that_the_convolution_reads(geometry, stage):
    relation = Relation(geometry)
    by_phase = {phase: taps for phase, _, taps in relation.phases()}
    scattered = stage is scatters(geometry)
    source = relation.narrow if scattered else relation.wide
    for gemm in lowered_of(geometry, stage).gemms:
        phase = tuple(map(int, gemm.name.split("[")[1][:-1].split(","))) if "[" in gemm.name else (0,) * len(source)
        positions = gemm.m if gemm.position_axis == "m" else gemm.k
        if gemm.window is None:
            assert gemm.taps == 1
            assert positions == BATCH * math.prod(source)
            continue
        window = gemm.window
        assert positions == window.images * window.image_positions
        assert tuple(axis.inputs for axis in window.axes) == tuple(source)
        taps = by_phase[phase] if scattered else relation.taps
        for number, axis in enumerate(window.axes):
            for stretch in range(1, axis.positions + 1):
                read = list(inputs_read(relation, stage, phase, taps, number, range(stretch)))
                assert max(read) - min(read) + 1 == (stretch - 1) * axis.stride + axis.reach


def test_pruned_weights_thin_out_along_the_channels_of_each_kernel_position():
    geometry = convolution((4, 4), 3, padding=1, channels=(20, 16))
    pruning = Pruning(operand="weight", pattern=Pattern(2, 8), reduced_on_load=False)
    lowered = lower(operator_of(geometry, Stage.FORWARD), BATCH, pruning)
    (gemm,) = lowered.gemms
    assert (gemm.compressed, gemm.slots) == ("b", 9 * (2 + 2 + 2))
    assert lowered.useful_macs == BATCH * 16 * 16 * 9 * 6
    backward = lower(operator_of(geometry, Stage.BACKWARD), BATCH, pruning)
    assert backward.gemms[0].slots == 9 * 4


def test_a_pruned_gradient_is_operand_a_of_the_backward_pass():
    geometry = convolution((6, 6), 3, stride=2, padding=1, channels=(8, 16))
    pruning = Pruning(operand="gradient", pattern=Pattern(2, 8), reduced_on_load=True)
    lowered = lower(operator_of(geometry, Stage.BACKWARD), BATCH, pruning)
    assert {(gemm.compressed, gemm.reduced_on_load) for gemm in lowered.gemms} == {("a", "a")}
    assert [gemm.slots for gemm in lowered.gemms] == [4, 8, 8, 16]
