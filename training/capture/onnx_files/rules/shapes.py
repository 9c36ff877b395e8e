"""Operators of extents: what they are, and values made out of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..graph import Known
from ..weights import torch_tensor
from .call import Call


def _extents(call: Call) -> tuple[int, ...]:
    value = call.values[0]
    if value is None:
        raise call.node.error("got no input, need one")
    return tuple(value.value.shape if isinstance(value, Known) else value.shape)


def _shape(call: Call) -> torch.Tensor:
    rank = len(_extents(call))
    return torch.tensor(
        _extents(call)[slice(call.attribute("start", 0), call.attribute("end", rank))], dtype=torch.int64
    )


def _size(call: Call) -> torch.Tensor:
    return torch.tensor(torch.Size(_extents(call)).numel())


def _constant(call: Call) -> torch.Tensor:
    """The value of a node, in whichever attribute it stands."""
    attributes = call.node.attributes
    if "value" in attributes:
        return torch_tensor(attributes["value"])
    for name, kind in (("int", torch.int64), ("float", torch.float32)):
        for attribute in (f"value_{name}", f"value_{name}s"):
            if attribute in attributes:
                return torch.tensor(attributes[attribute], dtype=kind)
    raise call.node.error(f"got a constant in {', '.join(attributes) or 'no attribute'}, need numbers")


def _constant_of_shape(call: Call) -> torch.Tensor:
    given: Any = call.attribute("value")
    value = torch.zeros(1, device="cpu") if given is None else torch_tensor(given)
    return torch.full(call.integers(0), value.item(), dtype=value.dtype, device=call.device)


def _range(call: Call) -> torch.Tensor:
    start, limit, step = (call.known(place) for place in range(3))
    return torch.arange(start.item(), limit.item(), step.item(), dtype=start.dtype, device=call.device)


RULES: dict[str, Callable[[Call], torch.Tensor]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Shape": _shape,
    "Size": _size,
}
