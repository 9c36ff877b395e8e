"""Hashed attention: queries and keys sorted into buckets by a hash, and a query attends to the keys of its own bucket.

Each head hashes its queries and keys by random rotations (a product with a fixed matrix, of which the largest result of
either sign is the bucket), sorts them by bucket (merge sort: a comparison an element and level) and gathers queries,
keys and values into that order; what attention makes is put back (``copy``, forward and backward). Buckets are taken to
be equal, as where they are cut into chunks of one size. Nothing is propagated through the hash.
Sources: Reformer (arXiv 2001.04451), section 2; the sparse part of Scatterbrain (arXiv 2110.15343).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field

from ...configs.errors import ConfigError
from ..attention import Attention
from ..graph import MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from ..score_patterns import Buckets
from ..scores import elements_of
from .attention_rewrite import AttentionRewrite
from .attentions import Operands, operands_of, patterned
from .fragment import Fragment, Value, renamed
from .rewrite import Outcome


class HashedAttention(AttentionRewrite):
    """Attention inside buckets."""

    kind: Literal["hashed-attention"]
    buckets: int = Field(ge=2, description="that queries and keys are sorted into, each as large as the others")

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"attention in {self.buckets} buckets of a hash"

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph; deployed it is the same.

        Raises:
            ConfigError: no attention is named, or it has fewer queries or keys than buckets.
        """
        attention = self.attention(graph)
        for each in attention:
            if min(each.square) < self.buckets:
                raise ConfigError(
                    f"buckets: got {self.buckets}, need at most {min(each.square)}, the queries or keys of "
                    f"{each.module} in {graph.name}",
                    field="buckets",
                )
        outcome = patterned(graph, attention, lambda each: Buckets(self.buckets, causal=each.causal))
        made = outcome.graph
        for each in attention:
            made = in_buckets(made, each, self.buckets)
        return Outcome(graph=made, layers=outcome.layers, says=outcome.says)


def in_buckets(graph: TrainingGraph, attention: Attention, buckets: int) -> TrainingGraph:
    """The graph whose attention reads operands in the order of buckets, and puts its results back.

    Args:
        graph: that is rewritten.
        attention: of it.
        buckets: of the hash.
    """
    return _Order(graph, attention, buckets).made()


class _Order:
    """Gathers and scatters around one attention."""

    def __init__(self, graph: TrainingGraph, attention: Attention, buckets: int) -> None:
        self._graph = graph
        self._attention = attention
        self._buckets = buckets
        self._tensors: dict[str, Tensor] = dict(graph.tensors)
        self._taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
        module = attention.module
        self._hash = f"{module}.hash" if module else "hash"

    def made(self) -> TrainingGraph:
        """The graph."""
        return replace(self._graph, tensors=self._tensors, operators=tuple(self._operators()), counted_macs={})

    def _operators(self) -> Iterator[Operator]:
        attention = self._attention
        operands = operands_of(self._graph, attention)
        order: tuple[str, ...] = ()
        gathered: dict[str, str] = {}
        put_back: dict[str, str] = {}
        for operator in self._graph.operators:
            if operator.name not in attention.axes:
                yield renamed(operator, put_back)
                continue
            if operator.name == attention.scores.name:
                fragment = Fragment(self._hash, self._taken)
                sides = ((operands.queries, attention.square[0]), (operands.keys, attention.square[1]))
                order = tuple(_sorted(fragment, value, extent, operands, self._buckets).name for value, extent in sides)
                self._tensors |= fragment.tensors
                yield from fragment.forward
            for name in operator.inputs[:2]:
                if name not in attention.whole and name not in gathered:
                    copy = self._copy(name, order, operator.stage, "gather")
                    gathered[name] = copy.outputs[0]
                    yield copy
            ordered = renamed(operator, gathered)
            chosen = order if operator.name == attention.scores.name else ()
            yield replace(ordered, inputs=(*ordered.inputs, *chosen))
            for name in operator.outputs[:1]:
                if name not in attention.whole:
                    copy = self._copy(name, order, operator.stage, "put_back")
                    put_back[name] = copy.outputs[0]
                    yield copy

    def _copy(self, name: str, order: tuple[str, ...], stage: Stage, what: str) -> Operator:
        """A tensor in another order of its rows; the order is read along with it."""
        own = f"{name}:{what}"
        tensor = self._graph.tensors[name]
        self._tensors[own] = replace(tensor, name=own)
        elements = elements_of(tensor)
        assert elements is not None, "operands of attention grow with the batch"
        return Operator(
            name=own,
            kind="copy",
            stage=stage,
            module=self._hash,
            inputs=(name, *order),
            outputs=(own,),
            elements=elements,
        )


def _sorted(fragment: Fragment, value: Value, extent: int, operands: Operands, buckets: int) -> Value:
    """Places of queries, or of keys, in the order of their buckets."""
    rotations = -(-buckets // 2)
    drawn = Size(fixed=rotations)
    matrix = fragment.constant("rotations", (drawn, Size(fixed=operands.width)))
    rows = operands.count * extent
    turned = fragment.write(
        kind="matmul",
        module=fragment.module,
        inputs=(value, matrix),
        shape=(rows, drawn),
        geometry=MatrixProduct(m=rows, n=drawn, k=Size(fixed=operands.width)),
        parts=(),
    )
    places = (operands.count, Size(fixed=extent))
    bucket = fragment.vector("reduce", (turned,), module=fragment.module, shape=places, parts=())
    levels = math.ceil(math.log2(extent)) if extent > 1 else 1
    return fragment.write(
        kind="elementwise",
        module=fragment.module,
        inputs=(bucket,),
        shape=places,
        elements=operands.count * (extent * levels),
        parts=(),
    )
