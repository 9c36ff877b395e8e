"""Patterns laid over scores of attention, and what stands before them: what rewrites of attention share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..attention import Attention
from ..graph import ComputedScores, MatrixProduct, Operator, Size, Tensor, TrainingGraph
from ..score_patterns import ScorePattern
from ..scores import with_patterns
from .attention_rewrite import modules_of
from .fragment import Fragment, Value
from .rewrite import Outcome


def patterned(
    graph: TrainingGraph, attention: Sequence[Attention], pattern: Callable[[Attention], ScorePattern]
) -> Outcome:
    """A graph whose attention computes some scores, and in words what that leaves.

    Args:
        graph: that is rewritten.
        attention: of it.
        pattern: of each.
    """
    scores: dict[str, ComputedScores] = {}
    for each in attention:
        own = pattern(each)
        scores |= {name: ComputedScores(*axes, own) for name, axes in each.axes.items()}
    unskipped = dict.fromkeys(why for each in attention if (why := pattern(each).unskipped))
    says = (_says(attention, pattern), *(f"What is not asked for saves no time: {why}." for why in unskipped))
    return Outcome(graph=with_patterns(graph, scores), layers=modules_of(tuple(attention)), says=says)


def _says(attention: Sequence[Attention], pattern: Callable[[Attention], ScorePattern]) -> str:
    whole = computed = asked = 0
    for each in attention:
        assert isinstance(each.scores.geometry, MatrixProduct), "attention is made of products of matrices"
        count, (queries, keys), own = each.scores.geometry.count.at(1), each.square, pattern(each)
        whole += count * queries * keys
        computed += count * own.computed(queries, keys)
        asked += count * own.asked(queries, keys)
    return (
        f"Of the scores of its attention {computed / whole:.2%} are computed, and of these {asked / computed:.2%} are "
        "asked for; so it is of the multiply-accumulates of every product by them."
    )


def exact(share: float) -> Fraction:
    """A share as it was written: 0.1 is a tenth.

    >>> exact(0.1)
    Fraction(1, 10)
    """
    return Fraction(repr(share))


# What decides which scores are computed ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Operands:
    """What the product of scores multiplies: queries [count, Q, width] and keys [count, width, K].

    Attributes:
        queries: of them.
        keys: of them.
        square: queries and keys.
        count: heads, and samples.
        width: of a head.
    """

    queries: Value
    keys: Value
    square: tuple[int, int]
    count: Size
    width: int


Decide = Callable[[Fragment, Operands], Value]
"""Writes what stands before the product of scores, and gives what says which of them are computed."""


def decided(graph: TrainingGraph, attention: Sequence[Attention], name: str, decide: Decide) -> TrainingGraph:
    """The graph with work before each product of scores, which the product waits for. Nothing of it learns.

    Args:
        graph: that is rewritten.
        attention: of it.
        name: of the work, under the path of the attention's module.
        decide: writes it.
    """
    taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
    tensors: dict[str, Tensor] = dict(graph.tensors)
    before: dict[str, tuple[Operator, ...]] = {}
    by_name = {operator.name: operator for operator in graph.products}
    for each in attention:
        fragment = Fragment(f"{each.module}.{name}" if each.module else name, taken)
        mask = decide(fragment, operands_of(graph, each))
        tensors |= fragment.tensors
        product = by_name[each.scores.name]
        waiting = replace(product, inputs=(*product.inputs, mask.name))
        before[each.scores.name] = (*fragment.forward, waiting)
    operators = tuple(_with_before(graph, before))
    return replace(graph, tensors=tensors, operators=operators, counted_macs={})


def _with_before(graph: TrainingGraph, before: dict[str, tuple[Operator, ...]]) -> Iterator[Operator]:
    for operator in graph.operators:
        yield from before.get(operator.name, (operator,))


def operands_of(graph: TrainingGraph, attention: Attention) -> Operands:
    """What an attention's product of scores multiplies."""
    geometry = attention.scores.geometry
    assert isinstance(geometry, MatrixProduct), "attention is made of products of matrices"
    queries, keys = (graph.tensors[name] for name in attention.scores.inputs[:2])
    return Operands(
        queries=Value(name=queries.name, shape=queries.shape),
        keys=Value(name=keys.name, shape=keys.shape),
        square=attention.square,
        count=geometry.count,
        width=geometry.k.fixed,
    )


def chosen_scores(fragment: Fragment, scores: Value, shape: tuple[Size, ...]) -> Value:
    """A threshold laid over scores of a predictor or a gate: what is above it is computed."""
    return fragment.vector("elementwise", (scores,), module=fragment.module, shape=shape, parts=())


def between(fragment: Fragment, left: Value, right: Value, *, extents: tuple[int, int, int], count: Size) -> Value:
    """A product of two activations, [count, m, k] by [count, k, n], of which no gradient is wanted."""
    m, n, k = (Size(fixed=extent) for extent in extents)
    return fragment.write(
        kind="matmul",
        module=fragment.module,
        inputs=(left, right),
        shape=(count, m, n),
        geometry=MatrixProduct(m=m, n=n, k=k, count=count),
        parts=(),
    )
