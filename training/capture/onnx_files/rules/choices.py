"""Operators that choose, sort and mark: conditions, ranks, masks, and random numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..weights import torch_type
from .call import Call, Result


def _where(call: Call) -> torch.Tensor:
    chosen, other = call.operand(1), call.operand(2)
    if not isinstance(chosen, torch.Tensor) and not isinstance(other, torch.Tensor):
        # Two numbers tell torch no type.
        chosen = call.tensor(1)
    return torch.where(call.tensor(0), chosen, other)


def _arg(compute: Callable[..., torch.Tensor]) -> Callable[[Call], torch.Tensor]:
    def rule(call: Call) -> torch.Tensor:
        if call.attribute("select_last_index", 0):
            raise call.node.error("got select_last_index, need the first of equals")
        return compute(call.tensor(0), dim=call.attribute("axis", 0), keepdim=bool(call.attribute("keepdims", 1)))

    return rule


def _top(call: Call) -> Result:
    count = call.number(1, "k", 1)
    values, indices = torch.topk(
        call.tensor(0),
        int(count),
        dim=call.attribute("axis", -1),
        largest=bool(call.attribute("largest", 1)),
        sorted=bool(call.attribute("sorted", 1)),
    )
    return values, indices


def _triangle(call: Call) -> torch.Tensor:
    compute = torch.triu if call.attribute("upper", 1) else torch.tril
    return compute(call.tensor(0), call.integers(1)[0] if call.has(1) else 0)


def _running_sum(call: Call) -> torch.Tensor:
    (axis,) = call.integers(1)
    source = call.tensor(0)
    turned = source.flip(axis) if call.attribute("reverse", 0) else source
    total = turned.cumsum(axis, dtype=source.dtype)
    if call.attribute("exclusive", 0):
        total = total - turned
    return total.flip(axis) if call.attribute("reverse", 0) else total


def _one_hot(call: Call) -> torch.Tensor:
    indices, values = call.tensor(0), call.tensor(2)
    (depth,) = call.integers(1)
    places = torch.arange(depth, device=call.device, dtype=indices.dtype)
    axis = call.attribute("axis", -1)
    rank = indices.dim() + 1
    along = [1] * rank
    along[axis % rank] = depth
    from_the_front = torch.where(indices < 0, indices + depth, indices)
    marked = from_the_front.unsqueeze(axis) == places.reshape(along)
    return torch.where(marked, values[1], values[0])


def _not_zero(call: Call) -> torch.Tensor:
    return torch.nonzero(call.known(0)).t()


def _eye_like(call: Call) -> torch.Tensor:
    source = call.tensor(0)
    kind = torch_type(call.attribute("dtype")) if "dtype" in call.node.attributes else source.dtype
    rows, columns = source.shape
    full = torch.ones((rows, columns), dtype=kind, device=call.device)
    offset = call.attribute("k", 0)
    return full.triu(offset).tril(offset)


def _random_like(compute: Callable[..., torch.Tensor]) -> Callable[[Call], torch.Tensor]:
    def rule(call: Call) -> torch.Tensor:
        source = call.tensor(0)
        kind = torch_type(call.attribute("dtype")) if "dtype" in call.node.attributes else source.dtype
        return compute(source.shape, dtype=kind, device=call.device)

    return rule


def _bernoulli(call: Call) -> torch.Tensor:
    return torch.bernoulli(call.tensor(0))


RULES: dict[str, Callable[[Call], Result]] = {
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "Bernoulli": _bernoulli,
    "CumSum": _running_sum,
    "EyeLike": _eye_like,
    "NonZero": _not_zero,
    "OneHot": _one_hot,
    "RandomNormalLike": _random_like(torch.randn),
    "RandomUniformLike": _random_like(torch.rand),
    "TopK": _top,
    "Trilu": _triangle,
    "Where": _where,
}
