"""Some columns or rows of a weight learn, the rest is frozen (S2FT): the gradient of nothing else is formed.

Of a linear layer, W [N, K], the weights of the first s inputs (columns) or outputs (rows) learn. FF and BP are the
layer's own; WU is T s N or T K s in the place of T K N, and of x what the columns meet is copied (``copy``) and kept.
What learns is a parameter of its own, ``selected``, whose update writes it to its place in W. No other parameter
that ``learning`` does not name learns, and nothing is propagated back below the first that does. Deployed the network
is as it was.

S2FT selects heads and channels and permutes what is coupled so that they are the first ones. Of a network that training
treats symmetrically those of a random choice are as good as the first: so they are taken here, without a permutation.
Source: Yang et al., NeurIPS 2024 (arXiv 2412.06289), and its code.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ..graph import Size, TrainingGraph
from ..passes.freezing import without_learning
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer, frozen_but
from .splice import with_fragments


class Partial(LayerRewrite):
    """Weights of some inputs or outputs that learn beside weights that do not."""

    kind: Literal["partial"]
    inputs: float | None = Field(default=None, gt=0, lt=1, description="share of a layer's inputs whose weights learn")
    outputs: float | None = Field(
        default=None, gt=0, lt=1, description="share of a layer's outputs whose weights learn"
    )
    multiple_of: PositiveInt = Field(default=1, description="of inputs or outputs: the size of a head, say")
    learning: tuple[str, ...] = Field(
        default=(), description="parameters that learn beside, or what holds them, with * and ?"
    )

    @model_validator(mode="after")
    def _says_one_side(self) -> Self:
        if (self.inputs is None) == (self.outputs is None):
            said = "neither inputs nor outputs" if self.inputs is None else "inputs and outputs"
            raise ValueError(f"got {said}, need one of them")
        return self

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        share, side = (self.inputs, "inputs") if self.inputs is not None else (self.outputs, "outputs")
        return f"weights of {100 * (share or 0):g}% of the {side} learn"

    @property
    def trains(self) -> bool:
        """They do."""
        return True

    @property
    def freezes(self) -> bool:
        """It does."""
        return True

    def selected_of(self, outputs: int, inputs: int) -> tuple[int, int]:
        """The axis of a weight [outputs, inputs] that is selected along, and how many of it; at least one multiple.

        >>> Partial(kind="partial", inputs=0.1, multiple_of=64).selected_of(768, 768)
        (1, 64)
        """
        axis, share, extent = (1, self.inputs, inputs) if self.inputs is not None else (0, self.outputs, outputs)
        assert share is not None, "one of them is said"
        return axis, max(round(share * extent / self.multiple_of), 1) * self.multiple_of

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot learn in part; empty where it can."""
        if layer.convolution is not None:
            return "it is a convolution"
        axis, count = self.selected_of(layer.outputs, layer.inputs)
        extent = (layer.outputs, layer.inputs)[axis]
        return f"of its {extent} {('outputs', 'inputs')[axis]} {count} would learn" if count >= extent else ""

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Each with a part that learns; deployed the network is as it was.

        Raises:
            ConfigError: ``learning`` names nothing that learns.
        """
        if deployed or graph.inference:
            return graph, ("What learned lies in its place in the weights: the network runs as it was.",)
        frozen = frozen_but(graph, self.learning)
        return without_learning(with_fragments(graph, layers.values(), self._build), frozen), ()

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        axis, count = self.selected_of(layer.outputs, layer.inputs)
        part, rows = Size(fixed=count), layer.linear.m
        shape = (Size(fixed=layer.outputs), part) if axis else (part, Size(fixed=layer.inputs))
        selected = fragment.weight("selected", shape, learns=True)
        weight = fragment.kept(layer.weight, learns=False)
        met = fragment.first_columns(x, (rows, part), module=layer.name) if axis else x
        return fragment.partly_linear(
            x,
            weight,
            module=layer.name,
            rows=rows,
            inputs=layer.inputs,
            outputs=layer.outputs,
            selected=selected,
            met=met,
        )
