"""Normalisations that are applied by whoever reads them: the graph in which their results never lie in memory.

A normalisation finds a few numbers a channel or a row, its statistics, and applies them element by element. Where its
statistics are found on the way out of what it normalises, and everybody who reads its result can apply them on the way
in, the result need not be written: readers read what was normalised, and apply. Element-wise work that alone reads the
result and nothing else of the step (a ReLU) is applied with it.

Can apply: vector work, and a product on its operands as they are loaded. Cannot: a product whose operand is pruned on
its way in or copied for its mask, and one that reads the normalised tensor and the raw one. Then all stays as it was;
and so it does where no product reads the result and more than one vector operator does, for each would apply again.
Nor is the result of such a normalisation itself normalised on the way in: one application a read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from ..training.graph import Operator, Stage, TrainingGraph
from ..training.recipes.annotation import PrunedGraph, Pruning


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is done to a tensor on the way in.

    Attributes:
        normalisation: whose statistics are applied.
        then: element-wise operators after it, in order.
    """

    normalisation: Operator
    then: tuple[Operator, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """A graph whose readers apply normalisations.

    Attributes:
        graph: readers read what was normalised; a deferred normalisation makes its statistics alone.
        applied: by reader and tensor.
        normalisations: those that are deferred, by name.
    """

    graph: TrainingGraph
    applied: Mapping[tuple[str, str], Application]
    normalisations: frozenset[str]


def defer(pruned: PrunedGraph, kinds: Collection[str], fused: Collection[str]) -> Deferred:
    """Leave normalisations to their readers where all of them can apply.

    Args:
        pruned: graph and recipe.
        kinds: of normalisations that the design applies on the way in.
        fused: element-wise kinds that it does together with other work.
    """
    found = _Found(pruned=pruned, fused=fused)
    if kinds:
        for operator in pruned.graph.operators:
            if operator.kind in kinds:
                found.consider(operator)
    return found.rewritten()


@dataclass(kw_only=True)
class _Found:
    """Deferred normalisations, as they are found."""

    pruned: PrunedGraph
    fused: Collection[str]
    raw: dict[str, str] = field(default_factory=dict)
    """What is read instead of a tensor that is never written."""
    applied: dict[str, Application] = field(default_factory=dict)
    """What is applied for it, by that tensor."""
    dropped: set[str] = field(default_factory=set)
    """Operators that are done by readers."""

    @property
    def graph(self) -> TrainingGraph:
        return self.pruned.graph

    def consider(self, normalisation: Operator) -> None:
        """Defer it if it can be."""
        made = [name for name in normalisation.inputs if name in self.graph.producer]
        if len(made) != 1 or made[0] in self.raw:
            return
        (source,) = made
        result, then = normalisation.outputs[0], []
        while (rider := self._rider(result)) is not None:
            then.append(rider)
            result = rider.outputs[0]
        readers = self.graph.consumers.get(result, ())
        if not readers or not all(self._can_apply(reader, result, source) for reader in readers):
            return
        if len(readers) > 1 and not any(reader.is_product for reader in readers):
            return
        self.raw[result] = source
        self.applied[result] = Application(normalisation=normalisation, then=tuple(then))
        self.dropped.update(each.name for each in then)

    def _rider(self, result: str) -> Operator | None:
        """Element-wise work that alone reads a result, and nothing else of the step."""
        readers = self.graph.consumers.get(result, ())
        if len(readers) != 1 or readers[0].kind not in self.fused or readers[0].is_product:
            return None
        (rider,) = readers
        alone = all(name == result or self.graph.tensors[name].role == "parameter" for name in rider.inputs)
        return rider if alone and len(rider.outputs) == 1 else None

    def _can_apply(self, reader: Operator, result: str, source: str) -> bool:
        if reader.stage is Stage.UPDATE:
            return False
        if not reader.is_product:
            return True
        pruning = self.pruned.prunings.get(reader.name)
        touched = pruning is not None and (pruning.preparation is not None or _pruned_stream(reader, pruning) == result)
        return not touched and source not in reader.inputs and result in reader.inputs[:2]

    def rewritten(self) -> Deferred:
        """The graph with what was found."""
        graph = self.graph
        normalisations = frozenset(each.normalisation.name for each in self.applied.values())
        applied = {
            (reader.name, self.raw[result]): application
            for result, application in self.applied.items()
            for reader in graph.consumers[result]
        }
        if normalisations:
            kept = (each for each in graph.operators if each.name not in self.dropped)
            graph = replace(graph, operators=tuple(self._operator(each, normalisations) for each in kept))
        return Deferred(graph=graph, applied=applied, normalisations=normalisations)

    def _operator(self, operator: Operator, normalisations: Collection[str]) -> Operator:
        if operator.name in normalisations:
            return replace(operator, outputs=operator.outputs[1:])
        if not any(name in self.raw for name in operator.inputs):
            return operator
        inputs = tuple(self.raw.get(name, name) for name in operator.inputs)
        # Vector work that reads a tensor as it was and normalised reads it one time.
        return replace(operator, inputs=inputs if operator.is_product else tuple(dict.fromkeys(inputs)))


def _pruned_stream(reader: Operator, pruning: Pruning) -> str | None:
    """The tensor that is pruned as it streams into a product: it lies in memory as it is, and is sorted from there."""
    if pruning.operand not in ("gradient", "input"):
        return None
    return reader.inputs[reader.stage is Stage.WEIGHT_GRADIENT and pruning.operand == "gradient"]
