"""Patterns laid over scores of attention, and what stands before them: what rewrites of attention share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from ..attention import Attention
from ..graph import ComputedScores, MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from ..score_patterns import ScorePattern
from ..scores import with_patterns
from .attention_rewrite import modules_of
from .fragment import Fragment, Part, Value, elements
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


Learning = Literal["apart", "along"]
"""When what chooses scores learns: before, so that it runs forward alone, or in each training step."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What chooses scores.

    Attributes:
        chosen: what says which are computed.
        compared: what it made of each, a product.
        likely: a softmax of that, which learns to be what attention makes of all scores; None where nothing learns.
        taught: what it is to be; None where it is a softmax of the attention's own scores.
    """

    chosen: Value
    compared: Value
    likely: Value | None = None
    taught: Value | None = None


Decide = Callable[[Fragment, Operands], Choice]
"""Writes what stands before the product of scores, and gives what says which of them are computed."""


def decided(graph: TrainingGraph, attention: Sequence[Attention], name: str, decide: Decide) -> TrainingGraph:
    """The graph with work before each product of scores, which the product waits for.

    What learns of it does so apart from the network: its gradients begin where it compares and end at its weights.

    Args:
        graph: that is rewritten.
        attention: of it.
        name: of the work, under the path of the attention's module.
        decide: writes it.
    """
    taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
    tensors: dict[str, Tensor] = dict(graph.tensors)
    before: dict[str, tuple[Operator, ...]] = {}
    updates: list[Operator] = []
    by_name = {operator.name: operator for operator in graph.products}
    for each in attention:
        fragment = Fragment(f"{each.module}.{name}" if each.module else name, taken)
        choice = decide(fragment, operands_of(graph, each))
        product = by_name[each.scores.name]
        waiting = replace(product, inputs=(*product.inputs, choice.chosen.name))
        before[each.scores.name] = (*fragment.forward, waiting)
        if choice.likely is not None:
            first = next(own for own in graph.products if own.name in each.axes and own.stage is not Stage.FORWARD)
            backward, gradients = _learnt(fragment, choice, product.outputs[0])
            before[first.name] = (*backward, first)
            updates += fragment.updates(gradients)
        tensors |= fragment.tensors
    operators = (*_with_before(graph, before), *updates)
    return replace(graph, tensors=tensors, operators=operators, counted_macs={})


def learns_in(graph: TrainingGraph, learning: Learning, *, deployed: bool) -> bool:
    """Whether what chooses scores learns in a step of a graph."""
    return learning == "along" and not deployed and not graph.inference


def _learnt(fragment: Fragment, choice: Choice, scores: str) -> tuple[list[Operator], dict[str, str]]:
    """The backward pass of what chooses: a softmax less what it is to be is the gradient of what was compared."""
    assert choice.likely is not None, "who learns has one"
    taught = choice.taught.name if choice.taught is not None else f"{choice.likely.name}:taught"
    name = f"{choice.likely.name}:distilled"
    fragment.tensors[name] = Tensor(name=name, shape=choice.compared.shape, role="gradient")
    elements_of_all = elements(choice.compared.shape)
    made: list[Operator] = []
    if choice.taught is None:
        fragment.tensors[taught] = Tensor(name=taught, shape=choice.compared.shape, role="activation")
        made.append(_backward_work(fragment, "softmax", (scores,), taught, elements_of_all))
    inputs = (choice.likely.name, taught)
    made.append(_backward_work(fragment, "softmax_backward", inputs, name, elements_of_all))
    backward, gradients = fragment.backward(choice.compared, name)
    return [*made, *backward], gradients


def _backward_work(fragment: Fragment, kind: str, inputs: tuple[str, ...], output: str, count: Size) -> Operator:
    return Operator(
        name=output,
        kind=kind,
        stage=Stage.BACKWARD,
        module=fragment.module,
        inputs=inputs,
        outputs=(output,),
        elements=count,
    )


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
    """A product of two activations, [count, m, k] by [count, k, n], and the gradients of those that learn."""
    m, n, k = (Size(fixed=extent) for extent in extents)
    of_left = MatrixProduct(m=m, n=k, k=n, count=count)
    of_right = MatrixProduct(m=k, n=n, k=m, count=count)
    return fragment.write(
        kind="matmul",
        module=fragment.module,
        inputs=(left, right),
        shape=(count, m, n),
        geometry=MatrixProduct(m=m, n=n, k=k, count=count),
        parts=(
            Part(of=(left,), kind="matmul", inputs=(None, right.name), geometry=of_left),
            Part(of=(right,), kind="matmul", inputs=(left.name, None), geometry=of_right),
        ),
    )


def projected(
    fragment: Fragment, value: Value, name: str, rows: Size, extents: tuple[int, int], *, learns: bool
) -> Value:
    """Queries or keys, or what was pooled of them, in the channels that they are compared in.

    Args:
        fragment: that it is written on.
        value: [rows, inputs].
        name: of the projection.
        rows: of all heads and samples.
        extents: inputs, and outputs.
        learns: whether its weight does.
    """
    inputs, outputs = extents
    weight = fragment.weight(f"{name}.weight", (Size(fixed=outputs), Size(fixed=inputs)), learns=learns)
    return fragment.linear(value, weight, module=fragment.under(name), rows=rows, inputs=inputs, outputs=outputs)
