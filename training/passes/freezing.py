"""Frozen parameters: the graph of fine-tuning, in which some weights do not learn. Free of torch.

What a frozen parameter's update needed goes: its weight gradient, and every operator of the backward pass that leads to
no learner's gradient, so that there is no BP below the first learner. Of an operator that makes several gradients those
stay that somebody reads. The forward pass and the loss stay as they are: what was kept for a backward pass that is gone
is read by nobody, and so lies in memory no longer than the forward pass needs it. Equals the capture of the module with
``requires_grad=False`` on these parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...configs.errors import ConfigError
from ..graph import Operator, Stage, TrainingGraph
from .naming import named, patterns_in, refuse_unknown


def with_frozen(graph: TrainingGraph, patterns: str) -> TrainingGraph:
    """The graph in which parameters do not learn.

    Args:
        graph: of a training step.
        patterns: of parameters, or of modules that hold them, commas between; ``*`` and ``?`` as in a shell.

    Raises:
        ConfigError: a pattern names no parameter that learns, or nothing is left that does.
    """
    updates = [operator for operator in graph.operators if operator.stage is Stage.UPDATE]
    learners = {each.parameter for each in updates if each.parameter is not None}
    wanted = patterns_in("freeze", patterns)
    for pattern in wanted:
        refuse_unknown("freeze", pattern, learners, what="a parameter that learns", of=graph.name)
    frozen = {name for name in learners if any(named(pattern, name) for pattern in wanted)}
    if frozen == learners:
        raise ConfigError(
            f"freeze: got {patterns!r}, need a parameter of {graph.name} that still learns; try --pass inference for "
            "the forward pass alone"
        )
    return without_learning(graph, frozen)


def without_learning(graph: TrainingGraph, frozen: set[str]) -> TrainingGraph:
    """The graph in which these parameters do not learn, and at least one other does.

    Args:
        graph: of a training step.
        frozen: names of parameters; those that learn in it do not any more.
    """
    learners = {each.parameter for each in graph.operators if each.stage is Stage.UPDATE and each.parameter is not None}
    operators = tuple(reversed(tuple(_needed(graph, frozen))))
    names = {name for each in operators for name in (*each.inputs, *each.outputs, each.parameter)}
    kept = {each.name for each in operators}
    unknown = (each.name for each in graph.operators if each.kind == "unknown")
    return replace(
        graph,
        tensors={name: tensor for name, tensor in graph.tensors.items() if name in names},
        operators=operators,
        unknown=tuple(told for name, told in zip(unknown, graph.unknown, strict=False) if name in kept),
        # Torch's counter counted the whole backward pass, and is no witness of what is left of it.
        counted_macs={name: macs for name, macs in graph.counted_macs.items() if name != "backward"},
        notes=(*graph.notes, _note(graph, frozen & learners, learners)),
    )


def _needed(graph: TrainingGraph, frozen: set[str]) -> Iterator[Operator]:
    """From the last to the first: the forward pass, the updates that are left, and what leads to these."""
    first = next(at for at, each in enumerate(graph.operators) if each.stage is not Stage.FORWARD)
    wanted: set[str] = set()
    for at, operator in reversed(tuple(enumerate(graph.operators))):
        kept = operator
        if operator.stage is Stage.UPDATE:
            if operator.parameter in frozen:
                continue
        elif at >= first:
            # The backward pass, and what checkpointing computes a second time for it.
            read = tuple(name for name in operator.outputs if name in wanted)
            if not read:
                continue
            kept = replace(operator, outputs=read)
        wanted.update(kept.inputs)
        yield kept


def _note(graph: TrainingGraph, frozen: set[str], learners: set[str]) -> str:
    weights = {name: graph.tensors[name].elements(1) for name in learners}
    share = sum(weights[name] for name in frozen) / sum(weights.values())
    return (
        f"Frozen are {len(frozen)} of {len(learners)} parameters, {share:.1%} of the weights: they have no weight "
        "gradient, no update and no optimizer state, and nothing is propagated back below the first that learns."
    )
