"""A product with a weight of its own for each pass.

    z  = p(x) W_ff       FF: p prunes the input, or leaves it
    dx = p(dz) W_bp^T    BP: p prunes the output gradient, or leaves it
    dW = p(x)^T p(dz)    WU: straight through to the master weight; p prunes one of them, or neither

each p in groups along what its own product sums over. For a linear layer or any convolution, in the arithmetic of
``precision``: operands and activations in 16 bits, weight gradients as FP32 sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .precision import Precision, rounded
from .weight_axes import TransposedConvolutions


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How a layer's weight meets its input; None of it matters to a linear layer.

    Attributes:
        linear: a matrix product over the last axis.
        stride: an extent an axis, as the rest.
        padding: zeros on both sides.
        dilation: between kernel positions.
        transposed: of a transposed convolution.
        output_padding: of a transposed convolution.
        groups: of channels.
    """

    linear: bool = False
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    transposed: bool = False
    output_padding: tuple[int, ...] = ()
    groups: int = 1

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Of ``aten.convolution`` after its tensors."""
        return self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups

    def forward(self, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Multiply: x W + b."""
        if self.linear:
            return functional.linear(values, weight, bias)
        output: Tensor = torch.ops.aten.convolution(values, weight, bias, *self.arguments)
        return output

    def input_gradient(self, gradient: Tensor, values: Tensor, weight: Tensor) -> Tensor:
        """Multiply: dz W^T."""
        if self.linear:
            return gradient @ weight
        return self._backward(gradient, values, weight, 0)

    def weight_gradient(self, gradient: Tensor, values: Tensor, weight: Tensor) -> Tensor:
        """Multiply: x^T dz."""
        if self.linear:
            return gradient.flatten(0, -2).T @ values.flatten(0, -2) if gradient.dim() > 1 else gradient.outer(values)
        return self._backward(gradient, values, weight, 1)

    def bias_gradient(self, gradient: Tensor) -> Tensor:
        """The output gradient summed over all but the channels."""
        if self.linear:
            return gradient.flatten(0, -2).sum(0) if gradient.dim() > 1 else gradient
        return gradient.sum((0, *range(2, gradient.dim())))

    def _backward(self, gradient: Tensor, values: Tensor, weight: Tensor, wanted: int) -> Tensor:
        """The gradient of the input (0) or of the weight (1)."""
        mask = [number == wanted for number in range(3)]
        found: Tensor = torch.ops.aten.convolution_backward(gradient, values, weight, None, *self.arguments, mask)[
            wanted
        ]
        return found


Prune = Callable[[Tensor], Tensor]
"""What prunes an operand that streams in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """What each pass of one product multiplies by, and who watches.

    Attributes:
        geometry: of the layer.
        forward_weight: W_ff.
        backward_weight: W_bp.
        precision: of the operands.
        prune_input: p of FF, or None.
        prune_gradient: p of BP, or None.
        update_input: p of the input in WU, or None.
        update_gradient: p of the output gradient in WU, or None.
        see_gradient: given each output gradient, or None.
    """

    geometry: Geometry
    forward_weight: Tensor
    backward_weight: Tensor
    precision: Precision
    prune_input: Prune | None
    prune_gradient: Prune | None
    update_input: Prune | None
    update_gradient: Prune | None
    see_gradient: Callable[[Tensor], None] | None

    def pruned(self, prune: Prune | None, operand: Tensor) -> Tensor:
        """An operand, pruned if it is; what was scaled is rounded again."""
        return operand if prune is None else rounded(prune(operand), self.precision)

    def padded_to(self, module: nn.Module, values: Tensor, output_size: list[int]) -> Passes:
        """The same with the output padding that gives a transposed convolution's result this size."""
        assert isinstance(module, nn.modules.conv._ConvTransposeNd), "only those have an output size"
        axes = len(module.kernel_size)
        # Torch's own rule; its annotations name lists where it passes itself tuples.
        rule: Any = module._output_padding
        padding = rule(values, output_size, module.stride, module.padding, module.kernel_size, axes, module.dilation)
        return replace(self, geometry=replace(self.geometry, output_padding=tuple(padding)))


class Product(torch.autograd.Function):
    """The product of an input and the master weight, each pass with its own weight; see the module."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None, passes: Passes) -> Tensor:
        """Return z. ``weight`` is where the gradient goes; ``passes.forward_weight`` is multiplied by."""
        operand = rounded(values, passes.precision)
        moving = passes.pruned(passes.prune_input, operand)
        output = passes.geometry.forward(moving, rounded(passes.forward_weight, passes.precision), bias)
        ctx.save_for_backward(operand, rounded(passes.backward_weight, passes.precision))
        ctx.passes = passes
        return rounded(output, passes.precision)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Return dx, dW, db."""
        values, weight = ctx.saved_tensors
        passes: Passes = ctx.passes
        gradient = rounded(gradient, passes.precision)
        if passes.see_gradient is not None:
            passes.see_gradient(gradient)
        wants_input, wants_weight, wants_bias, _ = ctx.needs_input_grad
        input_gradient = weight_gradient = bias_gradient = None
        if wants_input:
            moving = passes.pruned(passes.prune_gradient, gradient)
            input_gradient = rounded(passes.geometry.input_gradient(moving, values, weight), passes.precision)
        if wants_weight:
            moving, source = passes.pruned(passes.update_gradient, gradient), passes.pruned(passes.update_input, values)
            weight_gradient = passes.geometry.weight_gradient(moving, source, weight)
        if wants_bias:
            bias_gradient = passes.geometry.bias_gradient(gradient)
        return input_gradient, weight_gradient, bias_gradient, None


def padded_input(module: nn.Module, values: Tensor) -> tuple[Tensor, Geometry]:
    """A layer's input as the product reads it, and the product's geometry.

    Padding that is not of zeros, or differs between the sides, is laid around the input first.
    """
    if not isinstance(module, nn.modules.conv._ConvNd):
        return values, Geometry(linear=True)
    padding = (0,) * len(module.kernel_size) if isinstance(module.padding, str) else module.padding
    transposed = isinstance(module, TransposedConvolutions)
    if not transposed and (isinstance(module.padding, str) or module.padding_mode != "zeros"):
        mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
        values = functional.pad(values, module._reversed_padding_repeated_twice, mode=mode)
        padding = (0,) * len(module.kernel_size)
    return values, Geometry(
        stride=tuple(module.stride),
        padding=padding,
        dilation=tuple(module.dilation),
        transposed=transposed,
        output_padding=tuple(module.output_padding),
        groups=module.groups,
    )
