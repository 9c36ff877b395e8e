"""A linear layer of which some columns or rows of the weight learn, and of nothing else a gradient is formed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ..partial import Partial
from .layer_parts import like


class PartialLayer(nn.Linear):
    """A linear layer whose first inputs, or outputs, have weights that learn: ``selected``, a parameter of its own.

    After an update what learned is copied to its place in the weight, which has no gradient.
    """

    def __init__(self, layer: nn.Linear, entry: Partial) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, **like(layer))
        self.weight, self.bias = layer.weight, layer.bias
        self._axis, count = entry.selected_of(layer.out_features, layer.in_features)
        self.selected = nn.Parameter(self.weight.detach().narrow(self._axis, 0, count).clone())
        self._placed = self._now

    @property
    def _now(self) -> tuple[int, int]:
        """Which values the parameter has: of which tensor, after how many writes."""
        return id(self.selected), self.selected._version

    def place(self) -> None:
        """Copy what learned to its place, where it changed."""
        if self._placed != self._now:
            with torch.no_grad():
                self.weight.narrow(self._axis, 0, self.selected.shape[self._axis]).copy_(self.selected)
            self._placed = self._now

    def forward(self, input: Tensor) -> Tensor:
        """As the layer's own."""
        self.place()
        made: Tensor = _Partly.apply(input, self.weight, self.selected, self._axis)  # type: ignore[no-untyped-call]
        return made if self.bias is None else made + self.bias


class _Partly(torch.autograd.Function):
    """x W^T, and of W the gradient of its first columns (axis 1) or rows (axis 0) alone."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, selected: Tensor, axis: int) -> Tensor:
        """Return z; of the input what selected columns meet is kept."""
        ctx.axis, ctx.count = axis, selected.shape[axis]
        ctx.save_for_backward(values[..., : ctx.count].clone() if axis else values, weight)
        return functional.linear(values, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None, None]:
        """Return dx and the selected part of dW."""
        met, weight = ctx.saved_tensors
        wants_input, _, wants_selected, _ = ctx.needs_input_grad
        of_input = gradient @ weight if wants_input else None
        of_selected = None
        if wants_selected:
            above = gradient if ctx.axis else gradient[..., : ctx.count]
            of_selected = above.flatten(0, -2).T @ met.flatten(0, -2)
        return of_input, None, of_selected, None


def make_whole(layer: nn.Module) -> None:
    """Let a layer be a plain one again, with what learned in its place; one that is stays as it is."""
    if isinstance(layer, PartialLayer):
        layer.place()
        del layer.selected
        for name in ("_axis", "_placed"):
            delattr(layer, name)
        layer.__class__ = nn.Linear  # type: ignore[assignment]
