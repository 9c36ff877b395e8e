"""Element-wise arithmetic, comparisons and types."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch.nn import functional

from ..weights import torch_type
from .call import Call

Unary = Callable[[torch.Tensor], torch.Tensor]
Binary = Callable[[Any, Any], torch.Tensor]


def _unary(compute: Unary) -> Callable[[Call], torch.Tensor]:
    return lambda call: compute(call.tensor(0))


def _binary(compute: Binary) -> Callable[[Call], torch.Tensor]:
    return lambda call: compute(call.operand(0), _aligned(call))


def _aligned(call: Call) -> Any:
    """The second operand; up to opset 6 an axis says where in the first it begins."""
    left, right, axis = call.values[0], call.operand(1), call.attribute("axis")
    if call.opset > 6 or axis is None or not isinstance(left, torch.Tensor) or not isinstance(right, torch.Tensor):
        return right
    return right.reshape(*right.shape, *[1] * (left.dim() - axis % left.dim() - right.dim()))


def _divide(left: Any, right: Any) -> torch.Tensor:
    whole = all(
        not part.is_floating_point() if isinstance(part, torch.Tensor) else isinstance(part, int)
        for part in (left, right)
    )
    return torch.div(left, right, rounding_mode="trunc") if whole else left / right


def _power(left: Any, right: Any) -> torch.Tensor:
    found: torch.Tensor = torch.pow(left, right)
    return found.to(left.dtype) if isinstance(left, torch.Tensor) else found


def _both(left: Any, right: Any) -> torch.Tensor:
    found: torch.Tensor = left & right
    return found


def _either(left: Any, right: Any) -> torch.Tensor:
    found: torch.Tensor = left | right
    return found


def _modulo(call: Call) -> torch.Tensor:
    left, right = call.operand(0), call.operand(1)
    return torch.fmod(left, right) if call.attribute("fmod", 0) else torch.remainder(left, right)


def _extreme(*, largest: bool) -> Callable[[Call], torch.Tensor]:
    both = torch.maximum if largest else torch.minimum

    def pair(left: Any, right: Any) -> torch.Tensor:
        if not isinstance(left, torch.Tensor):
            left, right = right, left
        if not isinstance(right, torch.Tensor):
            found: torch.Tensor = left.clamp(min=right) if largest else left.clamp(max=right)
            return found
        return both(left, right)

    return lambda call: reduce(pair, [call.operand(place) for place in range(len(call.values))])


def _sum(call: Call) -> torch.Tensor:
    return reduce(torch.add, call.tensors)


def _mean(call: Call) -> torch.Tensor:
    return _sum(call) / len(call.values)


def _clip(call: Call) -> torch.Tensor:
    low, high = call.number(1, "min", None), call.number(2, "max", None)
    source = call.tensor(0)
    if low is not None and high is not None and low <= high and source.is_floating_point():
        return functional.hardtanh(source, low, high)
    return source.clamp(low, high) if low is not None or high is not None else source


def _cast(call: Call) -> torch.Tensor:
    return call.tensor(0).to(torch_type(call.attribute("to", 1)))


def _cast_like(call: Call) -> torch.Tensor:
    return call.tensor(0).to(call.tensor(1).dtype)


def _is_infinite(call: Call) -> torch.Tensor:
    source = call.tensor(0)
    if not call.attribute("detect_negative", 1):
        return torch.isposinf(source)
    return torch.isinf(source) if call.attribute("detect_positive", 1) else torch.isneginf(source)


_UNARY: dict[str, Unary] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Asin": torch.asin,
    "Atan": torch.atan,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
}

_BINARY: dict[str, Binary] = {
    "Add": lambda left, right: left + right,
    "And": _both,
    "Div": _divide,
    "Equal": lambda left, right: left == right,
    "Greater": lambda left, right: left > right,
    "GreaterOrEqual": lambda left, right: left >= right,
    "Less": lambda left, right: left < right,
    "LessOrEqual": lambda left, right: left <= right,
    "Mul": lambda left, right: left * right,
    "Or": _either,
    "Pow": _power,
    "Sub": lambda left, right: left - right,
    "Xor": lambda left, right: left != right,
}

RULES: dict[str, Callable[[Call], torch.Tensor]] = {
    **{name: _unary(compute) for name, compute in _UNARY.items()},
    **{name: _binary(compute) for name, compute in _BINARY.items()},
    "Cast": _cast,
    "CastLike": _cast_like,
    "Clip": _clip,
    "Identity": lambda call: call.tensor(0),
    "IsInf": _is_infinite,
    "Max": _extreme(largest=True),
    "Mean": _mean,
    "Min": _extreme(largest=False),
    "Mod": _modulo,
    "Sum": _sum,
}
