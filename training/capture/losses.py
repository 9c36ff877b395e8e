"""Losses for a captured step. A loss maps the module's output to a scalar; it owns its labels.

The default covers every floating output. A module that returns its loss (one number, or one under the name ``loss``)
has it; else the loss is the sum of one for each output: cross-entropy over classes for [B, classes]; cross-entropy over
the vocabulary at every position for [B, T, vocabulary] of a module that reads tokens; else the mean. A loss by name is
of one output: the only one, ``logits``, or the first. Outputs that no loss covers are named in the graph's notes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import _disable_current_modes

from ...configs.errors import CaptureError

Loss = Callable[[Any], torch.Tensor]


def main_output(output: Any) -> torch.Tensor:
    """The tensor that the default losses start from: the output, its ``logits``, or its first floating tensor."""
    if isinstance(output, torch.Tensor):
        return output
    logits = getattr(output, "logits", None)
    if isinstance(logits, torch.Tensor):
        return logits
    parts = output.values() if isinstance(output, Mapping) else output
    if isinstance(parts, (list, tuple)) or isinstance(output, Mapping):
        for part in parts:
            if isinstance(part, torch.Tensor) and part.is_floating_point():
                return part
    raise CaptureError(
        f"output of the module: got {type(output).__name__}, need a tensor to compute a loss from; try passing a loss"
    )


def class_cross_entropy(output: Any) -> torch.Tensor:
    """Cross-entropy of [B, classes] against one label a sample."""
    logits = main_output(output)
    # Memory that is reserved and never written: the recorder takes it for data handed in from outside.
    return functional.cross_entropy(logits, _labels(logits.shape[:1], logits.device))


def token_cross_entropy(output: Any) -> torch.Tensor:
    """Cross-entropy of [B, T, vocabulary] against one label a position (a shift by one is the data's business)."""
    logits = main_output(output)
    labels = _labels(logits.shape[:-1], logits.device)
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


def _labels(shape: torch.Size, device: torch.device) -> torch.Tensor:
    """Labels of samples or positions: the first class of each, where they have values."""
    labels = torch.empty(shape, dtype=torch.int64, device=device)
    if not labels.is_meta:
        # The data's business, and no operator of the step.
        with _disable_current_modes():
            labels.zero_()
    return labels


def mean_loss(output: Any) -> torch.Tensor:
    """The mean of the output: the smallest loss that gives every output a gradient."""
    return main_output(output).mean()


LOSSES: dict[str, Loss] = {
    "cross-entropy": class_cross_entropy,
    "token-cross-entropy": token_cross_entropy,
    "mean": mean_loss,
}


def floating_outputs(output: Any) -> dict[str, torch.Tensor]:
    """Every floating tensor of an output by its place in it: ``output``, ``output.0``, ``output.logits``."""
    found: dict[str, torch.Tensor] = {}
    for place, tensor in _tensors(output, "output"):
        # One that is returned twice is one output.
        if tensor.is_floating_point() and not any(tensor is known for known in found.values()):
            found[place] = tensor
    return found


def _tensors(part: Any, place: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(part, torch.Tensor):
        yield place, part
        return
    fields = getattr(part, "_fields", None)
    if isinstance(part, Mapping):
        inner = list(part.items())
    elif isinstance(part, tuple) and fields is not None:
        inner = list(zip(fields, part, strict=True))
    elif isinstance(part, list | tuple):
        inner = list(enumerate(part))
    elif dataclasses.is_dataclass(part):
        inner = [(each.name, getattr(part, each.name)) for each in dataclasses.fields(part)]
    else:
        inner = [("logits", part.logits)] if isinstance(getattr(part, "logits", None), torch.Tensor) else []
    for name, each in inner:
        yield from _tensors(each, f"{place}.{name}")


def default_loss(output: Any, *, reads_tokens: bool) -> torch.Tensor:
    """The loss used unless the caller passes one."""
    outputs = floating_outputs(output)
    own = outputs.get("output.loss")
    if own is not None and own.numel() == 1:
        return own
    trained = [tensor for tensor in outputs.values() if tensor.requires_grad]
    first, *others = trained or [main_output(output)]
    total = _by_shape(first, reads_tokens=reads_tokens)
    for other in others:
        total = total + _by_shape(other, reads_tokens=reads_tokens)
    return total


def _by_shape(output: torch.Tensor, *, reads_tokens: bool) -> torch.Tensor:
    if output.dim() == 2 and output.is_floating_point():
        return class_cross_entropy(output)
    if output.dim() == 3 and reads_tokens:
        return token_cross_entropy(output)
    return mean_loss(output)


def without_loss(output: Any, loss: torch.Tensor) -> list[str]:
    """Places of floating outputs that the loss does not depend on."""
    pending, seen = [loss.grad_fn], set()
    while pending:
        node = pending.pop()
        if node is not None and node not in seen:
            seen.add(node)
            pending += [before for before, _ in node.next_functions]
    return [
        place
        for place, tensor in floating_outputs(output).items()
        if tensor is not loss and (tensor.grad_fn is None or tensor.grad_fn not in seen)
    ]
