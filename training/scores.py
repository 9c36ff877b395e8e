"""Scores of attention in a training graph: which tensors hold them, and the graph that computes some. Free of torch.

Where not all scores are computed, products of attention get a pattern (``with_patterns``); once it is said what of the
network is run, tensors of scores get the elements that are computed, one behind another, and so does vector work on
them: softmax, dropout, the mask, their gradients (``cut_scores``). A tensor is one of scores when a product of
attention reads or makes it as such, or when vector work ties it to one and its last axes are queries by keys.
Parameters, data and constants of the network keep their sizes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from .graph import ComputedScores, MatrixProduct, Operator, Size, Tensor, TrainingGraph
from .score_patterns import ScorePattern

Square = tuple[int, int]
"""Queries and keys."""

Stored = tuple[Square, ScorePattern]
"""Of a tensor of scores, its queries and keys, and which of them it holds."""


def scores_of(graph: TrainingGraph, places: Mapping[str, Square]) -> dict[str, Square]:
    """Queries and keys of every tensor that is one of scores.

    Args:
        graph: with all scores.
        places: those that products of attention read or make as such.
    """
    found = {name: square for name, square in places.items() if before_scores(graph.tensors[name], square) is not None}
    pending = list(found)
    while pending:
        name = pending.pop()
        for tied in tied_by_vector_work(graph, name):
            if tied in found or not is_made(graph, tied):
                continue
            if before_scores(graph.tensors[tied], found[name]) is not None:
                found[tied] = found[name]
                pending.append(tied)
    return found


def tied_by_vector_work(graph: TrainingGraph, name: str) -> Iterator[str]:
    """What vector work reads or makes along with a tensor."""
    maker = graph.producer.get(name)
    for operator in (*graph.consumers.get(name, ()), *((maker,) if maker else ())):
        if not operator.is_product:
            yield from (*operator.inputs, *operator.outputs)


def is_made(graph: TrainingGraph, name: str) -> bool:
    """Whether the step makes a tensor, and nobody else is to find it."""
    return graph.tensors[name].role in ("activation", "gradient") and name in graph.producer


def before_scores(tensor: Tensor, square: Square) -> tuple[Size, ...] | None:
    """The axes before those of queries and keys, which come last, each as one axis or more; None when they do not."""
    for first in range(len(tensor.shape)):
        last = tensor.shape[first:]
        if not any(size.per_sample for size in last) and math.prod(size.fixed for size in last) == math.prod(square):
            return tensor.shape[:first]
    return None


def tied_scores(graph: TrainingGraph, place: str, square: Square) -> tuple[frozenset[str], frozenset[str]]:
    """Tensors of scores of one attention: those of all its heads and samples, and smaller ones, masks laid over them.

    A mask may be laid over the scores of several; it ties none of them to another.

    Args:
        graph: with all scores.
        place: a tensor that one of its products reads or makes as such.
        square: queries and keys.
    """
    if before_scores(graph.tensors[place], square) is None:
        return frozenset(), frozenset()
    size = elements_of(graph.tensors[place])
    whole, masks, pending = {place}, set[str](), [place]
    while pending:
        name = pending.pop()
        for tied in tied_by_vector_work(graph, name):
            if tied in whole or tied in masks or not is_made(graph, tied):
                continue
            if before_scores(graph.tensors[tied], square) is None:
                continue
            if elements_of(graph.tensors[tied]) != size:
                masks.add(tied)
            elif name in whole:
                whole.add(tied)
            else:
                continue
            pending.append(tied)
    return frozenset(whole), frozenset(masks)


def with_patterns(graph: TrainingGraph, products: Mapping[str, ComputedScores]) -> TrainingGraph:
    """The graph in which products of attention compute some scores, its tensors as they were: see ``cut_scores``.

    Args:
        graph: with all scores.
        products: of attention, by operator; those that are not here compute all.
    """

    def operator_of(operator: Operator) -> Operator:
        scores = products.get(operator.name)
        if scores is None or not isinstance(operator.geometry, MatrixProduct):
            return operator
        return replace(operator, geometry=replace(operator.geometry, scores=scores))

    # Torch's counter counted all scores, and is no witness of the rest.
    return replace(graph, operators=tuple(map(operator_of, graph.operators)), counted_macs={})


def cut_scores(graph: TrainingGraph) -> TrainingGraph:
    """The graph whose tensors hold the scores that its products compute, and whose vector work is on no others.

    Args:
        graph: whose products say what they compute.
    """
    stored: dict[str, Stored] = {}
    masks: dict[str, Stored] = {}
    for product in graph.products:
        if isinstance(product.geometry, MatrixProduct) and product.geometry.scores is not None:
            place, square = place_of(product), product.geometry.scored(1)
            if place not in stored:
                of_all, smaller = tied_scores(graph, place, square)
                pattern = product.geometry.scores.pattern
                stored |= dict.fromkeys(of_all, (square, pattern))
                masks |= dict.fromkeys(smaller, (square, pattern))
    # A mask that is also laid over scores which are all computed stays whole.
    stored |= {name: each for name, each in masks.items() if _over_cut_scores(graph, name, {*stored, *masks})}
    if not stored:
        return graph
    tensors = {
        name: _tensor(tensor, *stored[name]) if name in stored else tensor for name, tensor in graph.tensors.items()
    }
    return replace(
        graph, tensors=tensors, operators=tuple(_operator(operator, graph, stored) for operator in graph.operators)
    )


def place_of(product: Operator) -> str:
    """The tensor of a product of attention that queries and keys are the axes of."""
    assert isinstance(product.geometry, MatrixProduct), "convolutions attend to nothing"
    assert product.geometry.scores is not None, "it computes some scores"
    axes = {product.geometry.scores.queries, product.geometry.scores.keys}
    if axes == {"m", "n"}:
        return product.outputs[0]
    return product.inputs[0] if axes == {"m", "k"} else product.inputs[1]


def _over_cut_scores(graph: TrainingGraph, mask: str, cut: Collection[str]) -> bool:
    readers = graph.consumers.get(mask, ())
    return all(each.outputs[0] in cut for each in readers if not each.is_product)


def _tensor(tensor: Tensor, square: Square, pattern: ScorePattern) -> Tensor:
    before = before_scores(tensor, square)
    assert before is not None, "it is one of scores"
    return replace(tensor, shape=(*before, Size(fixed=pattern.computed(*square))))


def _operator(operator: Operator, graph: TrainingGraph, stored: Mapping[str, Stored]) -> Operator:
    if operator.is_product:
        return operator
    elements = operator.elements
    for name in (*operator.outputs, *operator.inputs):
        # Vector work is as large as its largest operand; what is larger than its scores stays as large.
        if name in stored and elements_of(graph.tensors[name]) == elements:
            square, pattern = stored[name]
            whole, kept = math.prod(square), pattern.computed(*square)
            fixed, per_sample = (part // whole * kept for part in (elements.fixed, elements.per_sample))
            return replace(operator, elements=Size(fixed, per_sample, elements.samples))
    return operator


def elements_of(tensor: Tensor) -> Size | None:
    """Elements of a tensor; None where they grow with a power of the batch."""
    found = Size(fixed=1)
    for size in tensor.shape:
        if size.per_sample and found.per_sample:
            return None
        found = found * size.fixed if not size.per_sample else size * found.fixed
    return found
