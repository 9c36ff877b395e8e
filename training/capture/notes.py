"""What a capture assumed or found that a reader of its figures must know: a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import MatrixProduct, TrainingGraph


def notes_of(graph: TrainingGraph, *, balanced: bool) -> Iterator[str]:
    """The notes of a captured graph.

    Args:
        graph: captured.
        balanced: whether nobody said how much work each expert gets.
    """
    groups = {
        len(product.geometry.loads)
        for product in graph.products
        if isinstance(product.geometry, MatrixProduct) and product.geometry.grouped is not None
    }
    if groups and balanced:
        counts = " and ".join(map(str, sorted(groups)))
        yield f"Routing to {counts} experts is assumed to be balanced; --expert-load says otherwise."
