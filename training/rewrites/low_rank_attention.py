"""Low-rank attention: kernel features of m channels in the place of the softmax, alone or with buckets beside them.

With phi(x) = exp(x W - |x|^2 / 2), W [width, m] drawn once, exp(q k) is phi(q) phi(k) on average (Performer), so

    y = phi(q) (phi(k)^T v) / phi(q) (phi(k)^T 1)

takes two products of m channels in the place of two of as many keys, and no matrix of queries by keys. With ``buckets``
(Scatterbrain) the pairs of a bucket are corrected: S = exp(q k) - phi(q) phi(k), computed for them alone, adds S v to
what is divided and S 1 to what it is divided by; queries, keys and values are hashed and gathered as in
``hashed_attention``. The attention's dropout goes: there are no weights to drop. Causal attention is refused: it takes
a sum over the keys before each query, which is no such product.
Sources: Choromanski et al. (arXiv 2009.14794), section 2.3; Chen et al. (arXiv 2110.15343), section 4.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from ...configs.errors import ConfigError
from ..attention import Attention
from ..graph import Size, TrainingGraph
from .attention_core import Core, CoreTape, with_cores
from .attention_rewrite import AttentionRewrite, modules_of
from .fragment import Value
from .hashed_attention import in_buckets
from .rewrite import Outcome
from .tape import Part, elements


class LowRankAttention(AttentionRewrite):
    """Attention by kernel features."""

    kind: Literal["low-rank-attention"]
    features: PositiveInt = Field(description="m, channels of what stands for a query or a key")
    buckets: int = Field(
        default=0, ge=0, description="of a hash, whose pairs are computed as they are; none of them where 0"
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        beside = f" and {self.buckets} buckets of a hash" if self.buckets else ""
        return f"attention of rank {self.features}{beside}"

    @property
    def trains(self) -> bool:
        """Features and hashes are drawn, and stay."""
        return True

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph; deployed it is the same.

        Raises:
            ConfigError: no attention is named, one is causal, or queries or keys do not divide by the buckets.
        """
        attention = self.attention(graph)
        for each in attention:
            self._check(graph, each)
        made = graph
        if self.buckets:
            for each in attention:
                made = in_buckets(made, each, self.buckets)
            attention = self.attention(made)
        made = with_cores(made, attention, self.build)
        return Outcome(graph=made, layers=modules_of(attention))

    def _check(self, graph: TrainingGraph, attention: Attention) -> None:
        if attention.causal:
            raise ConfigError(
                f"layers: got {attention.module} of {graph.name}, whose attention is causal, need one that sees all "
                "keys: its features would be summed up anew for each query",
                field="layers",
            )
        if self.buckets and any(extent % self.buckets for extent in attention.square):
            raise ConfigError(
                f"buckets: got {self.buckets}, need a divisor of {attention.square[0]} queries and of "
                f"{attention.square[1]} keys, as {attention.module} of {graph.name} has them",
                field="buckets",
            )

    def build(self, tape: CoreTape, core: Core) -> Value:
        """Write the forward pass of a core, operands in the order of their buckets."""
        queries, keys = core.square
        rank, depth = self.features, core.depth
        drawn = tape.constant("features", (Size(fixed=core.width), Size(fixed=rank)))
        of_queries = self._features(tape, core, core.queries, queries, drawn, copied=False)
        # The gradient of keys' features comes by channels, and is copied into the order of keys.
        of_keys = self._features(tape, core, core.keys, keys, drawn, copied=True)
        gathered = tape.product(of_keys, core.values, (rank, depth, keys), core.count)
        mixed = tape.product(of_queries, gathered, (queries, depth, rank), core.count)
        total = tape.summed(of_keys, (core.count, Size(fixed=rank)))
        weight = tape.product(of_queries, total, (queries, 1, rank), core.count)
        if self.buckets:
            more, weights = self._in_buckets(tape, core, of_queries, of_keys)
            mixed = tape.add(mixed, more, module=tape.module)
            weight = tape.add(weight, weights, module=tape.module)
        return tape.divided(mixed, weight)

    def _features(self, tape: CoreTape, core: Core, value: Value, rows: int, drawn: Value, *, copied: bool) -> Value:
        """Features of queries or keys; whether their gradient is copied."""
        # Heads and samples are multiplied by one matrix: their rows follow each other.
        projected = tape.by_matrix(value, drawn, core.count * rows, (core.width, self.features))
        one = (core.count, Size(fixed=rows), Size(fixed=1))
        both = Part(of=(value,), kind="multiply", inputs=(None, value.name), elements=elements(value.shape))
        squared = tape.vector("multiply", (value,), module=tape.module, shape=value.shape, parts=(both, both))
        half = tape.scaled(tape.summed(squared, one), module=tape.module)
        shape = (core.count, Size(fixed=rows), Size(fixed=self.features))
        spread = tape.viewed(half, shape, kind="reduce", of=shape)
        if copied:
            projected = tape.viewed(projected, projected.shape, kind="copy", of=projected.shape)
        return tape.exponential(tape.difference(projected, spread))

    def _in_buckets(self, tape: CoreTape, core: Core, of_queries: Value, of_keys: Value) -> tuple[Value, Value]:
        """What the pairs of buckets add to what is divided, and to what it is divided by."""
        count = core.count * self.buckets
        queries, keys = (extent // self.buckets for extent in core.square)
        exact = tape.exponential(tape.product(core.queries, core.keys, (queries, keys, core.width), count))
        features = tape.product(of_queries, of_keys, (queries, keys, self.features), count)
        corrected = tape.difference(exact, features)
        more = tape.product(corrected, core.values, (queries, core.depth, keys), count)
        return more, tape.summed(corrected, (core.count, Size(fixed=core.square[0]), Size(fixed=1)))
