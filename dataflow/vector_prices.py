"""What vector work costs: lane cycles and bytes of each operator, alone or on the way out of another's work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..accel.engines import vector_operation
from ..accel.specification import BYTES_OF, Hardware
from ..configs.sums import sum_in_order
from ..training.graph import Operator, TrainingGraph
from ..training.recipes.annotation import Preparation
from .tensor_size import element_bytes
from .work_order import FusedOperator, FusionGroup, WorkOrder, prepared_copy
from .works import Access, VectorWork

_PASSES: dict[Preparation, tuple[str, ...]] = {"gather": ("copy",), "rescale": ("reduce", "multiply")}
"""Kinds of vector work that the passes over a moving operand are priced as."""


@dataclass(frozen=True, kw_only=True)
class VectorPrices:
    """Prices vector work on a design.

    Attributes:
        graph: of the step.
        hardware: the design.
        batch: samples.
        order: of work.
    """

    graph: TrainingGraph
    hardware: Hardware
    batch: int
    order: WorkOrder

    def preparation(self, operator: Operator, preparation: Preparation) -> VectorWork:
        """A copy of the moving operand, made pass by pass.

        A gather brings it into the order of the mask. To be rescaled it is read for its norms, then again to be scaled.
        """
        moving, copy = self.graph.tensors[operator.inputs[0]], prepared_copy(operator, preparation)
        passes = [vector_operation(self.hardware.vector_engine, kind) for kind in _PASSES[preparation]]
        return VectorWork(
            operator=copy,
            module=operator.module,
            kind=preparation,
            stage=operator.stage,
            lane_operations=sum_in_order(each.cycles_per_element for each in passes) * moving.elements(self.batch),
            reads=(self._access(moving.name, len(passes)),),
            writes=(self._access(copy),),
        )

    def zero_fill(self, operator: Operator, elements: int) -> VectorWork:
        """Results of a product that none of its GEMMs writes."""
        price = vector_operation(self.hardware.vector_engine, "zero_fill")
        filled = elements * BYTES_OF[self.hardware.tensor_engine.precision]
        return VectorWork(
            operator=f"{operator.name}:zero_fill",
            module=operator.module,
            kind="zero_fill",
            stage=operator.stage,
            lane_operations=price.cycles_per_element * elements,
            writes=(Access(tensor=operator.outputs[0], tensor_bytes=filled),),
        )

    def _access(self, name: str, passes: int = 1, most: int | None = None) -> Access:
        """A whole tensor, or at most so many elements of it: what an operator does not work on it does not read."""
        elements = self.order.tensor(name).elements(self.batch)
        moved = elements if most is None else min(elements, most)
        return Access(tensor=name, tensor_bytes=moved * self._element_bytes(name), passes=passes)

    def _element_bytes(self, name: str) -> int:
        return element_bytes(self.graph, self.order.tensor(name), self.hardware.tensor_engine.precision)

    def work(self, operator: Operator, *, statistics_known: bool = False) -> VectorWork:
        """An operator as work of its own; without its first pass where that rode on another's."""
        price = vector_operation(self.hardware.vector_engine, operator.kind)
        left = (price.passes - 1) / price.passes if statistics_known else 1
        passes = price.passes - statistics_known
        writes = tuple(self._access(name) for name in operator.outputs)
        elements = operator.elements.at(self.batch)
        table = max(operator.inputs, key=lambda name: self.order.tensor(name).elements(self.batch), default="")
        others = [name for name in operator.inputs if name != table]
        labels = max((self.order.tensor(name).elements(self.batch) for name in others), default=1)
        if price.reads == "outputs":
            # A gather reads as much as it writes, from a table: the largest of its inputs.
            gathered = sum(each.tensor_bytes for each in writes)
            reads: tuple[Access, ...] = (Access(tensor=table, tensor_bytes=gathered, passes=passes),)
        else:
            # A view reads its part of the tensor that it is of.
            most = {table: labels} if price.reads == "picked" else {}
            read = others if price.reads == "labels" else operator.inputs
            reads = tuple(self._access(name, passes, most.get(name, elements)) for name in read)
        applied = sum_in_order(self._applied_cycles(operator, access) for access in reads)
        return VectorWork(
            operator=operator.name,
            module=operator.module,
            kind=operator.kind,
            stage=operator.stage,
            lane_operations=price.cycles_per_element * left * (labels if price.by_label else elements) + applied,
            reads=reads,
            writes=writes,
        )

    def _applied_cycles(self, operator: Operator, access: Access) -> float:
        """Lane cycles for what is done to what an operator reads, in every pass."""
        each = self.applied(operator, access.tensor)
        return each * access.passes * (access.tensor_bytes // self._element_bytes(access.tensor)) if each else 0.0

    def applied(self, operator: Operator, tensor: str) -> float:
        """Lane cycles for what is done to an element of a tensor as an operator reads it; 0 where nothing is."""
        application = self.order.applied.get((operator.name, tensor))
        if application is None:
            return 0.0
        vector = self.hardware.vector_engine
        normalisation = vector_operation(vector, application.normalisation.kind)
        then = sum_in_order(vector_operation(vector, each.kind).cycles_per_element for each in application.then)
        return normalisation.cycles_per_element / normalisation.passes + then

    def riding(self, group: FusionGroup) -> tuple[VectorWork, ...]:
        """What rides on the way out of a group's work: fused operators, then first passes of others."""
        fused = [self.fused(each) for each in group.fused_operators]
        first = [self.statistics(each, makes=each in group.deferred) for each in group.statistics]
        operators = (*(each.operator for each in group.fused_operators), *group.statistics)
        # What one of them applies and another one needs as it is passes by once.
        shared = {name for operator in operators for name in operator.inputs if self.applied(operator, name)}
        works, seen = [], set[str]()
        for work in (*fused, *first):
            works.append(replace(work, reads=tuple(each for each in work.reads if each.tensor not in seen)))
            seen.update(shared.intersection(each.tensor for each in work.reads))
        return tuple(works)

    def fused(self, fused: FusedOperator) -> VectorWork:
        """Vector work on the way out of other work: what is carried to it neither is read nor was stored before it."""
        work = self.work(fused.operator)
        reads = tuple(access for access in work.reads if access.tensor != fused.carried)
        return replace(work, reads=reads, displaces=self._access(fused.carried))

    def statistics(self, operator: Operator, *, makes: bool = False) -> VectorWork:
        """The first pass of an operator on the way out of the work that makes the last of its inputs.

        Other inputs are read for it. What it finds, a few numbers a channel, is counted where nothing else is left of
        the operator, which then ``makes`` it here.
        """
        price = vector_operation(self.hardware.vector_engine, operator.kind)
        work = self.work(operator)
        made = max((name for name in operator.inputs if name in self.order.made_by), key=self.order.made_by.__getitem__)
        others = tuple(replace(access, passes=1) for access in work.reads if access.tensor != made)
        return replace(
            work,
            operator=f"{operator.name}:statistics",
            lane_operations=work.lane_operations / price.passes,
            reads=others,
            writes=work.writes if makes else (),
        )
