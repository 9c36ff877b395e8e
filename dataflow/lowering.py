"""Operators to GEMMs.

A convolution relates a wide tensor (its input) and a narrow one (its output):

- gather, wide to narrow: FF of a convolution, BP of a transposed one: one GEMM over patches of the wide tensor;
- scatter, narrow to wide: BP of a convolution, FF of a transposed one: one GEMM a phase of the wide grid, so that
  nothing is ever multiplied by an inserted zero; phases that no kernel position reaches are filled with zeros; phases
  of one kernel position each, on the same patches, are one GEMM;
- weight gradient: patches of the wide tensor, transposed, times the narrow one.

Groups of a convolution are ``count`` small GEMMs; those of a grouped product (experts) are as many of each size as
there are groups of it, the axis shared out in whole rows. Attention of which not all scores are computed is a GEMM for
the rows of scores of each size, or columns (``training.score_patterns``). Source: docs/hardware-model.md, "A training
step".
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..configs.pattern import DENSE
from ..configs.structured import Structured
from ..configs.terms import Terms
from ..training.graph import ComputedScores, Convolution, MatrixProduct, Operator, Stage
from ..training.recipes.annotation import Pruning
from ..training.recipes.streamed_zeros import StreamedZeros
from .gemm import Gemm, Operand, those
from .structured_products import bound, in_parts, unwritten
from .term_products import in_terms, terms_of
from .window import SpatialAxis, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What one operator asks of the hardware.

    Attributes:
        gemms: products for the tensor engine, in order.
        zero_fill_elements: result elements that no product writes.
        useful_macs: multiply-accumulates that the algorithm keeps: those asked for times the kept fraction.
    """

    gemms: tuple[Gemm, ...]
    zero_fill_elements: int
    useful_macs: int


def lower(
    operator: Operator, batch: int, pruning: Pruning | None = None, streamed: StreamedZeros | None = None
) -> Lowered:
    """Lower one product operator at this batch size, with what the recipe prunes of it and zeros that stream in."""
    geometry = operator.geometry
    if geometry is None:
        raise ValueError(f"{operator.name} is not a matrix product")
    if isinstance(geometry, MatrixProduct):
        gemms, zeros = _matrix_products(operator, geometry, batch)
    else:
        gemms, zeros = _convolution(operator, geometry, batch)
    if pruning is not None and isinstance(pruning.pattern, Structured):
        left = bound(pruning.pattern, operator)
        parts = tuple(_stream(part, operator, streamed) for gemm in gemms for part in in_parts(gemm, left))
        zeros += sum(unwritten(gemm, left) for gemm in gemms)
        useful = geometry.macs(batch) * left.kept // (left.outputs * left.inputs)
        return Lowered(gemms=parts, zero_fill_elements=zeros, useful_macs=useful)
    if pruning is not None and isinstance(pruning.pattern, Terms):
        of_all = tuple(in_terms(gemm, pruning.pattern) for gemm in gemms)
        kept = terms_of(of_all[0]) * of_all[0].kept_share if of_all else 1.0
        return Lowered(gemms=of_all, zero_fill_elements=zeros, useful_macs=round(geometry.macs(batch) * kept))
    pruned = tuple(_prune(gemm, operator, pruning) for gemm in gemms)
    kept = pruned[0].kept_share if pruned else 1.0
    pruned = tuple(_stream(gemm, operator, streamed) for gemm in pruned)
    return Lowered(gemms=pruned, zero_fill_elements=zeros, useful_macs=round(geometry.asked_macs(batch) * kept))


def _prune(gemm: Gemm, operator: Operator, pruning: Pruning | None) -> Gemm:
    if pruning is None or pruning.pattern.is_dense:
        return gemm
    reduced: Operand = "b" if pruning.operand == "weight" else "a"
    if gemm.stage is Stage.WEIGHT_GRADIENT and (
        isinstance(operator.geometry, Convolution) or pruning.operand == "gradient"
    ):
        # A is the input, or the patches of a convolution, which have no groups along positions.
        reduced = "b"
    sparse = replace(gemm, reduced_on_load=reduced if pruning.reduced_on_load else None)
    return replace(sparse, b=pruning.pattern) if reduced == "b" else replace(sparse, a=pruning.pattern)


def _stream(gemm: Gemm, operator: Operator, streamed: StreamedZeros | None) -> Gemm:
    """A product with the zeros of operands that lie dense in memory, as whoever made them wrote them.

    A is the input in FF and the gradient in BP, each summed over along its rows; in WU, which sums over them, it is the
    input and B the gradient, exchanged where patches are those of the gradient. An operand that is pruned keeps its
    format.
    """
    if streamed is None:
        return gemm
    if gemm.stage is Stage.WEIGHT_GRADIENT:
        streamed = StreamedZeros(input=streamed.input.turned, gradient=streamed.gradient.turned)
    a, b = (streamed.gradient, DENSE) if gemm.stage is Stage.BACKWARD else (streamed.input, streamed.gradient)
    if (
        gemm.stage is Stage.WEIGHT_GRADIENT
        and isinstance(operator.geometry, Convolution)
        and operator.geometry.transposed
    ):
        a, b = b, a
    before = gemm.sparse
    a, b = (gemm.a if "a" in before else a), (gemm.b if "b" in before else b)
    encoded = those("a" not in before and not a.is_dense, "b" not in before and not b.is_dense)
    return replace(gemm, a=a, b=b, encoded_on_load=encoded)


def _matrix_products(operator: Operator, product: MatrixProduct, batch: int) -> tuple[list[Gemm], int]:
    """One GEMM, or of a grouped product one for all groups of a size, and the results that no group writes.

    A group without a share has no rows of a result; the weight gradient of its weight is zero all over.
    """
    whole = _matrix_product(operator, product, batch)
    if product.scores is not None:
        return _scores(whole, product.scores, product.scored(batch))
    if product.grouped is None:
        return [whole], 0
    alike = Counter(product.group_extents(batch))
    idle = alike.pop(0, 0)
    gemms = [
        replace(
            whole,
            name=f"{operator.name}[{count}x{extent}]" if len(alike) > 1 else operator.name,
            m=extent if product.grouped == "m" else whole.m,
            n=extent if product.grouped == "n" else whole.n,
            k=extent if product.grouped == "k" else whole.k,
            count=count,
        )
        for extent, count in sorted(alike.items(), reverse=True)
    ]
    return gemms, idle * whole.m * whole.n if product.grouped == "k" else 0


def _scores(whole: Gemm, scores: ComputedScores, square: tuple[int, int]) -> tuple[list[Gemm], int]:
    """A product of attention as one GEMM for all rows of scores of a size; the results that none of them writes.

    Where queries are summed over, columns of scores: the gradients of keys and values. A key that no query sees has a
    gradient of zeros, and a query that sees no key a result of zeros.
    """
    by_columns = scores.queries == "k"
    cut = scores.pattern.columns if by_columns else scores.pattern.rows
    own, other = (scores.keys, scores.queries) if by_columns else (scores.queries, scores.keys)
    shapes = cut(*square)
    gemms: list[Gemm] = []
    for (taken, met), times in shapes.items():
        sides = {"m": whole.m, "n": whole.n, "k": whole.k, own: taken, other: met}
        name = f"{whole.name}[{taken}x{met}]"
        gemms.append(replace(whole, name=name, m=sides["m"], n=sides["n"], k=sides["k"], count=whole.count * times))
    if other != "k":
        # Its result are the scores themselves: those that are not computed are not stored.
        return gemms, 0
    idle = (square[1] if by_columns else square[0]) - sum(taken * times for (taken, _), times in shapes.items())
    return gemms, idle * whole.count * (whole.n if own == "m" else whole.m)


def _matrix_product(operator: Operator, product: MatrixProduct, batch: int) -> Gemm:
    weight_gradient = operator.stage is Stage.WEIGHT_GRADIENT
    weight_backward = operator.stage is Stage.BACKWARD and operator.parameter is not None
    return Gemm(
        name=operator.name,
        operator=operator.name,
        stage=operator.stage,
        m=product.m.at(batch),
        n=product.n.at(batch),
        k=product.k.at(batch),
        count=product.count.at(batch),
        tap_axis="m" if weight_gradient else "k",
        b_contiguous="k" if weight_backward else "n",
        result="sum" if weight_gradient else "value",
    )


def _convolution(operator: Operator, convolution: Convolution, batch: int) -> tuple[list[Gemm], int]:
    if operator.stage is Stage.WEIGHT_GRADIENT:
        return [_weight_gradient(operator, convolution, batch)], 0
    if (operator.stage is Stage.FORWARD) != convolution.transposed:
        return [_gather(operator, convolution, batch)], 0
    gemms = _scatter(operator, convolution, batch)
    written = sum(gemm.count * gemm.m * gemm.n for gemm in gemms)
    wide = _wide_size(convolution)
    channels = convolution.out_channels if convolution.transposed else convolution.in_channels
    return gemms, convolution.batch.at(batch) * math.prod(wide) * channels - written


def _wide_size(convolution: Convolution) -> tuple[int, ...]:
    return convolution.output_size if convolution.transposed else convolution.input_size


def _narrow_size(convolution: Convolution) -> tuple[int, ...]:
    return convolution.input_size if convolution.transposed else convolution.output_size


def _channels_a_group(convolution: Convolution) -> tuple[int, int]:
    """Wide and narrow channels of one group."""
    pair = (convolution.in_channels // convolution.groups, convolution.out_channels // convolution.groups)
    return pair[::-1] if convolution.transposed else pair


def _patches(convolution: Convolution, images: int) -> Window | None:
    """The window that gathers narrow positions out of the wide tensor; None when it is the identity."""
    wide, narrow = _wide_size(convolution), _narrow_size(convolution)
    if math.prod(convolution.kernel) == 1 and wide == narrow:
        return None
    reach = (d * (k - 1) + 1 for d, k in zip(convolution.dilation, convolution.kernel, strict=True))
    return _window(images, narrow, wide, convolution.stride, reach)


def _window(
    images: int, positions: Iterable[int], inputs: Iterable[int], stride: Iterable[int], reach: Iterable[int]
) -> Window:
    """A window of these numbers, one a spatial axis each."""
    axes = zip(positions, inputs, stride, reach, strict=True)
    return Window(
        images=images, axes=tuple(SpatialAxis(positions=p, inputs=i, stride=s, reach=r) for p, i, s, r in axes)
    )


def _gather(operator: Operator, convolution: Convolution, batch: int) -> Gemm:
    images = convolution.batch.at(batch)
    wide_channels, narrow_channels = _channels_a_group(convolution)
    taps = math.prod(convolution.kernel)
    return Gemm(
        name=operator.name,
        operator=operator.name,
        stage=operator.stage,
        m=images * math.prod(_narrow_size(convolution)),
        n=narrow_channels,
        k=taps * wide_channels,
        count=convolution.groups,
        packable=convolution.groups > 1,
        taps=taps,
        window=_patches(convolution, images),
        b_contiguous="n" if operator.stage is Stage.FORWARD else "k",
    )


def _weight_gradient(operator: Operator, convolution: Convolution, batch: int) -> Gemm:
    images = convolution.batch.at(batch)
    wide_channels, narrow_channels = _channels_a_group(convolution)
    taps = math.prod(convolution.kernel)
    return Gemm(
        name=operator.name,
        operator=operator.name,
        stage=operator.stage,
        m=taps * wide_channels,
        n=narrow_channels,
        k=images * math.prod(_narrow_size(convolution)),
        count=convolution.groups,
        packable=convolution.groups > 1,
        taps=taps,
        tap_axis="m",
        window=_patches(convolution, images),
        result="sum",
    )


def _scatter(operator: Operator, convolution: Convolution, batch: int) -> list[Gemm]:
    every = math.prod(convolution.stride)
    found = list(_phases(operator, convolution, batch))
    phases, offsets = [gemm for gemm, _ in found], [each for _, each in found]
    # Phases that all multiply A as it is, each by one kernel position of its own: one product, their results side by
    # side along n. So a patch embedding, whose stride is its kernel, runs backwards as one and not as one a position.
    plain = all(gemm.window is None for gemm in phases) and all(each == offsets[0] for each in offsets)
    if plain and len(phases) == every > 1:
        channels = phases[0].n
        merged = replace(
            phases[0],
            name=operator.name,
            n=every * channels,
            result_spacing=1,
            # The positions of one row of the kernel are neighbours in the image.
            result_piece=convolution.stride[-1] * channels,
        )
        return [merged]
    return phases


def _phases(operator: Operator, convolution: Convolution, batch: int) -> Iterator[tuple[Gemm, list[list[int]]]]:
    """The product of each phase that a kernel position reaches, and the narrow positions that it reads, by axis."""
    images = convolution.batch.at(batch)
    wide_channels, narrow_channels = _channels_a_group(convolution)
    wide, narrow = _wide_size(convolution), _narrow_size(convolution)
    for phase in itertools.product(*(range(min(s, size)) for s, size in zip(convolution.stride, wide, strict=True))):
        offsets = [_phase_offsets(convolution, axis, p) for axis, p in enumerate(phase)]
        taps = math.prod(len(reached) for reached in offsets)
        if taps == 0:
            continue
        size = [-(-(w - p) // s) for w, p, s in zip(wide, phase, convolution.stride, strict=True)]
        identity = taps == 1 and tuple(size) == narrow
        reach = (max(reached) - min(reached) + 1 for reached in offsets)
        suffix = f"[{','.join(map(str, phase))}]" if math.prod(convolution.stride) > 1 else ""
        gemm = Gemm(
            name=operator.name + suffix,
            operator=operator.name,
            stage=operator.stage,
            m=images * math.prod(size),
            n=wide_channels,
            k=taps * narrow_channels,
            count=convolution.groups,
            packable=convolution.groups > 1,
            taps=taps,
            window=None if identity else _window(images, size, narrow, [1] * len(size), reach),
            b_contiguous="k" if operator.stage is Stage.BACKWARD else "n",
            scattered_result=math.prod(convolution.stride) > 1,
            result_spacing=convolution.stride[-1],
        )
        yield gemm, offsets


def _phase_offsets(convolution: Convolution, axis: int, phase: int) -> list[int]:
    """Narrow positions, relative to the phase's own, that the kernel positions of one axis connect to."""
    stride, padding = convolution.stride[axis], convolution.padding[axis]
    reached = (phase + padding - tap * convolution.dilation[axis] for tap in range(convolution.kernel[axis]))
    return [distance // stride for distance in reached if distance % stride == 0]
