"""Sampled attention: of every query a share of the keys, each query its own, chosen by a predictor (Sparsifiner).

Q K^T is then a sampled product of two dense matrices, and what its softmax multiplies a sparse one. An array that
computes whole products cannot leave out single results: every score is computed, stored and multiplied by, the share
alone is of use, and the predictor's work comes on top; the report says so by operator. The predictor projects queries
and keys to a few channels each (weights shared by heads), multiplies the two and lays a threshold over the result. It
learned apart, and runs forward; or it learns along, in every training step: a softmax of what it compares is to be that
of the scores, without a gradient to the network. Source: Wei et al., CVPR 2023 (arXiv 2303.13755).
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field, PositiveInt

from ..graph import TrainingGraph
from ..score_patterns import SampledScores
from .attention_rewrite import AttentionRewrite
from .attentions import (
    Choice,
    Learning,
    Operands,
    between,
    chosen_scores,
    decided,
    exact,
    learns_in,
    patterned,
    projected,
)
from .fragment import Fragment
from .rewrite import Outcome


class SampledAttention(AttentionRewrite):
    """Attention to some keys of every query."""

    kind: Literal["sampled-attention"]
    density: float = Field(gt=0, le=1, description="share of the keys of a query, rounded up")
    predictor: PositiveInt = Field(description="channels that queries and keys are compared in to choose them")
    learns: Learning = Field(
        default="apart",
        description="of the predictor: apart, before, so that it runs forward; or along, in every training step, from "
        "the scores",
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"{self.density:.0%} of the keys of each query, chosen in {self.predictor} channels"

    @property
    def trains(self) -> bool:
        """Where the predictor learns."""
        return self.learns == "along"

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph; deployed it is the same.

        Raises:
            ConfigError: no attention is named.
        """
        attention = self.attention(graph)
        outcome = patterned(graph, attention, lambda each: SampledScores(exact(self.density), causal=each.causal))
        made = decided(
            outcome.graph,
            attention,
            "predictor",
            partial(self._predicted, learns=learns_in(graph, self.learns, deployed=deployed)),
        )
        return Outcome(graph=made, layers=outcome.layers, says=outcome.says)

    def _predicted(self, fragment: Fragment, operands: Operands, *, learns: bool) -> Choice:
        sides = ((operands.queries, "query", operands.square[0]), (operands.keys, "key", operands.square[1]))
        widths = (operands.width, self.predictor)
        compared = [
            projected(fragment, value, name, operands.count * extent, widths, learns=learns)
            for value, name, extent in sides
        ]
        extents = (*operands.square, self.predictor)
        found = between(fragment, *compared, extents=extents, count=operands.count)
        likely = None
        if learns:
            likely = fragment.vector("softmax", (found,), module=fragment.module, shape=found.shape, parts=())
        return Choice(chosen=chosen_scores(fragment, found, found.shape), compared=found, likely=likely)
