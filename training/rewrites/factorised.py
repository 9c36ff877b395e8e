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
from .layer_rewrite import LayerRewrite
from .layers import Layer
from .low_rank import factors, plain_layer


class Factorised(LayerRewrite):
    """Two layers in the place of one, by way of more channels than its rank."""

    kind: Literal["factorised"]
    zeros_percent: float = Field(ge=0, lt=100, description="s, of both layers, which says how many channels there are")
    between: Between = Field(default="batch-norm-relu", description="what stands between the two")

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"factorised for {self.zeros_percent:g}% zeros"

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot be factorised; empty where it can."""
        return plain_layer(layer) or unnormalised(layer, self.between)

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Two layers in the place of each; deployed they stay."""
        return with_normalised(graph, layers.values(), self._build), ()

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
