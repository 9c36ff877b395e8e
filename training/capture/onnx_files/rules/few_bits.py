"""Numbers in few bits and back: element-wise passes, computed in floating numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .call import Call


def _along(call: Call, place: int) -> torch.Tensor:
    """A scale or zero point, along its axis of the operand."""
    setting, source = call.tensor(place), call.tensor(0)
    if call.attribute("block_size", 0):
        raise call.node.error("got scales for blocks, need one for all or one along an axis")
    if setting.dim() != 1 or setting.numel() == 1:
        return setting.reshape(()) if setting.numel() == 1 else setting
    axis = call.attribute("axis", 1) % source.dim()
    return setting.reshape([-1 if at == axis else 1 for at in range(source.dim())])


_BOUNDS = {
    torch.int8: (-128, 127),
    torch.uint8: (0, 255),
    torch.int16: (-(2**15), 2**15 - 1),
    torch.int32: (-(2**31), 2**31 - 1),
}


def _quantise(call: Call) -> torch.Tensor:
    """In floating numbers, so that a gradient has a way through, if one of zeros."""
    kind = call.tensor(2).dtype if call.has(2) else torch.uint8
    rounded = torch.round(call.tensor(0) / _along(call, 1))
    if call.has(2):
        rounded = rounded + _along(call, 2).to(rounded.dtype)
    low, high = _BOUNDS.get(kind, (None, None))
    return rounded.clamp(low, high) if low is not None else rounded


def _dequantise(call: Call) -> torch.Tensor:
    scale = _along(call, 1)
    source = call.tensor(0)
    source = source if source.dtype == scale.dtype else source.to(scale.dtype)
    return (source - _along(call, 2).to(scale.dtype)) * scale if call.has(2) else source * scale


RULES: dict[str, Callable[[Call], torch.Tensor]] = {
    "DequantizeLinear": _dequantise,
    "QuantizeLinear": _quantise,
}
