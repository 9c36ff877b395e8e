"""Causal attention in blocks: the graph that computes scores only in blocks with a pair that attends. Free of torch.

Products of causal attention get their block, and tensors of scores the elements of the blocks that are computed, one
behind another; so does vector work on them (softmax, dropout, the mask, their gradients). A tensor is one of scores
when a causal product reads or makes it as such, or when vector work ties it to one and its last axes are queries by
keys. Parameters, data and constants of the network keep their sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..configs.errors import ConfigError
from .causal_scores import kept_scores
from .graph import MatrixProduct, Operator, Size, Tensor, TrainingGraph

MOST_BLOCKS = 1024
"""Rows of blocks of a sequence: each is a product to be mapped."""

Square = tuple[int, int]
"""Queries and keys."""


def in_causal_blocks(graph: TrainingGraph, block: int) -> TrainingGraph:
    """The graph with causal attention in blocks.

    Args:
        graph: with all scores computed.
        block: queries and keys of a block, at least 1.

    Raises:
        ConfigError: a sequence has more than ``MOST_BLOCKS`` rows of blocks.
    """
    longest = max((max(square) for square in map(_square, graph.products) if square is not None), default=0)
    if longest > MOST_BLOCKS * block:
        raise ConfigError(
            f"causal_blocks: got {block}, need at least {-(-longest // MOST_BLOCKS)}: a sequence of {longest} in "
            f"{graph.name} is cut into at most {MOST_BLOCKS} rows of blocks, each of which is mapped"
        )
    scores = _scores(graph)
    products = [product for product in graph.products if _square(product) is not None]
    operators = tuple(_operator(operator, graph, scores, block) for operator in graph.operators)
    tensors = {
        name: _tensor(tensor, scores[name], block) if name in scores else tensor
        for name, tensor in graph.tensors.items()
    }
    if not products:
        note = (
            f"Causal attention in blocks of {block} was asked for, but no attention of this graph is marked as causal: "
            "every score is computed. Marked is torch's scaled_dot_product_attention with is_causal; try capturing the "
            "network again if an older version did."
        )
        return replace(graph, notes=(*graph.notes, note))
    # Torch's counter counted all scores, and is no witness of the rest.
    return replace(
        graph,
        tensors=tensors,
        operators=operators,
        counted_macs={},
        notes=(*graph.notes, _note(graph, products, block)),
    )


def _note(graph: TrainingGraph, products: list[Operator], block: int) -> str:
    batch = graph.default_batch
    whole = sum(each.geometry.macs(batch) for each in products if each.geometry is not None)
    kept = sum(
        geometry.macs(batch) for geometry in (_blocked(each, block) for each in products) if geometry is not None
    )
    return (
        f"Causal attention is counted in blocks of {block}: blocks of scores wholly above the diagonal are neither "
        f"computed nor stored, which leaves {kept / whole:.1%} of the multiply-accumulates of its {len(products)} "
        "products."
    )


def _square(operator: Operator) -> Square | None:
    geometry = operator.geometry
    if not isinstance(geometry, MatrixProduct) or geometry.causal is None:
        return None
    # Its extents are fixed: a reader of graphs sees to it.
    return geometry.attending(1)


def _blocked(operator: Operator, block: int) -> MatrixProduct | None:
    geometry = operator.geometry
    if not isinstance(geometry, MatrixProduct) or geometry.causal is None:
        return None
    return replace(geometry, causal_block=block)


def _scores(graph: TrainingGraph) -> dict[str, Square]:
    """Queries and keys of every tensor that is one of scores of causal attention."""
    squares = ((product, _square(product)) for product in graph.products)
    return scores_of(graph, {_place(product): square for product, square in squares if square is not None})


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
        for tied in _tied(graph, name):
            if tied in found or not _is_made(graph, tied):
                continue
            if before_scores(graph.tensors[tied], found[name]) is not None:
                found[tied] = found[name]
                pending.append(tied)
    return found


def _place(product: Operator) -> str:
    """The tensor that queries and keys are the axes of."""
    assert isinstance(product.geometry, MatrixProduct), "convolutions attend to nothing"
    assert product.geometry.causal is not None, "it is causal"
    axes = set(product.geometry.causal)
    if axes == {"m", "n"}:
        return product.outputs[0]
    return product.inputs[0] if axes == {"m", "k"} else product.inputs[1]


def _tied(graph: TrainingGraph, name: str) -> Iterator[str]:
    """What vector work reads or makes along with a tensor."""
    maker = graph.producer.get(name)
    for operator in (*graph.consumers.get(name, ()), *((maker,) if maker else ())):
        if not operator.is_product:
            yield from (*operator.inputs, *operator.outputs)


def _is_made(graph: TrainingGraph, name: str) -> bool:
    return graph.tensors[name].role in ("activation", "gradient") and name in graph.producer


def before_scores(tensor: Tensor, square: Square) -> tuple[Size, ...] | None:
    """The axes before those of queries and keys, which come last, each as one axis or more; None when they do not."""
    for first in range(len(tensor.shape)):
        last = tensor.shape[first:]
        if not any(size.per_sample for size in last) and math.prod(size.fixed for size in last) == math.prod(square):
            return tensor.shape[:first]
    return None


def _tensor(tensor: Tensor, square: Square, block: int) -> Tensor:
    before = before_scores(tensor, square)
    assert before is not None, "it is one of scores"
    return replace(tensor, shape=(*before, Size(fixed=kept_scores(*square, block))))


def _operator(operator: Operator, graph: TrainingGraph, scores: dict[str, Square], block: int) -> Operator:
    if operator.is_product:
        blocked = _blocked(operator, block)
        return operator if blocked is None else replace(operator, geometry=blocked)
    elements = operator.elements
    for name in (*operator.outputs, *operator.inputs):
        # Vector work is as large as its largest operand; what is larger than its scores stays as large.
        if name in scores and elements_of(graph.tensors[name]) == elements:
            square = scores[name]
            whole, kept = math.prod(square), kept_scores(*square, block)
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
