"""Reductions over axes: an attribute at first, an operand since opset 13 (sums) and 18 (the others)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .call import Call

Reduction = Callable[[torch.Tensor, list[int], bool], torch.Tensor]


def _reduction(compute: Reduction) -> Callable[[Call], torch.Tensor]:
    def rule(call: Call) -> torch.Tensor:
        source, axes = call.tensor(0), call.listed(1, "axes")
        if not axes and call.attribute("noop_with_empty_axes", 0):
            return source
        over = [axis % max(1, source.dim()) for axis in axes or range(source.dim())]
        return compute(source, over, bool(call.attribute("keepdims", 1)))

    return rule


def _product(source: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    for axis in sorted(axes, reverse=True):
        source = source.prod(axis, keepdim=keep, dtype=source.dtype)
    return source


def _sum(source: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    return source.sum(axes, keepdim=keep, dtype=source.dtype)


RULES: dict[str, Callable[[Call], torch.Tensor]] = {
    name: _reduction(compute)
    for name, compute in {
        "ReduceL1": lambda source, axes, keep: torch.linalg.vector_norm(source, 1, axes, keep),
        "ReduceL2": lambda source, axes, keep: torch.linalg.vector_norm(source, 2, axes, keep),
        "ReduceLogSum": lambda source, axes, keep: source.sum(axes, keepdim=keep).log(),
        "ReduceLogSumExp": lambda source, axes, keep: source.logsumexp(axes, keepdim=keep),
        "ReduceMax": lambda source, axes, keep: source.amax(axes, keepdim=keep),
        "ReduceMean": lambda source, axes, keep: source.mean(axes, keepdim=keep),
        "ReduceMin": lambda source, axes, keep: source.amin(axes, keepdim=keep),
        "ReduceProd": _product,
        "ReduceSum": _sum,
        "ReduceSumSquare": lambda source, axes, keep: source.square().sum(axes, keepdim=keep),
    }.items()
}
