"""Low rank: a layer's weight W [N, K] as the product of two, U [N, r] and V [r, K], with nothing between them.

A linear layer becomes two, K to r and r to N. A convolution becomes one of its own kernel, stride and padding to r
channels and a 1x1 convolution from these to its outputs, each a product of the im2col matrix. Multiply-accumulates a
position: r (K + N) in the place of K N.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from pydantic import Field, PositiveInt

from ..graph import Convolution, Size, TrainingGraph
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer
from .splice import with_fragments


class LowRank(LayerRewrite):
    """Two factors in the place of a weight."""

    kind: Literal["low-rank"]
    rank: PositiveInt = Field(description="r, the channels between the factors")

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"low rank {self.rank}"

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Two factors in the place of each; deployed they stay."""
        return with_fragments(graph, layers.values(), self._build), ()

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        return factors(fragment, layer, x, rank=self.rank, names=("reduce", "expand"))

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot be so rewritten; empty where it can."""
        return plain_layer(layer) or full_rank(layer, self.rank)


def plain_layer(layer: Layer) -> str:
    """Why a layer is not one matrix of weights; empty where it is."""
    shape = layer.convolution
    if shape is not None and shape.transposed:
        return "it is a transposed convolution"
    if shape is not None and shape.groups > 1:
        return f"its channels are in {shape.groups} groups"
    return ""


def full_rank(layer: Layer, rank: int) -> str:
    """Why a rank is none that a layer could lose; empty where it is less than the layer's own."""
    least = min(layer.inputs, layer.outputs)
    return f"rank {rank} is not below {least}, the lesser of its inputs and outputs" if rank >= least else ""


def factors(
    fragment: Fragment,
    layer: Layer,
    x: Value,
    *,
    rank: int,
    names: tuple[str, str],
    learns: bool | None = None,
    between: Callable[[Value], Value] | None = None,
) -> Value:
    """A layer's product by way of ``rank`` channels.

    Args:
        fragment: that it is written into.
        layer: whose inputs and outputs it has.
        x: the input.
        rank: r.
        names: of the two factors, under the layer.
        learns: whether they do; as the layer when None.
        between: writes what stands between them; nothing does when None.
    """
    learning = layer.learns if learns is None else learns
    first, second = (fragment.under(name) for name in names)
    shape = layer.convolution
    if shape is None:
        rows, inputs, outputs = layer.linear.m, layer.inputs, layer.outputs
        v = fragment.weight(f"{names[0]}.weight", (Size(fixed=rank), Size(fixed=inputs)), learns=learning)
        u = fragment.weight(f"{names[1]}.weight", (Size(fixed=outputs), Size(fixed=rank)), learns=learning)
        hidden = fragment.linear(x, v, module=first, rows=rows, inputs=inputs, outputs=rank)
        hidden = hidden if between is None else between(hidden)
        return fragment.linear(hidden, u, module=second, rows=rows, inputs=rank, outputs=outputs)
    v = fragment.weight(f"{names[0]}.weight", kernel_shape(shape, rank), learns=learning)
    pointwise = pointwise_of(shape, rank)
    u = fragment.weight(f"{names[1]}.weight", kernel_shape(pointwise, shape.out_channels), learns=learning)
    hidden = fragment.convolution(x, v, module=first, geometry=replace(shape, out_channels=rank))
    hidden = hidden if between is None else between(hidden)
    return fragment.convolution(hidden, u, module=second, geometry=pointwise)


def product(fragment: Fragment, layer: Layer, x: Value, weight: Value, *, module: str) -> Value:
    """A layer's own product, by a weight of its size."""
    shape = layer.convolution
    if shape is not None:
        return fragment.convolution(x, weight, module=module, geometry=shape)
    rows, inputs, outputs = layer.linear.m, layer.inputs, layer.outputs
    return fragment.linear(x, weight, module=module, rows=rows, inputs=inputs, outputs=outputs)


def kernel_shape(shape: Convolution, out_channels: int) -> tuple[Size, ...]:
    """Extents of a convolution's weight."""
    return tuple(Size(fixed=each) for each in (out_channels, shape.in_channels // shape.groups, *shape.kernel))


def pointwise_of(shape: Convolution, in_channels: int) -> Convolution:
    """The 1x1 convolution behind one, from so many channels to its own outputs."""
    ones = (1,) * len(shape.kernel)
    return replace(
        shape,
        groups=1,
        in_channels=in_channels,
        input_size=shape.output_size,
        kernel=ones,
        stride=ones,
        dilation=ones,
        padding=(0,) * len(ones),
    )
