"""Geometry of matrix products and convolutions, read from the arguments of the aten operators that compute them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ..graph import Convolution, MatrixAxis, MatrixProduct, Size

PRODUCT_OPERANDS: dict[str, tuple[int, int]] = {
    "mm": (0, 1),
    "bmm": (0, 1),
    "mv": (0, 1),
    "addmm": (1, 2),
    "baddbmm": (1, 2),
    "addmv": (1, 2),
}
"""Positions of A and B among the arguments. Where they start at 1, argument 0 is added to the product."""


def matrix_product(left: torch.Tensor, right: torch.Tensor) -> MatrixProduct:
    """The product A [.., m, k] by B [.., k, n]; a vector B [k] has n = 1.

    A complex product is four real ones: [m, 2 k] by [2 k, 2 n], each number of B standing as a matrix of two by two.
    """
    m, k = left.shape[-2:]
    n = right.shape[-1] if right.dim() > 1 else 1
    if left.is_complex():
        n, k = 2 * n, 2 * k
    count = left.shape[0] if left.dim() == 3 else 1
    return MatrixProduct(m=Size(m), n=Size(n), k=Size(k), count=Size(count))


def swapped(product: MatrixProduct) -> MatrixProduct:
    """The same product computed as C^T = B^T A^T."""
    turned: dict[MatrixAxis, MatrixAxis] = {"m": "n", "n": "m", "k": "k"}
    return replace(
        product,
        m=product.n,
        n=product.m,
        grouped=product.grouped and turned[product.grouped],
        causal=product.causal and (turned[product.causal[0]], turned[product.causal[1]]),
    )


def convolution(
    source: torch.Tensor,
    weight: torch.Tensor,
    output_size: Sequence[int],
    arguments: Sequence[Any],
) -> Convolution:
    """The geometry of a forward convolution.

    Args:
        source: input [B, Cin, *spatial].
        weight: [Cout, Cin/g, *kernel], or [Cin, Cout/g, *kernel] when transposed.
        output_size: spatial extents of the result.
        arguments: stride, padding, dilation, transposed, output padding, groups, as aten passes them.
    """
    stride, padding, dilation, transposed, _output_padding, groups = arguments
    axes = weight.dim() - 2
    in_channels = source.shape[1]
    out_channels = weight.shape[1] * groups if transposed else weight.shape[0]
    return Convolution(
        batch=Size(source.shape[0]),
        groups=groups,
        in_channels=in_channels,
        out_channels=out_channels,
        input_size=tuple(source.shape[2:]),
        output_size=tuple(output_size),
        kernel=tuple(weight.shape[2:]),
        stride=_per_axis(stride, axes),
        padding=_per_axis(padding, axes),
        dilation=_per_axis(dilation, axes),
        transposed=bool(transposed),
    )


def as_input_gradient_of(executed: Convolution) -> Convolution:
    """The forward convolution whose input gradient the executed one computes: roles of input and output exchanged."""
    return Convolution(
        batch=executed.batch,
        groups=executed.groups,
        in_channels=executed.out_channels,
        out_channels=executed.in_channels,
        input_size=executed.output_size,
        output_size=executed.input_size,
        kernel=executed.kernel,
        stride=executed.stride,
        padding=executed.padding,
        dilation=executed.dilation,
        transposed=not executed.transposed,
    )


def _per_axis(values: Sequence[int], axes: int) -> tuple[int, ...]:
    return tuple(values) if len(values) == axes else tuple(values) * axes
