"""Pooling over windows and over all of a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn import functional

from .call import Call
from .movement import pad_constant
from .windows import Windows

_LARGEST = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_LARGEST_OF_ALL = {
    1: functional.adaptive_max_pool1d,
    2: functional.adaptive_max_pool2d,
    3: functional.adaptive_max_pool3d,
}
_MEAN_OF_ALL = {1: functional.adaptive_avg_pool1d, 2: functional.adaptive_avg_pool2d, 3: functional.adaptive_avg_pool3d}


def _windows(call: Call) -> Windows:
    extents = call.attribute("kernel_shape")
    if not extents or len(extents) not in _LARGEST:
        raise call.node.error(f"got windows of {extents}, need one, two or three extents")
    return Windows.of(call, extents, call.tensor(0).shape[2:])


def _largest(call: Call) -> torch.Tensor:
    source, windows = call.tensor(0), _windows(call)
    pads = windows.before
    ceil = bool(call.attribute("ceil_mode", 0))
    small = all(2 * pad <= extent for pad, extent in zip(pads, windows.extents, strict=True))
    if not windows.symmetric or not small:
        lowest = -torch.inf if source.is_floating_point() else torch.iinfo(source.dtype).min
        source, pads = pad_constant(source, [(0, 0), (0, 0), *windows.pads], lowest), (0,) * len(pads)
    compute = _LARGEST[len(windows.extents)]
    found: torch.Tensor = compute(source, windows.extents, windows.strides, pads, windows.dilations, ceil)
    return found


def _mean(call: Call) -> torch.Tensor:
    source, windows = call.tensor(0), _windows(call)
    if any(dilation != 1 for dilation in windows.dilations):
        raise call.node.error(f"got dilations {list(windows.dilations)}, need 1 in a mean")
    ceil, with_pads = bool(call.attribute("ceil_mode", 0)), bool(call.attribute("count_include_pad", 0))
    small = all(2 * pad <= extent for pad, extent in zip(windows.before, windows.extents, strict=True))
    if windows.symmetric and small:
        return _averaged(source, windows, windows.before, ceil=ceil, with_pads=with_pads)
    none = (0,) * len(windows.extents)
    padded = pad_constant(source, [(0, 0), (0, 0), *windows.pads])
    mean = _averaged(padded, windows, none, ceil=ceil, with_pads=True)
    if with_pads:
        return mean
    shares = pad_constant(torch.ones_like(source[:1, :1]), [(0, 0), (0, 0), *windows.pads])
    return mean / _averaged(shares, windows, none, ceil=ceil, with_pads=True)


def _averaged(
    source: torch.Tensor, windows: Windows, pads: Sequence[int], *, ceil: bool, with_pads: bool
) -> torch.Tensor:
    rank = len(windows.extents)
    compute = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}[rank]
    return compute(source, windows.extents, windows.strides, tuple(pads), ceil, with_pads)


def _of_all(by_rank: Mapping[int, Callable[..., torch.Tensor]]) -> Callable[[Call], torch.Tensor]:
    def rule(call: Call) -> torch.Tensor:
        source = call.tensor(0)
        rank = source.dim() - 2
        if rank not in by_rank:
            raise call.node.error(f"got {rank} spatial axes, need 1, 2 or 3")
        return by_rank[rank](source, 1)

    return rule


def _lengths(call: Call) -> torch.Tensor:
    windows = _windows(call)
    if len(windows.extents) != 2 or any(dilation != 1 for dilation in windows.dilations):
        raise call.node.error("got dilations, or windows of other than two extents, need two extents undilated")
    power = call.attribute("p", 2)
    source = pad_constant(call.tensor(0).abs() ** power, [(0, 0), (0, 0), *windows.pads])
    sums = functional.avg_pool2d(source, windows.extents, windows.strides, divisor_override=1)
    found: torch.Tensor = sums ** (1 / power)
    return found


RULES: dict[str, Callable[[Call], torch.Tensor]] = {
    "AveragePool": _mean,
    "GlobalAveragePool": _of_all(_MEAN_OF_ALL),
    "GlobalMaxPool": _of_all(_LARGEST_OF_ALL),
    "LpPool": _lengths,
    "MaxPool": _largest,
}
