"""Attention as its products, whichever of torch's functions asks for it: not as one kernel that would hide them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

try:
    from torch.nn.attention import flex_attention as flexible
except ImportError:
    flexible = None  # type: ignore[assignment]


_MASKED = "A mask of flex_attention is laid over scores that are all computed: what it would skip is counted."
_STATISTICS = "bisparse_statistics"
"""Among the options of a kernel, whether statistics of the softmax were asked for."""


@contextmanager
def plain_attention(assumed: list[str]) -> Iterator[None]:
    """Inside, attention runs as two products and a softmax.

    Args:
        assumed: gets what a reader must know of it, a sentence each.
    """
    with sdpa_kernel(SDPBackend.MATH), _plain_flex_attention(assumed):
        yield


@contextmanager
def _plain_flex_attention(assumed: list[str]) -> Iterator[None]:
    """The checks of ``flex_attention`` are its own, what it computes is written out."""
    options: Callable[..., Any] = getattr(flexible, "_apply_kernel_options", dict)

    def options_and_statistics(*operands: Any, **named: Any) -> Any:
        bound = inspect.signature(options).bind(*operands, **named).arguments
        asked = bound.get("return_lse") or bound.get("return_aux") is not None
        return {**options(*operands, **named), _STATISTICS: asked}

    ours = {
        "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG": True,
        # It refuses gradients on a CPU, which is where a step runs that reads values.
        "_validate_device": lambda *_: None,
        "_apply_kernel_options": options_and_statistics,
        "flex_attention_hop": partial(_flex_attention, assumed),
    }
    if flexible is None or not all(hasattr(flexible, name) for name in ours):
        yield
        return
    before = {name: getattr(flexible, name) for name in ours}
    for name, each in ours.items():
        setattr(flexible, name, each)
    try:
        yield
    finally:
        for name, each in before.items():
            setattr(flexible, name, each)


def _flex_attention(
    assumed: list[str],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    score_mod: Callable[..., torch.Tensor],
    block_mask: tuple[Any, ...],
    scale: float | None,
    options: dict[str, Any],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Output of [B, H, T, E] by [B, H, S, E], every score computed; and the statistics of its softmax, if asked for."""
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = (each.repeat_interleave(repeats, 1) for each in (key, value))
    scores = (query @ key.transpose(-1, -2)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    places = [
        torch.arange(extent, device=query.device).view([-1 if axis == at else 1 for at in range(4)])
        for axis, extent in enumerate(scores.shape)
    ]
    if score_mod is not flexible._identity:
        scores = score_mod(scores, *places)
    mask = block_mask[-1]
    if mask is not flexible.noop_mask:
        scores = scores.masked_fill(~mask(*places), -math.inf)
        assumed.append(_MASKED)
    mixed, none = scores.softmax(-1) @ value, query.new_empty(0)
    return (mixed, scores.logsumexp(-1), scores.amax(-1)) if options[_STATISTICS] else (mixed, none, none)
