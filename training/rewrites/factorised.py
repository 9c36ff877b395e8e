"""Factorised: a layer as two by way of R = ceil(K N / ((1 - s) (K + N))) channels, more than its rank.

K are the inputs of an output, channels times kernel positions of a convolution, N the outputs. Pruned to sparsity s by
the recipe, the two have the dense layer's products. Between them stand a batch normalisation and a ReLU.
Source: Thangarasa et al., ICML 2024: Sparse-IFT (arXiv 2303.11525), and its code.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from ..graph import TrainingGraph
from .behind import Between, behind, unnormalised, with_normalised
from .fragment import Fragment, Value
from .layers import Layer, chosen
from .low_rank import factors, plain_layer
from .rewrite import Outcome, Rewrite


class Factorised(Rewrite):
    """Two layers in the place of one, by way of more channels than its rank."""

    kind: Literal["factorised"]
    zeros_percent: float = Field(ge=0, lt=100, description="s, of both layers, which says how many channels there are")
    between: Between = Field(default="batch-norm-relu", description="what stands between the two")
    layers: tuple[str, ...] = Field(default=("*",), min_length=1, description="paths of layers, with * and ?")

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"factorised for {self.zeros_percent:g}% zeros"

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph; deployed it is the same.

        Raises:
            ConfigError: no layer that is named can be factorised.
        """
        layers, left = chosen(
            graph, self.layers, unfit=lambda layer: plain_layer(layer) or unnormalised(layer, self.between)
        )
        return Outcome(graph=with_normalised(graph, layers.values(), self._build), layers=tuple(layers), left=left)

    def rank(self, layer: Layer) -> int:
        """R: channels between the two layers."""
        k, n = layer.inputs, layer.outputs
        return math.ceil(k * n / ((1 - self.zeros_percent / 100) * (k + n)))

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        return factors(
            fragment,
            layer,
            x,
            rank=self.rank(layer),
            names=("first", "second"),
            between=lambda hidden: behind(fragment, layer, hidden, self.between, name="norm"),
        )
