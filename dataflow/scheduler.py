"""The offline scheduler: from a pruned graph and a design to a schedule.

It walks the graph in execution order, lowers products and maps each one, prices vector work in lane cycles and
bytes, rides element-wise work on the write-back of what comes before it where the design can, and lines up the updates.
"""

from __future__ import annotations

from collections.abc import Mapping as Decisions
from dataclasses import dataclass, field, replace

from ..accel.engines import optimizer as optimizer_named
from ..accel.engines import vector_operation
from ..accel.specification import BYTES_OF, Dataflow, Hardware
from ..configs.errors import MappingError
from ..configs.pattern import Pattern
from ..training.graph import Operator, Stage, Tensor, TrainingGraph
from ..training.recipes.annotation import PrunedGraph, WeightCopies
from .gemm import Gemm
from .lowering import lower
from .mapping import Mapping
from .objective import TIME, Objective
from .schedule import ChainedVectorWork, Fused, PlannedProduct, Schedule, TensorWork, UpdateWork, VectorWork, Work
from .search import Choice, best_mapping

_INTEGER_BYTES = 4
"""Bytes of an index or a label."""


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """Maps products of one design under one objective; equal products are searched once.

    Attributes:
        hardware: the design.
        objective: what is minimised.
        dataflows: only these; all that the design offers when None.
        interleave: whether a PE may turn between accumulations.
        decisions: mappings to use instead of searching, by product name: a schedule replayed.
    """

    hardware: Hardware
    objective: Objective = TIME
    dataflows: tuple[Dataflow, ...] | None = None
    interleave: bool = True
    decisions: Decisions[str, Mapping] = field(default_factory=dict)
    _found: dict[tuple[object, ...], Choice] = field(default_factory=dict, repr=False)

    def plan(self, gemm: Gemm) -> PlannedProduct:
        """Choose the mapping of a product.

        Raises:
            MappingError: no mapping is legal, or a replayed schedule does not name this product.
        """
        if self.decisions:
            if gemm.name not in self.decisions:
                raise MappingError(f"{gemm.name}: the schedule has no mapping for it; was it made for another graph?")
            return PlannedProduct(gemm=gemm, mapping=self.decisions[gemm.name], candidates=1)
        choice = self._found.get(gemm.shape_key)
        if choice is None:
            choice = best_mapping(
                gemm,
                self.hardware,
                objective=self.objective,
                dataflows=self.dataflows,
                interleave=self.interleave,
            )
            self._found[gemm.shape_key] = choice
        return PlannedProduct(gemm=gemm, mapping=choice.mapping, candidates=choice.candidates)


def build_schedule(
    pruned: PrunedGraph, mapper: Mapper, *, batch: int, optimizer: str, overlap_update: bool
) -> Schedule:
    """Schedule one training step.

    Args:
        pruned: graph and recipe.
        mapper: maps products on the design.
        batch: samples.
        optimizer: of the update, see ``accel.engines.OPTIMIZERS``.
        overlap_update: whether updates run beside the backward pass.

    Raises:
        MappingError: a product has no legal mapping, or the reduction engine cannot sort the recipe's groups.
        ConfigError: there is no such optimizer.
    """
    _check_groups(pruned, mapper.hardware)
    steps = _Steps(pruned=pruned, mapper=mapper, batch=batch)
    for operator in pruned.graph.operators:
        if operator.stage is not Stage.UPDATE:
            steps.add(operator)
    return Schedule(
        hardware=mapper.hardware,
        pruned=pruned,
        batch=batch,
        objective=mapper.objective.name,
        interleave=mapper.interleave,
        optimizer=optimizer,
        works=tuple(steps.works),
        updates=tuple(steps.updates(optimizer)),
        overlap_update=overlap_update,
    )


def _check_groups(pruned: PrunedGraph, hardware: Hardware) -> None:
    largest = hardware.reduction_engine.largest_group
    for name, pruning in pruned.prunings.items():
        if pruning.pattern.group > largest:
            raise MappingError(
                f"{name}: got groups of {pruning.pattern.group}, need at most {largest} "
                f"(reduction_engine.largest_group of {hardware.name})",
                field="reduction_engine.largest_group",
            )


@dataclass(kw_only=True)
class _Steps:
    """The work list under construction."""

    pruned: PrunedGraph
    mapper: Mapper
    batch: int
    works: list[Work] = field(default_factory=list)
    made_by: dict[str, int] = field(default_factory=dict)
    """Index of the work whose end gives a tensor."""

    @property
    def graph(self) -> TrainingGraph:
        return self.pruned.graph

    @property
    def hardware(self) -> Hardware:
        return self.mapper.hardware

    def add(self, operator: Operator) -> None:
        """Append an operator's work, or ride it on work that is there."""
        at = self._add_product(operator) if operator.is_product else self._add_vector(operator)
        self.made_by.update(dict.fromkeys(operator.outputs, at))

    # Products ------------------------------------------------------------------------------------------------------

    def _add_product(self, operator: Operator) -> int:
        pruning = self.pruned.prunings.get(operator.name)
        lowered = lower(operator, self.batch, pruning)
        if pruning is not None and pruning.permuted:
            self.works.append(ChainedVectorWork(head=self._gather(operator)))
        zeros = lowered.zero_fill_elements
        fill = (self._zero_fill(operator, zeros),) if zeros else ()
        assert operator.geometry is not None, "products have a geometry"
        self.works.append(
            TensorWork(
                operator=operator.name,
                module=operator.module,
                kind=operator.kind,
                stage=operator.stage,
                products=tuple(self.mapper.plan(gemm) for gemm in lowered.gemms),
                useful_macs=lowered.useful_macs,
                dense_macs=operator.geometry.macs(self.batch),
                fused=Fused(works=fill),
            )
        )
        return len(self.works) - 1

    def _gather(self, operator: Operator) -> VectorWork:
        """The moving operand brought into the order of the mask."""
        moving = self.graph.tensors[operator.inputs[0]]
        moved = self._bytes(moving)
        price = vector_operation(self.hardware.vector_engine, "copy")
        return VectorWork(
            operator=f"{operator.name}:gather",
            module=operator.module,
            kind="gather",
            stage=operator.stage,
            lane_operations=price.cycles_per_element * moving.elements(self.batch),
            read_bytes=moved,
            write_bytes=moved,
        )

    def _zero_fill(self, operator: Operator, elements: int) -> VectorWork:
        price = vector_operation(self.hardware.vector_engine, "zero_fill")
        return VectorWork(
            operator=f"{operator.name}:zero_fill",
            module=operator.module,
            kind="zero_fill",
            stage=operator.stage,
            lane_operations=price.cycles_per_element * elements,
            read_bytes=0,
            write_bytes=elements * BYTES_OF[self.hardware.tensor_engine.precision],
        )

    # Vector work ---------------------------------------------------------------------------------------------------

    def _bytes(self, tensor: Tensor) -> int:
        if tensor.integer:
            size = _INTEGER_BYTES
        elif self._is_weight_gradient(tensor):
            size = BYTES_OF["fp32"]
        else:
            size = BYTES_OF[self.hardware.tensor_engine.precision]
        return tensor.elements(self.batch) * size

    def _is_weight_gradient(self, tensor: Tensor) -> bool:
        """Weight gradients are FP32 sums, also those that are added up before they reach their parameter."""
        made_by = self.graph.producer.get(tensor.name)
        return tensor.role == "parameter_gradient" or (made_by is not None and made_by.stage is Stage.WEIGHT_GRADIENT)

    def _vector_work(self, operator: Operator) -> VectorWork:
        price = vector_operation(self.hardware.vector_engine, operator.kind)
        tensors = self.graph.tensors
        written = sum(self._bytes(tensors[name]) for name in operator.outputs)
        read = sum(self._bytes(tensors[name]) for name in operator.inputs)
        return VectorWork(
            operator=operator.name,
            module=operator.module,
            kind=operator.kind,
            stage=operator.stage,
            lane_operations=price.cycles_per_element * operator.elements.at(self.batch),
            read_bytes=price.passes * (read if price.reads == "inputs" else written),
            write_bytes=written,
        )

    def _add_vector(self, operator: Operator) -> int:
        work = self._vector_work(operator)
        carrier = self._carrier(operator)
        if carrier is None:
            self.works.append(ChainedVectorWork(head=work))
            return len(self.works) - 1
        # The carrier's result never goes to memory: this operator's own result is written in its place.
        saved = self._bytes(self.graph.tensors[carrier])
        work = replace(work, read_bytes=work.read_bytes - saved, write_bytes=work.write_bytes - saved)
        at = self.made_by[carrier]
        host = self.works[at]
        self.works[at] = replace(host, fused=Fused(works=(*host.fused.works, work)))
        return at

    def _carrier(self, operator: Operator) -> str | None:
        """The tensor on whose way out this operator can ride: the last input made, if nobody else reads it."""
        made = {name: self.made_by[name] for name in operator.inputs if name in self.made_by}
        if operator.kind not in self.hardware.vector_engine.fused or not made:
            return None
        last = max(made, key=lambda name: made[name])
        alone = len(self.graph.consumers[last]) == 1
        return last if alone and not self._is_weight_gradient(self.graph.tensors[last]) else None

    # Updates -------------------------------------------------------------------------------------------------------

    def updates(self, optimizer: str) -> list[UpdateWork]:
        """Parameter updates, earliest gradient first."""
        found = [self._update(op, optimizer) for op in self.graph.operators if op.stage is Stage.UPDATE]
        return sorted(found, key=lambda update: update.ready_after)

    def _update(self, operator: Operator, optimizer: str) -> UpdateWork:
        assert operator.parameter is not None, "an update has a parameter"
        rule = optimizer_named(optimizer)
        weights = operator.elements.at(self.batch)
        copies = self.pruned.copies.get(operator.parameter) or WeightCopies(parameter=operator.parameter, dense=True)
        value_bytes = BYTES_OF[self.hardware.tensor_engine.precision]
        copied = (value_bytes * weights if copies.dense else 0) + sum(
            _compressed_bytes(weights, pattern, value_bytes) for pattern in copies.compressed
        )
        mask_bytes = -(-weights // 8) if copies.reads_mask else 0
        gradients = [name for name in operator.inputs if name in self.made_by]
        return UpdateWork(
            operator=operator.name,
            module=operator.module,
            parameter=operator.parameter,
            weights=weights,
            ready_after=max((self.made_by[name] for name in gradients), default=len(self.works) - 1),
            read_bytes=rule.read_bytes * weights + mask_bytes,
            write_bytes=rule.write_bytes * weights + copied + mask_bytes,
            multiplies=(rule.multiplies + copies.reads_mask) * weights,
            accumulates=(rule.accumulates + copies.reads_mask) * weights,
            reductions=_reductions(weights, copies, self.pruned.pattern),
        )


def _compressed_bytes(weights: int, pattern: Pattern, value_bytes: int) -> int:
    """Bytes of one compressed stream of a weight."""
    kept = -(-weights * pattern.kept // pattern.group)
    return -(-kept * (8 * value_bytes + pattern.index_bits) // 8)


def _reductions(weights: int, copies: WeightCopies, pattern: Pattern) -> tuple[tuple[int, int, int], ...]:
    passes = [(weights, each.kept, each.group) for each in copies.compressed]
    if copies.search_passes:
        searched = copies.compressed[0] if copies.compressed else pattern
        passes.append((round(weights * copies.search_passes), searched.kept, searched.group))
    return tuple(passes)
