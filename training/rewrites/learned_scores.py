"""Frozen weights with a low-rank update, whose masks are learned by scores of few parameters (PST).

Of a linear layer W = W0 + U V, computed anew in every step, and beside it a score of every element,
S = |W| + A B + R 1^T + 1 C^T, with a number a row and a column. The recipe prunes the layer: its mask keeps the largest
scores, and the layer multiplies by mask * W. The gradient D of that is formed whole; U and V learn by mask * D, and A,
B, R and C by D * W, as if the mask were the scores (straight through). |W| is taken as it is. W0 does not learn, nor
does any other parameter that ``learning`` does not name. Deployed the masked W is computed offline: the network runs as
it was, pruned.
Source: Li et al., IJCAI 2022 (arXiv 2205.11005), and its code (AliceMind S4/PST); no gradient through |W| is assumed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from ..graph import Size, TrainingGraph
from ..passes.freezing import without_learning
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer, frozen_but
from .low_rank import full_rank, product
from .splice import with_fragments

UPDATE, SCORE = ("update_a", "update_b"), ("score_a", "score_b")
"""Names of the factors of the update and of the scores, under the layer."""

ROWS, COLUMNS = "score_rows", "score_columns"
"""Of a number a row, and a column."""


class LearnedScores(LayerRewrite):
    """A low-rank update of frozen weights, and scores of their elements."""

    kind: Literal["learned-scores"]
    rank: PositiveInt = Field(description="r, of the update")
    score_rank: PositiveInt = Field(description="of the scores")
    learning: tuple[str, ...] = Field(
        default=(), description="parameters that learn beside, or what holds them, with * and ?"
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"updates of rank {self.rank} of frozen weights, with scores of rank {self.score_rank}"

    @property
    def trains(self) -> bool:
        """They do."""
        return True

    @property
    def freezes(self) -> bool:
        """It does."""
        return True

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot be so rewritten; empty where it can."""
        if layer.convolution is not None:
            return "it is a convolution"
        return full_rank(layer, max(self.rank, self.score_rank))

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Each computed anew; deployed the network is as it was.

        Raises:
            ConfigError: ``learning`` names nothing that learns.
        """
        if deployed or graph.inference:
            return graph, ("Masked weights are computed once and offline: the network runs as it was, pruned.",)
        frozen = frozen_but(graph, self.learning)
        return without_learning(with_fragments(graph, layers.values(), self._build), frozen), ()

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        name = layer.name
        base = fragment.kept(layer.weight, learns=False)
        whole = fragment.add(base, self._low(fragment, layer, UPDATE, self.rank), module=name)
        scores = fragment.magnitude(whole, module=name)
        scores = fragment.add(scores, self._low(fragment, layer, SCORE, self.score_rank), module=name)
        for each, extent in ((ROWS, layer.outputs), (COLUMNS, layer.inputs)):
            shift = fragment.weight(f"{each}.weight", (Size(fixed=extent),), learns=True)
            scores = fragment.shifted(scores, shift, module=name)
        return product(fragment, layer, x, fragment.masked(whole, scores, module=name), module=name)

    def _low(self, fragment: Fragment, layer: Layer, names: tuple[str, str], rank: int) -> Value:
        inner, inputs, outputs = (Size(fixed=each) for each in (rank, layer.inputs, layer.outputs))
        b = fragment.weight(f"{names[1]}.weight", (outputs, inner), learns=True)
        a = fragment.weight(f"{names[0]}.weight", (inner, inputs), learns=True)
        return fragment.weights_product(b, a, module=layer.name)
