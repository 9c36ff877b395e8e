"""Losses for a captured step. A loss maps the module's output to a scalar; it owns its labels.

The default is cross-entropy over classes for an output [B, classes]; cross-entropy over the vocabulary at every
position for an output [B, T, vocabulary] of a module that reads tokens; else the mean of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

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
    labels = torch.empty(logits.shape[0], dtype=torch.int64, device=logits.device)
    return functional.cross_entropy(logits, labels)


def token_cross_entropy(output: Any) -> torch.Tensor:
    """Cross-entropy of [B, T, vocabulary] against one label a position (a shift by one is the data's business)."""
    logits = main_output(output)
    labels = torch.empty(logits.shape[:-1], dtype=torch.int64, device=logits.device)
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


def mean_loss(output: Any) -> torch.Tensor:
    """The mean of the output: the smallest loss that gives every output a gradient."""
    return main_output(output).mean()


LOSSES: dict[str, Loss] = {
    "cross-entropy": class_cross_entropy,
    "token-cross-entropy": token_cross_entropy,
    "mean": mean_loss,
}


def default_loss(output: Any, *, reads_tokens: bool) -> torch.Tensor:
    """The loss used unless the caller passes one."""
    main = main_output(output)
    if main.dim() == 2 and main.is_floating_point():
        return class_cross_entropy(main)
    if main.dim() == 3 and reads_tokens:
        return token_cross_entropy(main)
    return mean_loss(main)
