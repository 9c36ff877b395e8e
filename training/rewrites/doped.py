"""Doped: a layer, for the recipe to prune to sparsity s, and beside it two dense ones of low rank, summed (``add``).

The rank is R = floor(s K N / (K + N)), so that with the sparse layer they have the dense one's products; K are the
inputs of an output, channels times kernel positions of a convolution, N the outputs. ``dense.names`` of the recipe
keeps the factors, ``*.doped_a`` and ``*.doped_b``, from being pruned.
Source: Thangarasa et al., ICML 2024: Sparse-IFT (arXiv 2303.11525), and its code.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from ..graph import TrainingGraph
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer
from .low_rank import factors, plain_layer, product
from .splice import with_fragments


class Doped(LayerRewrite):
    """A layer and a dense one of low rank beside it."""

    kind: Literal["doped"]
    zeros_percent: float = Field(
        gt=0, lt=100, description="s, of the layer's own weight, which says the rank beside it"
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"doped with a dense part of low rank for {self.zeros_percent:g}% zeros"

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Each with a low-rank part beside it; deployed it stays there."""
        return with_fragments(graph, layers.values(), self._build), ()

    def rank(self, layer: Layer) -> int:
        """R, of the part beside a layer."""
        k, n = layer.inputs, layer.outputs
        return math.floor(self.zeros_percent / 100 * k * n / (k + n))

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot be so rewritten; empty where it can."""
        return plain_layer(layer) or ("" if self.rank(layer) else "it is too small for a rank of 1 beside it")

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        sparse = product(fragment, layer, x, fragment.kept(layer.weight, learns=layer.learns), module=layer.name)
        beside = factors(fragment, layer, x, rank=self.rank(layer), names=("doped_a", "doped_b"))
        return fragment.add(sparse, beside, module=layer.name)
