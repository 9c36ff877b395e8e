"""What a capture assumed or found that a reader of its figures must know: a sentence each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..graph import MatrixProduct, TrainingGraph
from ..passes.inference import UNTRAINED, UNUSED_OUTPUTS


def notes_of_step(*, unused_outputs: Sequence[str], untrained: Sequence[str], trainable: int) -> Iterator[str]:
    """What one step left without a gradient.

    Args:
        unused_outputs: floating outputs that the loss does not depend on.
        untrained: parameters that want a gradient and get none.
        trainable: how many parameters want one.
    """
    if unused_outputs:
        outputs = listed(unused_outputs)
        yield f"{UNUSED_OUTPUTS}{outputs}; --loss with a function of your own says what is trained on."
    if untrained:
        yield (
            f"{UNTRAINED}{len(untrained)} of {trainable} trainable parameters, and none of these is updated: "
            f"{listed(untrained)}."
        )


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
    if balanced:
        yield from routing_note(groups)


def routing_note(experts: Collection[int]) -> Iterator[str]:
    """That tokens are taken to be shared out evenly among so many experts, of each gate."""
    if experts:
        counts = " and ".join(map(str, sorted(experts)))
        yield f"Routing to {counts} experts is assumed to be balanced; --expert-load says otherwise."
