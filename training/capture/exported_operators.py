"""Operators that an exported program may name: torch's own, and arithmetic on extents. No other name is looked up."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import torch

from ...configs.errors import CaptureError

_SIZE = "torch.ops.aten.sym_size.int"
_NO_GRAD = "torch.ops.higher_order.wrap_with_set_grad_enabled"
_TORCHS = {("torch", "ops", "aten"), ("torch", "ops", "prims")}
_ON_FILES = {"from_file"}
_CHECKS = re.compile(r"torch\.ops\.aten\.(_assert\w*|sym_constrain_range\w*)\.\w+")


def _size(tensor: torch.Tensor, dim: int) -> int:
    return tensor.shape[dim]


def _with_gradients(enabled: bool, program: Callable[..., Any], *given: Any) -> Any:
    """A part of a program under ``torch.no_grad``, or out of it."""
    with torch.set_grad_enabled(enabled):
        return program(*given)


_BY_PLACE: dict[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            *("add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "neg", "pos", "getitem"),
            *("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "not_"),
        )
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc", "sqrt")},
    **{f"torch.sym_{name}": getattr(torch, f"sym_{name}") for name in ("max", "min", "int", "float", "not", "ite")},
    _SIZE: _size,
    _NO_GRAD: _with_gradients,
}
"""Operators that take all of their arguments by place: extents are numbers here, and gradients are kept or not."""


def is_check(target: str) -> bool:
    """Whether an operator only asserts something of shapes."""
    return _CHECKS.fullmatch(target) is not None


def operator_named(target: str) -> tuple[Callable[..., Any], bool]:
    """The operator of a name, and whether it takes all of its arguments by place.

    Raises:
        CaptureError: it is none of torch's, or control flow.
    """
    if target in _BY_PLACE:
        return _BY_PLACE[target], True
    names = target.split(".")
    if tuple(names[:3]) in _TORCHS and len(names) == 5 and names[3] not in _ON_FILES:
        found: Any = getattr(torch.ops, names[2])
        for name in names[3:]:
            found = getattr(found, name, None)
        if isinstance(found, torch._ops.OpOverload):
            return found, False
    raise CaptureError(
        f"operator: got {target}, need one of torch's and no control flow; try a factory that builds the module"
    )
