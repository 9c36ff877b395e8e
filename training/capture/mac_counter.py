"""Torch's own operation counter, with its known fault corrected: the second witness of a graph's multiply-accumulates.

``FlopCounterMode`` counts the weight gradient of a grouped convolution g times too high: it multiplies all input
channels by all output channels, although a group's outputs meet only its own inputs. The mapping below replaces its
formula for ``convolution_backward`` by: a gradient costs what the forward pass cost. Matrix-vector products, which it
leaves out, are added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def mac_counter(path: ModulePath) -> FlopCounterMode:
    """A counter to run a step under; halve its totals to get multiply-accumulates."""
    counter = FlopCounterMode(
        display=False,
        custom_mapping={
            torch.ops.aten.convolution_backward: convolution_backward_flops,
            torch.ops.aten.mv: matrix_vector_flops,
            torch.ops.aten.addmv: addend_matrix_vector_flops,
        },
    )
    counter.mod_tracker = path  # type: ignore[assignment]
    return counter
