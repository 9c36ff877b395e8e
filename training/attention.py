"""Attention in a training graph: which products it is made of, and which of their axes count queries and keys.

Free of torch. A capture marks causal attention alone (``MatrixProduct.causal``), so the rest is told by its shape: a
product of two activations, a softmax of its result, and a product that multiplies by that. What their gradients sum
over is told by the operands: the queries' operand meets the gradient of the scores to make that of keys, and the keys'
operand to make that of queries; what the scores multiplied meets a gradient to make that of values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..configs.errors import ConfigError
from .graph import MatrixAxis, MatrixProduct, Operator, Stage, TrainingGraph
from .scores import Square, tied_scores

Axes = tuple[MatrixAxis, MatrixAxis]
"""Of a product, those that count queries and keys."""


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One attention of a network, forward and backward.

    Attributes:
        scores: the product that makes its scores, queries by keys.
        mixing: the product that multiplies values by them.
        square: queries and keys.
        axes: of all its products, by operator.
        whole: tensors of scores as large as all of its heads' and samples'.
        masks: smaller ones, that vector work lays over them.
    """

    scores: Operator
    mixing: Operator
    square: Square
    axes: dict[str, Axes]
    whole: frozenset[str]
    masks: frozenset[str]

    @property
    def module(self) -> str:
        """The module that it is of."""
        return self.scores.module

    @property
    def causal(self) -> bool:
        """Whether a query attends to no key behind its own place."""
        assert isinstance(self.scores.geometry, MatrixProduct), "convolutions attend to nothing"
        return self.scores.geometry.causal is not None


def attention_of(graph: TrainingGraph) -> tuple[Attention, ...]:
    """Every attention of a graph, in order.

    Raises:
        ConfigError: a product of one has axes that cannot be told.
    """
    return tuple(_attentions(graph))


def _attentions(graph: TrainingGraph) -> Iterator[Attention]:
    taken: set[str] = set()
    for product in graph.products:
        square = _square(product)
        if square is None or product.outputs[0] in taken:
            continue
        whole, masks = tied_scores(graph, product.outputs[0], square)
        readers = [each for each in graph.products if each is not product and _touches(each, whole)]
        mixing = next((each for each in readers if each.stage is Stage.FORWARD and _reads(each, whole)), None)
        softmax = any(
            each.kind == "softmax" and not whole.isdisjoint(each.outputs)
            for name in whole
            for each in graph.consumers.get(name, ())
        )
        if mixing is None or not softmax:
            continue
        taken |= whole
        axes = {each.name: _axes(each, product, whole, graph) for each in (product, *readers)}
        yield Attention(scores=product, mixing=mixing, square=square, axes=axes, whole=whole, masks=masks)


def _square(product: Operator) -> Square | None:
    """Rows and columns of a forward product that may make scores."""
    geometry = product.geometry
    if product.parameter is not None or product.stage is not Stage.FORWARD or not isinstance(geometry, MatrixProduct):
        return None
    if geometry.grouped is not None or geometry.m.per_sample or geometry.n.per_sample:
        return None
    if geometry.causal not in (None, ("m", "n")) or geometry.scores is not None:
        return None
    return geometry.m.fixed, geometry.n.fixed


def _touches(product: Operator, scores: frozenset[str]) -> bool:
    return product.outputs[0] in scores or _reads(product, scores)


def _reads(product: Operator, scores: frozenset[str]) -> bool:
    return not scores.isdisjoint(product.inputs[:2])


def _axes(product: Operator, scores: Operator, whole: frozenset[str], graph: TrainingGraph) -> Axes:
    geometry = product.geometry
    if isinstance(geometry, MatrixProduct) and geometry.causal is not None:
        return geometry.causal
    left, right = product.inputs[:2]
    if product.outputs[0] in whole:
        # A product of scores is queries by keys; its gradient, too, unless values stand on its left.
        turned = product is not scores and graph.tensors[left].role != "gradient"
        return ("n", "m") if turned else ("m", "n")
    held, other = (left, right) if left in whole else (right, left)
    own: MatrixAxis = "m" if held == left else "n"
    return ("k", own) if _sums_over_queries(product, scores, (held, other), graph) else (own, "k")


def _sums_over_queries(product: Operator, scores: Operator, operands: tuple[str, str], graph: TrainingGraph) -> bool:
    held, other = operands
    if product.stage is Stage.FORWARD:
        return False
    if graph.tensors[held].role != "gradient":
        return True
    of_queries, of_keys = scores.inputs[:2]
    if other not in (of_queries, of_keys) or of_queries == of_keys:
        raise ConfigError(
            f"{graph.name}: got {product.name}, a gradient of attention, that multiplies by {other}, need the operand "
            f"of queries or of keys that {scores.name} multiplied; try --pass inference, which has no gradients"
        )
    return other == of_queries
