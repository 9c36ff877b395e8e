"""Scores of attention in a training graph: which tensors hold them, and the graph that computes some. Free of torch.

Products of attention get a pattern of scores, and tensors of scores the elements that are computed, one behind another;
so does vector work on them (softmax, dropout, the mask, their gradients). A tensor is one of scores when a product of
attention reads or makes it as such, or when vector work ties it to one and its last axes are queries by keys.
Parameters, data and constants of the network keep their sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
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


def with_scores(
    graph: TrainingGraph, products: Mapping[str, ComputedScores], tensors: Mapping[str, Stored]
) -> TrainingGraph:
    """The graph in which only some scores are computed.

    Args:
        graph: with all scores.
        products: of attention, by operator; those that are not here compute all.
        tensors: of scores, by name.
    """
    # Torch's counter counted all scores, and is no witness of the rest.
    return replace(
        graph,
        tensors={
            name: _tensor(tensor, *tensors[name]) if name in tensors else tensor
            for name, tensor in graph.tensors.items()
        },
        operators=tuple(_operator(operator, graph, products, tensors) for operator in graph.operators),
        counted_macs={},
    )


def _tensor(tensor: Tensor, square: Square, pattern: ScorePattern) -> Tensor:
    before = before_scores(tensor, square)
    assert before is not None, "it is one of scores"
    return replace(tensor, shape=(*before, Size(fixed=pattern.computed(*square))))


def _operator(
    operator: Operator,
    graph: TrainingGraph,
    products: Mapping[str, ComputedScores],
    tensors: Mapping[str, Stored],
) -> Operator:
    if isinstance(operator.geometry, MatrixProduct):
        scores = products.get(operator.name)
        return operator if scores is None else replace(operator, geometry=replace(operator.geometry, scores=scores))
    elements = operator.elements
    for name in (*operator.outputs, *operator.inputs):
        # Vector work is as large as its largest operand; what is larger than its scores stays as large.
        if name in tensors and elements_of(graph.tensors[name]) == elements:
            square, pattern = tensors[name]
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
