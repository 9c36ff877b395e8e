"""A recipe's rewrites made on a graph, one after another, and what each of them changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...configs.errors import ConfigError
from ..graph import Stage, TrainingGraph
from .rewrite import Outcome, Rewrite


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one entry changed.

    Attributes:
        rewrite: the entry.
        before: the graph that it found.
        outcome: what it made of it.
    """

    rewrite: Rewrite
    before: TrainingGraph
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class RewrittenGraph:
    """A network as a recipe's rewrites leave it, before any pass.

    Attributes:
        graph: of it.
        changes: one an entry, in their order; empty of a recipe without rewrites.
    """

    graph: TrainingGraph
    changes: tuple[Change, ...] = ()


def rewritten(graph: TrainingGraph, rewrites: Sequence[Rewrite], *, deployed: bool) -> RewrittenGraph:
    """Make a recipe's rewrites on a graph.

    Args:
        graph: as it was captured.
        rewrites: entries of a recipe.
        deployed: an inference or a decoding step follows.

    Raises:
        ConfigError: an entry does not fit the graph; ``field`` says which and what of it.
    """
    changes = []
    for number, entry in enumerate(rewrites):
        try:
            outcome = entry.rewrite(graph, deployed=deployed or graph.inference)
        except ConfigError as error:
            place = f"rewrites.{number}"
            field = f"{place}.{error.field}" if error.field else place
            joint = "." if error.field else ": "
            raise ConfigError(f"{place}{joint}{error}", field=field) from None
        changes.append(Change(rewrite=entry, before=graph, outcome=outcome))
        graph = outcome.graph
    return RewrittenGraph(graph=graph, changes=tuple(changes))


def weights_of(graph: TrainingGraph) -> int:
    """Parameters that the network holds, each counted once.

    >>> weights_of(TrainingGraph(name="empty", source="", default_batch=1, tensors={}, operators=()))
    0
    """
    return sum(tensor.elements(1) for tensor in graph.tensors.values() if tensor.role == "parameter")


def learning_weights_of(graph: TrainingGraph) -> int:
    """Those of them that an update changes."""
    learners = {each.parameter for each in graph.operators if each.stage is Stage.UPDATE and each.parameter is not None}
    return sum(graph.tensors[name].elements(1) for name in learners)
