"""Causal attention in blocks: the graph that computes scores only in blocks with a pair that attends. Free of torch.

Which products are causal is what the capture has marked. What of a graph holds scores, and what becomes of it, is in
``scores``; which blocks are computed, and how many of their pairs attend, in ``score_patterns``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..configs.errors import ConfigError
from .graph import ComputedScores, MatrixProduct, Operator, TrainingGraph
from .score_patterns import CausalBlocks
from .scores import Square, cut_scores, with_patterns

MOST_BLOCKS = 1024
"""Rows of blocks of a sequence: each is a product to be mapped."""


def in_causal_blocks(graph: TrainingGraph, block: int) -> TrainingGraph:
    """The graph with causal attention in blocks.

    Args:
        graph: with all scores computed.
        block: queries and keys of a block, at least 1.

    Raises:
        ConfigError: a sequence has more than ``MOST_BLOCKS`` rows of blocks.
    """
    squares = {product.name: square for product in graph.products if (square := _square(product)) is not None}
    longest = max(map(max, squares.values()), default=0)
    if longest > MOST_BLOCKS * block:
        raise ConfigError(
            f"causal_blocks: got {block}, need at least {-(-longest // MOST_BLOCKS)}: a sequence of {longest} in "
            f"{graph.name} is cut into at most {MOST_BLOCKS} rows of blocks, each of which is mapped"
        )
    patterned = any(getattr(product.geometry, "scores", None) is not None for product in graph.products)
    if patterned and not squares:
        note = (
            f"Causal attention in blocks of {block} was asked for, but a recipe says which scores are computed of all "
            "attention that is marked as causal: nothing is left to it."
        )
        return replace(graph, notes=(*graph.notes, note))
    if not squares:
        note = (
            f"Causal attention in blocks of {block} was asked for, but no attention of this graph is marked as causal: "
            "every score is computed. Marked is torch's scaled_dot_product_attention with is_causal; try capturing the "
            "network again if an older version did."
        )
        return replace(graph, notes=(*graph.notes, note))
    pattern = CausalBlocks(block)
    causal = {
        product.name: ComputedScores(*product.geometry.causal, pattern)
        for product in graph.products
        if product.name in squares and isinstance(product.geometry, MatrixProduct) and product.geometry.causal
    }
    blocked = cut_scores(with_patterns(graph, causal))
    return replace(blocked, notes=(*graph.notes, _note(blocked, causal, block)))


def _note(graph: TrainingGraph, causal: Collection[str], block: int) -> str:
    batch = graph.default_batch
    products = [
        product.geometry
        for product in graph.products
        if product.name in causal and isinstance(product.geometry, MatrixProduct)
    ]
    whole = sum(replace(each, scores=None).macs(batch) for each in products)
    kept, asked = sum(each.macs(batch) for each in products), sum(each.asked_macs(batch) for each in products)
    return (
        f"Causal attention is counted in blocks of {block}: blocks of scores wholly above the diagonal are neither "
        f"computed nor stored, which leaves {kept / whole:.1%} of the multiply-accumulates of its {len(products)} "
        f"products; the pairs that attend are {asked / kept:.1%} of what is left."
    )


def _square(operator: Operator) -> Square | None:
    geometry = operator.geometry
    if not isinstance(geometry, MatrixProduct) or geometry.causal is None or geometry.scores is not None:
        return None
    # Its extents are fixed: a reader of graphs sees to it.
    return geometry.attending(1)
