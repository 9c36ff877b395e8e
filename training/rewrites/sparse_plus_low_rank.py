"""Sparse plus low rank (SLTrain): W = (alpha / r) B A + S, with S on a fixed random support of d K N elements.

``rebuilt``, as its authors' kernel has it: W is computed in the forward pass (B A, scaled by a ``multiply``, the values
of S added at their places by a ``copy``), multiplied by, thrown away, and computed again in the backward pass. The
gradient of W is formed whole; that of S is gathered from it (``copy``), those of B and A are products of it. That saves
memory and no multiply-accumulates: 3 T K N + 4 r K N a step. ``keep_weight`` keeps W for the backward pass. Deployed, W
is computed once and offline: the network runs as it was. No recipe prunes a weight that is computed.

``factored``: S x and (alpha / r) B (A x) are computed apart and added. S is then a weight of its own under the layer's
name, whole in the graph: the recipe prunes it to the share of zeros that it says, and ``dense.names`` keeps the factors
``*.low_rank_a`` and ``*.low_rank_b`` out of that. Of S the gradient is formed whole.
Source: Han et al., NeurIPS 2024 (arXiv 2406.02214), and its code.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ..graph import Size, TrainingGraph
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer
from .low_rank import factors, full_rank, plain_layer, product
from .splice import with_fragments

FACTORS = ("low_rank_a", "low_rank_b")
"""Names of the two factors, under the layer."""


class SparsePlusLowRank(LayerRewrite):
    """A weight as a sparse matrix and a low-rank one."""

    kind: Literal["sparse-plus-low-rank"]
    rank: PositiveInt | Annotated[float, Field(gt=0, lt=1)] = Field(
        description="r, of the low-rank matrix; below 1 its share of the lesser of a layer's inputs and outputs"
    )
    form: Literal["rebuilt", "factored"] = Field(
        default="rebuilt",
        description="the weight computed from its parts in each pass, or the parts multiplied by apart",
    )
    kept_percent: float | None = Field(
        default=None, gt=0, lt=100, description="of a rebuilt weight: elements of the sparse matrix, in percent of all"
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="alpha / r of the low-rank matrix; training alone asks",
    )
    keep_weight: bool = Field(default=False, description="a rebuilt weight is kept for the backward pass")

    @model_validator(mode="after")
    def _the_form_has_its_fields(self) -> Self:
        if self.form == "rebuilt" and self.kept_percent is None:
            raise ValueError("kept_percent: got nothing with form rebuilt, need the elements of the sparse matrix")
        if self.form == "factored" and (self.kept_percent is not None or self.keep_weight):
            said = "keep_weight" if self.kept_percent is None else "kept_percent"
            raise ValueError(
                f"{said}: got it with form factored, need it left out: the recipe prunes the sparse matrix"
            )
        return self

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        kept = "" if self.kept_percent is None else f" of {self.kept_percent:g}%"
        return f"a sparse matrix{kept} plus low rank {self.rank:g}, {self.form}"

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    def rank_of(self, outputs: int, inputs: int) -> int:
        """The rank beside a weight [outputs, inputs].

        >>> third = SparsePlusLowRank(kind="sparse-plus-low-rank", rank=0.3334, kept_percent=3)
        >>> third.rank_of(3072, 768)
        256
        """
        return self.rank if isinstance(self.rank, int) else max(round(self.rank * min(outputs, inputs)), 1)

    def kept_of(self, elements: int) -> int:
        """Elements of the sparse matrix beside a rebuilt weight of so many."""
        assert self.kept_percent is not None, "a rebuilt weight has it"
        return max(1, math.floor(elements * self.kept_percent / 100))

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Each from its parts; deployed a rebuilt weight is that of the network as it was."""
        if self.form == "factored":
            return with_fragments(graph, layers.values(), self._factored), ()
        if deployed:
            return graph, ("Weights are computed from their parts once and offline: the network runs as it was.",)
        return with_fragments(graph, layers.values(), self._rebuilt), ()

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot be so rewritten; empty where it can."""
        return plain_layer(layer) or full_rank(layer, self.rank_of(layer.outputs, layer.inputs))

    def _factored(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        sparse = product(fragment, layer, x, fragment.kept(layer.weight, learns=layer.learns), module=layer.name)
        rank = self.rank_of(layer.outputs, layer.inputs)
        low = fragment.scaled(factors(fragment, layer, x, rank=rank, names=FACTORS), module=layer.name)
        return fragment.add(sparse, low, module=layer.name)

    def _rebuilt(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        size = layer.inputs * layer.outputs
        kept = (Size(fixed=self.kept_of(size)),)
        ranks = self.rank_of(layer.outputs, layer.inputs)
        rank, inputs, outputs = (Size(fixed=each) for each in (ranks, layer.inputs, layer.outputs))
        b = fragment.weight(f"{FACTORS[1]}.weight", (outputs, rank), learns=layer.learns)
        a = fragment.weight(f"{FACTORS[0]}.weight", (rank, inputs), learns=layer.learns)
        values = fragment.weight("sparse.weight", kept, learns=layer.learns)
        places = fragment.constant("sparse.places", kept, integer=True)
        low = fragment.scaled(fragment.weights_product(b, a, module=layer.name), module=layer.name)
        weight = fragment.scattered(low, values, places, module=layer.name)
        if not self.keep_weight:
            fragment.forget(weight)
        return product(fragment, layer, x, weight, module=layer.name)
