"""Operands in 16 bits, sums in 32: the arithmetic of the accelerator, on any device.

A value rounded to FP16 or BF16 and brought back to FP32 multiplies exactly there (two significands of 11 bits make one
of 22), and sums are FP32 as in the array. Only the order of summation is the device's own.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Precision = Literal["fp32", "fp16", "bf16"]

PRECISIONS: dict[Precision, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
"""Number formats of the operands."""


def rounded(values: Tensor, precision: Precision) -> Tensor:
    """The values as the operand format holds them, in FP32; those that FP16 cannot hold become infinite.

    >>> rounded(torch.tensor([1.0009766, 70000.0]), "fp16").tolist()
    [1.0009765625, inf]
    """
    if precision == "fp32":
        return values
    return values.to(PRECISIONS[precision]).to(torch.float32)
