"""Adapters beside frozen weights (LoRA): y = W x + (alpha / r) B A x, of which A [r, K] and B [N, r] alone learn.

A layer that has an adapter keeps its product; its weight does not learn any more, nor does any other parameter of the
network that ``learning`` does not name. The adapter's output is scaled (``multiply``) and added (``add``). Nothing is
propagated back below the first adapter. Deployed, B A is added into W once and offline: the network is as it was.
Source: Hu et al., ICLR 2022 (arXiv 2106.09685), section 4.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from ..graph import Stage, TrainingGraph
from ..passes.freezing import without_learning
from ..passes.naming import named
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer, refuse_unnamed
from .low_rank import factors, full_rank, plain_layer, product
from .splice import with_fragments


class Adapters(LayerRewrite):
    """Low-rank adapters that learn beside weights that do not."""

    kind: Literal["adapters"]
    rank: PositiveInt = Field(description="r, the channels of an adapter")
    learning: tuple[str, ...] = Field(
        default=(), description="parameters that learn beside the adapters, or what holds them, with * and ?"
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"adapters of rank {self.rank} beside frozen weights"

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot have an adapter; empty where it can."""
        return plain_layer(layer) or full_rank(layer, self.rank)

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Each with an adapter beside it; deployed the network is as it was.

        Raises:
            ConfigError: ``learning`` names nothing that learns.
        """
        if deployed:
            return graph, ("Adapters are merged into the weights offline: the network runs as it was.",)
        frozen = self._frozen(graph)
        return without_learning(with_fragments(graph, layers.values(), self._build), frozen), ()

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        base = product(fragment, layer, x, fragment.kept(layer.weight, learns=layer.learns), module=layer.name)
        side = factors(fragment, layer, x, rank=self.rank, names=("adapter_a", "adapter_b"), learns=True)
        scaled = fragment.scaled(side, module=layer.name)
        return fragment.add(base, scaled, module=layer.name)

    def _frozen(self, graph: TrainingGraph) -> set[str]:
        """Parameters that learn in the graph and do not beside adapters."""
        learners = {each.parameter for each in graph.operators if each.stage is Stage.UPDATE and each.parameter}
        for number, pattern in enumerate(self.learning):
            refuse_unnamed("learning", number, pattern, learners, what="a parameter that learns", of=graph.name)
        return {name for name in learners if not any(named(pattern, name) for pattern in self.learning)}
