"""Zeros that a network brings along: weights pruned before the capture, by torch's own tools or by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from ...configs.pattern import Pattern
from .input_pattern import input_pattern
from .notes import listed

_FEWEST = 0.25
"""Of a weight's elements; fewer are an initialisation's, or a padding row's."""


def zeros_note(module: torch.nn.Module, weights: Mapping[str, torch.Tensor] | None = None) -> Iterator[str]:
    """A sentence where weights are zero in part: a step is simulated without a look at values.

    Args:
        module: before its data are left behind; masks on the meta device are noticed, not counted.
        weights: its parameters and buffers by name, where they are not its own.
    """
    buffers = dict(module.named_buffers()) if weights is None else weights
    share: dict[str, float] = {}
    patterns: dict[str, Pattern | None] = {}
    unknown: list[str] = []
    for name, own in module.named_parameters():
        parameter = own if weights is None else weights.get(name)
        mask = buffers.get(f"{name.removesuffix('_orig')}_mask") if name.endswith("_orig") else None
        called = name.removesuffix("_orig") if mask is not None else name
        if parameter is None:
            continue
        if mask is not None and mask.is_meta:
            unknown.append(called)
            continue
        seen = parameter if mask is None else mask
        if seen.is_meta or seen.layout is not torch.strided or seen.dim() < 2:
            continue
        if (counted := as_numbers(seen)) is None:
            continue
        seen = counted
        zeros = 1 - torch.count_nonzero(seen).item() / max(1, seen.numel())
        if _FEWEST <= zeros < 1:
            share[called] = zeros
            patterns[called] = input_pattern(module.get_submodule(name.rpartition(".")[0]), seen)
    after = "they are simulated as if they were not, unless bisparse simulate is given their checkpoint (--weights)."
    if share:
        least, most = (f"{100 * each:.0f}%" for each in (min(share.values()), max(share.values())))
        much = least if least == most else f"{least} to {most}"
        along = "".join(f", {told}" for told in _told(patterns))
        yield f"{much} of {listed(list(share))} are zeros that the network brings along{along}: {after}"
    if unknown:
        yield f"{listed(unknown)} under masks of torch.nn.utils.prune have zeros that the network brings along: {after}"


def as_numbers(tensor: torch.Tensor) -> torch.Tensor | None:
    """What torch computes with of a tensor that is quantized or of a narrow type; None of what it can only keep.

    >>> as_numbers(torch.tensor([0.0, 2.0]).to(torch.float8_e4m3fn))
    tensor([0., 2.])
    """
    if tensor.is_quantized or not (tensor.is_floating_point() or tensor.is_complex()) or tensor.dtype.itemsize == 1:
        try:
            return tensor.dequantize() if tensor.is_quantized else tensor.float()
        except RuntimeError:
            return None
    return tensor


def _told(patterns: Mapping[str, Pattern | None]) -> Iterator[str]:
    """The patterns of weights that have one, with the weights where these are not all."""
    for pattern in sorted({pattern for pattern in patterns.values() if pattern is not None}):
        names = [name for name, known in patterns.items() if known == pattern]
        where = "" if len(names) == len(patterns) else f" in {listed(names)}"
        yield f"{pattern} along the input channels{where}"
