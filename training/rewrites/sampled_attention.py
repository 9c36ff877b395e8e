"""Sampled attention: of every query a share of the keys, each query its own, chosen by a predictor (Sparsifiner).

Q K^T is then a sampled product of two dense matrices, and what its softmax multiplies a sparse one. An array that
computes whole products cannot leave out single results: every score is computed, stored and multiplied by, the share
alone is of use, and the predictor's work comes on top; the report says so by operator. The predictor brings keys to a
few tokens, multiplies queries by these, takes a softmax and brings it back to all tokens (Sparsifiner, whose predictor
is sparse in both; its weights, shared by heads, are for one number of keys); or it projects queries and keys to a few
channels each and multiplies the two. A threshold is laid over the result. It learned apart, and runs forward; or it
learns along, in every training step: a softmax of what it makes is to be that of the scores, without a gradient to the
network. Source: Wei et al., CVPR 2023 (arXiv 2303.13755).
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field, PositiveInt

from ...configs.errors import ConfigError
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
from .fragment import Fragment, Part, Value, elements
from .rewrite import Outcome


class SampledAttention(AttentionRewrite):
    """Attention to some keys of every query."""

    kind: Literal["sampled-attention"]
    density: float = Field(gt=0, le=1, description="share of the keys of a query, rounded up")
    predictor: PositiveInt = Field(description="channels, or tokens, that keys are brought to, to choose them")
    across: Literal["channels", "tokens"] = Field(
        default="channels",
        description="what is brought to few: channels of queries and keys, or the tokens of keys, and back to all; "
        "tokens are not for causal attention",
    )
    learns: Learning = Field(
        default="apart",
        description="of the predictor: apart, before, so that it runs forward; or along, in every training step, from "
        "the scores",
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"{self.density:.0%} of the keys of each query, chosen in {self.predictor} {self.across}"

    @property
    def trains(self) -> bool:
        """Where the predictor learns."""
        return self.learns == "along"

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph; deployed it is the same.

        Raises:
            ConfigError: no attention is named, or one is causal and its predictor mixes tokens.
        """
        attention = self.attention(graph)
        causal = next((each.module for each in attention if each.causal and self.across == "tokens"), None)
        if causal is not None:
            raise ConfigError(
                f"across: got tokens with {causal} of {graph.name}, whose attention is causal, need channels: what a "
                "query chooses would depend on tokens behind it",
                field="across",
            )
        outcome = patterned(graph, attention, lambda each: SampledScores(exact(self.density), causal=each.causal))
        made = decided(
            outcome.graph,
            attention,
            "predictor",
            partial(
                self._by_tokens if self.across == "tokens" else self._by_channels,
                learns=learns_in(graph, self.learns, deployed=deployed),
            ),
        )
        return Outcome(graph=made, layers=outcome.layers, says=outcome.says)

    def _by_channels(self, fragment: Fragment, operands: Operands, *, learns: bool) -> Choice:
        sides = ((operands.queries, "query", operands.square[0]), (operands.keys, "key", operands.square[1]))
        widths = (operands.width, self.predictor)
        compared = [
            projected(fragment, value, name, operands.count * extent, widths, learns=learns)
            for value, name, extent in sides
        ]
        extents = (*operands.square, self.predictor)
        return self._choice(
            fragment, between(fragment, *compared, extents=extents, count=operands.count), learns=learns
        )

    def _by_tokens(self, fragment: Fragment, operands: Operands, *, learns: bool) -> Choice:
        (queries, keys), few = operands.square, self.predictor
        rows = operands.count * operands.width
        down = projected(fragment, operands.keys, "down", rows, (keys, few), learns=learns)
        extents = (queries, few, operands.width)
        compared = between(fragment, operands.queries, down, extents=extents, count=operands.count)
        part = Part(of=(compared,), kind="softmax_backward", inputs=(None, 0), elements=elements(compared.shape))
        shares = fragment.vector("softmax", (compared,), module=fragment.module, shape=compared.shape, parts=(part,))
        found = projected(fragment, shares, "up", operands.count * queries, (few, keys), learns=learns)
        return self._choice(fragment, found, learns=learns)

    @staticmethod
    def _choice(fragment: Fragment, found: Value, *, learns: bool) -> Choice:
        likely = None
        if learns:
            likely = fragment.vector("softmax", (found,), module=fragment.module, shape=found.shape, parts=())
        return Choice(chosen=chosen_scores(fragment, found, found.shape), compared=found, likely=likely)
