"""The order of work: which operators run as one piece of work, before anything is priced or mapped.

Forward and backward operators run in graph order. An element-wise operator whose kind the design fuses rides on the
write-back of the work that makes the last of its operands, when nobody else reads that operand: it is then carried and
never lies in memory. A normalisation reads its operand for statistics first and again to be applied: where the design
says so the first of these passes rides on that write-back, and the operand lies in memory all the same. Where it says
so, too, the other one is left to whoever reads the result (``deferred``): no piece of work is left of it. A moving
operand that a mask permutes is gathered, and one that a recipe rescales is scaled, by a piece of work of its own.
Nothing here depends on the batch or on a mapping.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from ..accel.vector_engine import VectorEngine
from ..training.graph import Operator, Stage, Tensor, TrainingGraph
from ..training.recipes.annotation import Preparation, PrunedGraph
from .deferred import Application, Deferred, defer
from .repeated_weights import RepeatedWeight, repeated_weights
from .tensor_size import is_weight_gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedOperator:
    """An operator done on the way out of another's work, and the tensor that is carried to it."""

    operator: Operator
    carried: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionGroup:
    """One piece of work.

    Attributes:
        operator: the operator that it begins with.
        fused_operators: what rides on its results, in order.
        statistics: operators whose first pass over its result rides on it, too.
        deferred: of those the ones whose readers apply them: what they make is made here.
        statistics_known: its own first pass rode on another's.
        prepares: it only makes a copy of the operator's moving operand, gathered or rescaled; the product is the next
            group.
        prepared: the operator reads its moving operand from such a copy.
    """

    operator: Operator
    fused_operators: tuple[FusedOperator, ...] = ()
    statistics: tuple[Operator, ...] = ()
    deferred: tuple[Operator, ...] = ()
    statistics_known: bool = False
    prepares: Preparation | None = None
    prepared: Preparation | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Tensors read from memory, each once: carried ones are not."""
        own = self.operator.inputs
        if self.prepares:
            return own[:1]
        if self.prepared:
            own = (prepared_copy(self.operator, self.prepared), *own[1:])
        carried = {fused.carried for fused in self.fused_operators}
        riding = (*(fused.operator for fused in self.fused_operators), *self.statistics)
        others = (name for operator in riding for name in operator.inputs)
        made = self.writes if self.statistics else ()
        return tuple(name for name in dict.fromkeys((*own, *others)) if name not in carried and name not in made)

    @property
    def writes(self) -> tuple[str, ...]:
        """Tensors that lie in memory when it ends: carried ones do not."""
        if self.prepares:
            return (prepared_copy(self.operator, self.prepares),)
        carried = {fused.carried for fused in self.fused_operators}
        riding = (*(fused.operator for fused in self.fused_operators), *self.deferred)
        made = (*self.operator.outputs, *(name for operator in riding for name in operator.outputs))
        return tuple(name for name in made if name not in carried)


def prepared_copy(operator: Operator, preparation: Preparation) -> str:
    """The name of a product's moving operand made ready for its mask: a tensor that the graph does not have."""
    return f"{operator.name}:{preparation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """All forward and backward work of a step.

    Attributes:
        graph: the training graph, as it is read where normalisations are left to their readers.
        groups: in execution order.
        made_by: the fusion group whose end gives a tensor.
        applied: what a reader does to a tensor on the way in, by reader and tensor.
        repeated: weights that several products of a pass read.
    """

    graph: TrainingGraph
    groups: tuple[FusionGroup, ...]
    made_by: dict[str, int]
    applied: Mapping[tuple[str, str], Application]
    repeated: tuple[RepeatedWeight, ...] = ()

    @property
    def needs(self) -> tuple[tuple[int, ...], ...]:
        """Of each fusion group, the earlier ones that make what it reads."""
        made_by = self.made_by
        return tuple(
            tuple(sorted({made_by[name] for name in group.reads if made_by.get(name, index) < index}))
            for index, group in enumerate(self.groups)
        )

    def tensor(self, name: str) -> Tensor:
        """A tensor of the graph, or the copy that a fusion group prepares."""
        if name in self.graph.tensors:
            return self.graph.tensors[name]
        copied = self.groups[self.made_by[name]].operator
        return replace(self.graph.tensors[copied.inputs[0]], name=name)


def order_work(
    pruned: PrunedGraph,
    fused: Collection[str],
    fused_statistics: Collection[str] = (),
    fused_application: Collection[str] = (),
) -> WorkOrder:
    """Order the work of a step.

    Args:
        pruned: graph and recipe.
        fused: kinds that the design does in the write-back of the work before them.
        fused_statistics: kinds whose first pass it does there.
        fused_application: of those, kinds whose other pass it does as their results are read.
    """
    deferred = defer(pruned, [kind for kind in fused_application if kind in fused_statistics], fused)
    order = _Ordering(pruned=pruned, deferred=deferred, fused=fused, fused_statistics=fused_statistics)
    for operator in deferred.graph.operators:
        if operator.stage is not Stage.UPDATE:
            order.add(operator)
    groups = tuple(order.groups)
    products = [
        (position, group.operator)
        for position, group in enumerate(groups)
        if group.operator.is_product and not group.prepares
    ]
    return WorkOrder(
        graph=deferred.graph,
        groups=groups,
        made_by=order.made_by,
        applied=deferred.applied,
        repeated=repeated_weights(pruned, products),
    )


def order_on(pruned: PrunedGraph, vector: VectorEngine) -> WorkOrder:
    """Order the work of a step for a design's vector engine."""
    return order_work(pruned, vector.fused, vector.fused_statistics, vector.fused_application)


@dataclass(kw_only=True)
class _Ordering:
    """The order under construction."""

    pruned: PrunedGraph
    deferred: Deferred
    fused: Collection[str]
    fused_statistics: Collection[str]
    groups: list[FusionGroup] = field(default_factory=list)
    made_by: dict[str, int] = field(default_factory=dict)

    def add(self, operator: Operator) -> None:
        if operator.name in self.deferred.normalisations:
            at = self._defer(operator)
            self.made_by.update(dict.fromkeys(operator.outputs, at))
            return
        carried = self._carried_to(operator)
        if carried is None:
            at = self._begin(operator)
        else:
            at = self.made_by[carried]
            host = self.groups[at]
            fused = FusedOperator(operator=operator, carried=carried)
            self.groups[at] = replace(host, fused_operators=(*host.fused_operators, fused))
        self.made_by.update(dict.fromkeys(operator.outputs, at))

    def _defer(self, operator: Operator) -> int:
        """All that is left of a normalisation that its readers apply: statistics, on the way out of its operand."""
        last = self._last_made(operator)
        assert last is not None, "it normalises what the step makes"
        at = self.made_by[last]
        host = self.groups[at]
        self.groups[at] = replace(host, statistics=(*host.statistics, operator), deferred=(*host.deferred, operator))
        return at

    def _begin(self, operator: Operator) -> int:
        pruning = self.pruned.prunings.get(operator.name) if operator.is_product else None
        preparation = pruning.preparation if pruning is not None else None
        last = self._last_made(operator)
        known = operator.kind in self.fused_statistics and self._may_ride(operator, last)
        if known:
            assert last is not None, "it is known who makes it"
            at = self.made_by[last]
            self.groups[at] = replace(self.groups[at], statistics=(*self.groups[at].statistics, operator))
        if preparation:
            self.made_by[prepared_copy(operator, preparation)] = len(self.groups)
            self.groups.append(FusionGroup(operator=operator, prepares=preparation))
        self.groups.append(FusionGroup(operator=operator, prepared=preparation, statistics_known=known))
        return len(self.groups) - 1

    def _last_made(self, operator: Operator) -> str | None:
        """Of an operator's inputs the one that this step makes last."""
        made = {name: self.made_by[name] for name in operator.inputs if name in self.made_by}
        return max(made, key=lambda name: made[name], default=None)

    def _may_ride(self, operator: Operator, last: str | None) -> bool:
        """Whether an operator can be done on the way out of the last of its inputs, if there is one.

        What it applies must be known by then: statistics are, when all of what they are of has left.
        """
        if last is None:
            return False
        applied = (name for name in operator.inputs if (operator.name, name) in self.deferred.applied)
        return all(self.made_by[name] < self.made_by[last] for name in applied)

    def _carried_to(self, operator: Operator) -> str | None:
        """The tensor on whose way out this operator can ride: the last input made, if nobody else reads it."""
        last = self._last_made(operator)
        if operator.is_product or operator.kind not in self.fused or last is None:
            return None
        if not self._may_ride(operator, last):
            return None
        graph = self.pruned.graph
        alone = len(graph.consumers[last]) == 1
        return last if alone and not is_weight_gradient(graph, graph.tensors[last]) else None
