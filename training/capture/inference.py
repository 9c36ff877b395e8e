"""Running a forward pass alone under the recorder: a whole input, or one token more on the cache that it left."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from ...configs.errors import CaptureError
from ..input_shape import InputShape
from .drafts import Category
from .finishing import GraphBuilder, RecordedStep
from .step import Prepared

CACHE = "past_key_values"
"""The name under which a module gives its cache and takes it again, as all of Hugging Face's do."""

_MASK = "attention_mask"
"""An input that covers the tokens of the cache too."""


def record_inference(
    module: torch.nn.Module,
    inputs: Sequence[InputShape],
    *,
    batch: int,
    name: str,
    expert_loads: tuple[int, ...] | None = None,
    decode: bool = False,
) -> RecordedStep:
    """One forward pass of a module in evaluation mode, no gradients.

    Args:
        module: as for ``record_step``.
        inputs: shapes without the batch.
        batch: samples.
        name: of the graph.
        expert_loads: relative load of each expert of a grouped product; balanced when None.
        decode: record the step after it: of each sequence of tokens one more, on the cache that the pass left.

    Raises:
        NeedsDataError: the pass cannot run without data.
        CaptureError: it cannot run, or with ``decode`` leaves no cache.
    """
    with torch.no_grad(), _no_fused_layers():
        cache = _cache_after(module, inputs, batch=batch, name=name) if decode else None
        steps = [_next_token(shape) for shape in inputs] if decode else inputs
        ready = Prepared.of(module, steps, batch=batch, name=name, expert_loads=expert_loads)
        for number, tensor in enumerate(_tensors_of(cache)):
            ready.recorder.record.declare(tensor, f"cache.{number}", "input", Category.ACTIVATION)
        kept = {} if cache is None else {CACHE: cache}
        with ready.running():
            module(*ready.placed, **ready.named, **kept)
    builder = GraphBuilder(ready.recorder.record.drafts, parameters=ready.parameters, gradients={})
    counted = {"forward": ready.counter.get_total_flops() // 2, "backward": 0}
    return ready.told(builder.build(name=name, source="", default_batch=batch, counted_macs=counted))


def _cache_after(module: torch.nn.Module, inputs: Sequence[InputShape], *, batch: int, name: str) -> Any:
    """What a pass over the inputs leaves for the next token."""
    ready = Prepared.of(module, inputs, batch=batch, name=name, expert_loads=None)
    with ready.running():
        output = module(*ready.placed, **ready.named)
    found = output.get(CACHE) if isinstance(output, Mapping) else getattr(output, CACHE, None)
    if found is None or not list(_tensors_of(found)):
        raise CaptureError(
            f"{name}: got an output without {CACHE}, need a module that returns its cache under this name and takes it "
            "by this keyword; try --inference, which needs none"
        )
    # Each a tensor of its own: what a pass leaves may be views of one.
    return copy.deepcopy(found, {id(tensor): tensor.clone() for tensor in _tensors_of(found)})


def _next_token(shape: InputShape) -> InputShape:
    """The input of the step after a pass: one token, or a mask over all of them."""
    if not shape.integer or not shape.extents:
        return shape
    *before, tokens = shape.extents
    return replace(shape, extents=(*before, tokens + 1 if shape.name == _MASK else 1))


def _tensors_of(part: Any, seen: set[int] | None = None) -> Iterator[torch.Tensor]:
    """Every tensor in a cache, whatever holds it."""
    seen = set() if seen is None else seen
    if part is None or id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, torch.Tensor):
        yield part
    elif isinstance(part, Mapping):
        for each in part.values():
            yield from _tensors_of(each, seen)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _tensors_of(each, seen)
    elif hasattr(part, "__dict__") and not isinstance(part, type | torch.nn.Module):
        yield from _tensors_of(vars(part), seen)


@contextmanager
def _no_fused_layers() -> Iterator[None]:
    """Torch's transformer layers as their operators, not as one fused kernel that would hide them."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
