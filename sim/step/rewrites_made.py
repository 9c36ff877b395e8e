"""What a recipe's rewrites made of a network, counted at the batch of a step."""

from __future__ import annotations

from ...training.graph import Stage
from ...training.rewrites.apply import RewrittenGraph, learning_weights_of, weights_of
from ..results.rewrite_result import RewriteResult


def rewrites_made(made: RewrittenGraph, batch: int) -> tuple[RewriteResult, ...]:
    """One an entry of the recipe, in their order.

    Args:
        made: the network as they left it.
        batch: samples.
    """
    return tuple(
        RewriteResult(
            kind=change.rewrite.kind,
            title=change.rewrite.title,
            layers=change.outcome.layers,
            left=change.outcome.left,
            says=change.outcome.says,
            forward_macs_before=change.before.macs(batch, Stage.FORWARD),
            forward_macs=change.outcome.graph.macs(batch, Stage.FORWARD),
            step_macs_before=change.before.macs(batch),
            step_macs=change.outcome.graph.macs(batch),
            weights_before=weights_of(change.before),
            weights=weights_of(change.outcome.graph),
            learning_weights_before=learning_weights_of(change.before),
            learning_weights=learning_weights_of(change.outcome.graph),
        )
        for change in made.changes
    )
