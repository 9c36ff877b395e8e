"""Torch's own operation counter, with its known fault corrected: the second witness of a graph's multiply-accumulates.

``FlopCounterMode`` counts the weight gradient of a grouped convolution g times too high: it multiplies all input
channels by all output channels, although a group's outputs meet only its own inputs. The mapping below replaces its
formula for ``convolution_backward`` by: a gradient costs what the forward pass cost. Matrix-vector products and grouped
products, which it leaves out, are added; a complex product counts as four. These formulas read the operands' shapes and
share no code with the recorder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from .module_path import ModulePath


def convolution_backward_flops(
    grad_output_shape: Sequence[int],
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    bias_sizes: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    output_mask: Sequence[bool],
    **_: Any,
) -> int:
    """Operations of a convolution's backward pass, two a multiply-accumulate.

    The weight's shape already holds the channels of one group on one side, so no division by the groups is needed.
    """
    positions = math.prod((input_shape if transposed else grad_output_shape)[2:])
    one_gradient = 2 * input_shape[0] * positions * math.prod(weight_shape)
    return one_gradient * sum(bool(wanted) for wanted in output_mask[:2])


def matrix_vector_flops(matrix_shape: Sequence[int], vector_shape: Sequence[int], **_: Any) -> int:
    """Operations of a matrix-vector product [m, k] by [k]."""
    return 2 * math.prod(matrix_shape)


def addend_matrix_vector_flops(
    addend_shape: Sequence[int], matrix_shape: Sequence[int], vector_shape: Sequence[int], **_: Any
) -> int:
    """The same with an addend, which is not counted."""
    return matrix_vector_flops(matrix_shape, vector_shape)


def grouped_product_flops(left_shape: Sequence[int], right_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """Operations of a grouped product of rows shared out among groups, however many each has.

    [rows, k] by [groups, k, n]; [groups, m, k] by [k, columns]; [m, rows] by [rows, n]; [count, m, k] by [count, k, n].
    """
    each = math.prod(left_shape[-2:]) * right_shape[-1]
    return 2 * each * (left_shape[0] if len(left_shape) == len(right_shape) == 3 else 1)


def _complex_counts_four(flops: Callable[..., int]) -> Callable[..., int]:
    """A formula of operands' shapes, times the four real products of a complex one."""

    def count(*operands: Any, out_val: Any = None, **named: Any) -> int:
        shapes = [value.shape if isinstance(value, torch.Tensor) else value for value in operands]
        return int(flops(*shapes, **named)) * (4 if out_val.is_complex() else 1)

    count._get_raw = True  # type: ignore[attr-defined]
    return count


def batched_product_flops(left_shape: Sequence[int], right_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """Operations of [.., m, k] by [.., k, n]."""
    return 2 * math.prod(left_shape) * right_shape[-1]


def addend_product_flops(addend_shape: Sequence[int], *operands: Any, **named: Any) -> int:
    """The same with an addend, which is not counted."""
    return batched_product_flops(*operands, **named)


_PRODUCTS: dict[Any, Callable[..., int]] = {
    torch.ops.aten.mm: batched_product_flops,
    torch.ops.aten.bmm: batched_product_flops,
    torch.ops.aten.addmm: addend_product_flops,
    torch.ops.aten.baddbmm: addend_product_flops,
    torch.ops.aten.mv: matrix_vector_flops,
    torch.ops.aten.addmv: addend_matrix_vector_flops,
}


def mac_counter(path: ModulePath) -> FlopCounterMode:
    """A counter to run a step under; halve its totals to get multiply-accumulates."""
    counter = FlopCounterMode(
        display=False,
        custom_mapping={
            torch.ops.aten.convolution_backward: convolution_backward_flops,
            **{operator: _complex_counts_four(flops) for operator, flops in _PRODUCTS.items()},
            **({torch.ops.aten._grouped_mm: grouped_product_flops} if hasattr(torch.ops.aten, "_grouped_mm") else {}),
        },
    )
    counter.mod_tracker = path  # type: ignore[assignment]
    return counter
