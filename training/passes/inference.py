"""The forward pass of a graph alone, as inference runs it. Free of torch.

What trains goes: gradients, updates, the loss, dropout, results that only a backward pass would read, copies made for
it, and what checkpointing computes a second time for it. A batch normalisation knows its statistics by then: its scale
is multiplied into the weights of the product before it, once and offline, and its shift is a bias; where no product of
a weight stands before it, both are one pass over its elements.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..graph import Operator, Size, Stage, TrainingGraph

UNUSED_OUTPUTS, UNTRAINED = "The loss leaves out ", "No gradient reaches "
"""How notes begin that are of training alone."""

LOSS_MODULE = "loss"
"""Where a capture puts the operators of a loss that is not the module's own."""


def forward_only(graph: TrainingGraph) -> TrainingGraph:
    """The graph that inference runs; of a graph of inference itself, but for normalisations that it folds.

    >>> forward_only(TrainingGraph(name="empty", source="", default_batch=1, tensors={}, operators=())).operators
    ()
    """
    body = _body(graph)
    forward = (operator for operator in graph.operators if operator.stage is Stage.FORWARD)
    computed_again = sum(each.is_product for each in forward) > sum(each.is_product for each in body)
    operators = tuple(_rewritten(graph, body))
    names = {name for operator in operators for name in (*operator.inputs, *operator.outputs, operator.parameter)}
    kept = {operator.name for operator in operators}
    unknown = (operator.name for operator in graph.operators if operator.kind == "unknown")
    counted = graph.counted_macs and graph.counted_macs | {"backward": Size()}
    if computed_again:
        # Torch's counter counted what is computed again, and is no witness of the rest.
        counted = {}
    return replace(
        graph,
        tensors={name: tensor for name, tensor in graph.tensors.items() if name in names},
        operators=operators,
        unknown=tuple(told for name, told in zip(unknown, graph.unknown, strict=False) if name in kept),
        counted_macs=counted,
        notes=tuple(note for note in graph.notes if not note.startswith((UNUSED_OUTPUTS, UNTRAINED))),
    )


def _body(graph: TrainingGraph) -> list[Operator]:
    """Those that inference runs: what is computed once the backward pass has begun is computed for it."""
    before = list(itertools.takewhile(lambda operator: operator.stage is Stage.FORWARD, graph.operators))
    read_later = {name for operator in graph.operators[len(before) :] for name in operator.inputs}
    read: set[str] = set()
    body = []
    for operator in reversed(before):
        # A copy that an activation in place has left is kept for its backward pass alone.
        if read.isdisjoint(operator.outputs) and not read_later.isdisjoint(operator.outputs):
            continue
        read.update(operator.inputs)
        if operator.module != LOSS_MODULE:
            body.append(operator)
    return body[::-1]


def _rewritten(graph: TrainingGraph, body: Sequence[Operator]) -> Iterator[Operator]:
    readers: dict[str, int] = {}
    for operator in body:
        for name in dict.fromkeys(operator.inputs):
            readers[name] = readers.get(name, 0) + 1
    made_by = {name: operator for operator in body for name in operator.outputs}
    stands_for: dict[str, str] = {}

    def weighted(name: str) -> bool:
        """Whether a tensor is the product of a weight, and read once."""
        made = made_by.get(name)
        return made is not None and made.is_product and made.parameter is not None and readers[name] == 1

    def biased(name: str) -> bool:
        """Whether it is one with a bias added."""
        made = made_by.get(name)
        return made is not None and made.kind == "bias_add" and readers[name] == 1 and weighted(made.inputs[0])

    for operator in body:
        read = tuple(stands_for.get(name, name) for name in operator.inputs)
        made = tuple(name for at, name in enumerate(operator.outputs) if at == 0 or name in readers)
        if operator.kind == "dropout":
            # What it would have dropped is there, and nobody reads its mask any more.
            stands_for.update(dict.fromkeys(operator.outputs, read[0]))
        elif operator.kind == "batch_norm":
            if biased(read[0]):
                # A bias stands there already, and takes the shift.
                stands_for[made[0]] = read[0]
                continue
            folded = weighted(read[0])
            known = tuple(name for name in read[1:] if graph.tensors[name].role == "parameter")
            # The scale lies in the weights; what is read beside the product is the shift.
            constants = known[-1:] if folded else known
            kind = "bias_add" if folded else "elementwise"
            yield replace(operator, kind=kind, inputs=(read[0], *constants), outputs=made[:1])
        else:
            yield replace(operator, inputs=read, outputs=made)
