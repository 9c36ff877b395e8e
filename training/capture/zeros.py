"""Zeros that a network brings along: weights pruned before the capture, by torch's own tools or by hand."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .notes import listed

_FEWEST = 0.25
"""Of a weight's elements; fewer are an initialisation's, or a padding row's."""


def zeros_note(module: torch.nn.Module) -> Iterator[str]:
    """A sentence where weights are zero in part: a step is simulated without a look at values.

    Args:
        module: before its data are left behind; masks on the meta device are noticed, not counted.
    """
    buffers = dict(module.named_buffers())
    share: dict[str, float] = {}
    unknown: list[str] = []
    for name, parameter in module.named_parameters():
        mask = buffers.get(f"{name.removesuffix('_orig')}_mask") if name.endswith("_orig") else None
        seen = parameter if mask is None else mask
        if mask is not None and mask.is_meta:
            unknown.append(name.removesuffix("_orig"))
        elif not seen.is_meta and seen.layout is torch.strided and seen.dim() > 1:
            zeros = 1 - torch.count_nonzero(seen).item() / max(1, seen.numel())
            if _FEWEST <= zeros < 1:
                share[name.removesuffix("_orig")] = zeros
    after = "they are simulated as if they were not; what a recipe prunes is all that is skipped."
    if share:
        least, most = (f"{100 * each:.0f}%" for each in (min(share.values()), max(share.values())))
        much = least if least == most else f"{least} to {most}"
        yield f"{much} of {listed(list(share))} are zeros that the network brings along: {after}"
    if unknown:
        yield f"{listed(unknown)} under masks of torch.nn.utils.prune have zeros that the network brings along: {after}"
