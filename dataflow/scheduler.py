"""The offline scheduler: from a pruned graph and a design to a schedule.

It takes the graph's work in order, lowers products and maps each one, prices vector work in lane cycles and bytes,
lets tensors that fit stay on chip, and lines up the updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Decisions
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..accel.engines import optimizer as optimizer_named
from ..accel.specification import BYTES_OF, Hardware, Precision
from ..configs.errors import MappingError
from ..configs.operand_format import OperandFormat
from ..training.graph import Convolution, Operator, Stage, TrainingGraph
from ..training.passes.choice import PLAIN, Passes
from ..training.recipes.annotation import PrunedGraph, Pruning, WeightCopies
from .design_products import DesignProducts
from .extra_works import extra_works
from .formats.skipped import met_by
from .forms import best_forms, check_form
from .gemm import SUM_BYTES, Gemm
from .lowering import lower
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping
from .objective import TIME, Objective
from .residency import Residency, Resident
from .schedule import Schedule
from .search import Choice
from .vector_prices import VectorPrices
from .weight_storage import copied_bytes, copies_of, mask_bytes
from .work_order import FusionGroup, WorkOrder, order_on, prepared_copy
from .works import ChainedVectorWork, Fused, PlannedProduct, TensorWork, UpdateWork, Work


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """Maps products of one design under one objective; equal products are searched once.

    Attributes:
        hardware: the design.
        objective: what is minimised.
        dataflows: only these; all that the design offers when None.
        interleave: whether a PE may turn between accumulations.
        decisions: mappings to use instead of searching, by product name: a schedule replayed.
        products: mapped on the design; of its own when None.
    """

    hardware: Hardware
    objective: Objective = TIME
    dataflows: tuple[str, ...] | None = None
    interleave: bool = True
    decisions: Decisions[str, Mapping] = field(default_factory=dict)
    products: DesignProducts | None = field(default=None, repr=False)
    _found: dict[tuple[object, ...], Choice | MappingError] = field(default_factory=dict, repr=False)

    def plan(self, gemm: Gemm) -> PlannedProduct:
        """Choose the mapping of a product.

        Raises:
            MappingError: no mapping is legal, or a replayed schedule does not name this product or gives it a form that
                it cannot have.
        """
        gemm = met_by(gemm, self.hardware)
        if self.decisions:
            if gemm.name not in self.decisions:
                raise MappingError(
                    f"{gemm.name}: got no mapping in the schedule, need one; was it made for another graph?"
                )
            mapping = self.decisions[gemm.name]
            check_form(mapping.form, gemm, self.hardware)
            return PlannedProduct(gemm=gemm.formed(mapping.form), mapping=mapping, candidates=1)
        self.foresee([gemm])
        choice = self._found[gemm.shape_key]
        if isinstance(choice, MappingError):
            raise choice
        formed = gemm.formed(choice.mapping.form)
        return PlannedProduct(gemm=formed, mapping=choice.mapping, candidates=choice.candidates)

    def foresee(self, gemms: Iterable[Gemm]) -> None:
        """Search for mappings that are about to be asked for: many products side by side are sooner done than each."""
        if self.decisions:
            return
        unknown: dict[tuple[object, ...], Gemm] = {}
        for gemm in gemms:
            met = met_by(gemm, self.hardware)
            if met.shape_key not in self._found:
                unknown.setdefault(met.shape_key, met)
        found = best_forms(
            list(unknown.values()),
            self.hardware,
            objective=self.objective,
            dataflows=self.dataflows,
            interleave=self.interleave,
        )
        self._found.update(zip(unknown, found, strict=True))

    def mapped(self, work: Work) -> Work:
        """A work whose products get the mappings that are yet to be chosen; errors as for ``plan``."""
        if not isinstance(work, TensorWork):
            return work
        return replace(work, products=tuple(self.plan(product.gemm) for product in work.products))


def build_schedule(
    pruned: PrunedGraph,
    mapper: Mapper,
    *,
    batch: int,
    optimizer: str,
    overlap_update: bool,
    overlap_vector: bool = False,
    keep_on_chip: bool = False,
    causal_blocks: int = 0,
    passes: Passes = PLAIN,
) -> Schedule:
    """Schedule one training step.

    Args:
        pruned: graph and recipe.
        mapper: maps products on the design.
        batch: samples.
        optimizer: of the update, see ``accel.engines.OPTIMIZERS``.
        overlap_update: whether updates run beside the backward pass.
        overlap_vector: whether vector work runs beside products that it neither needs nor feeds.
        keep_on_chip: whether tensors that fit may stay on chip until their last use; not where works run beside each
            other, since their buffers' spare room is then not known.
        causal_blocks: of the graph, to be saved with the schedule.
        passes: that made the graph, to be saved with the schedule.

    Raises:
        MappingError: a product has no legal mapping, or the reduction engine cannot sort the recipe's groups.
        ConfigError: there is no such optimizer.
    """
    _check_groups(pruned, mapper.hardware)
    order = order_on(pruned, mapper.hardware.vector_engine)
    steps = _Steps(pruned=pruned, hardware=mapper.hardware, plan=_unmapped, batch=batch, order=order)
    unmapped, beside = tuple(steps.works()), extra_works(pruned, mapper.hardware, batch, _unmapped)
    mapper.foresee(product.gemm for work in (*unmapped, *beside) for product in work.products)
    works = tuple(map(mapper.mapped, unmapped))
    resident = None
    if keep_on_chip and not overlap_vector:
        # One that holds nothing yet is false, and kept all the same.
        products = DesignProducts(hardware=mapper.hardware) if mapper.products is None else mapper.products
        resident = _resident(works, order, products, batch)
        works = resident.works_of(0)
    extra = tuple(map(mapper.mapped, beside))
    return Schedule(
        hardware=mapper.hardware,
        pruned=pruned,
        batch=batch,
        objective=mapper.objective.name,
        interleave=mapper.interleave,
        optimizer=optimizer,
        works=(*works, *extra),
        updates=tuple(steps.updates(optimizer)),
        overlap_update=overlap_update,
        overlap_vector=overlap_vector,
        needs=_needs(order, extra),
        keep_on_chip=keep_on_chip,
        resident=() if resident is None else resident.of_design(0),
        causal_blocks=causal_blocks,
        passes=passes,
    )


def _needs(order: WorkOrder, extra: tuple[Work, ...]) -> tuple[tuple[int, ...], ...]:
    """Of each work, the earlier ones that it waits for: what is extra waits for all of them."""
    own = order.needs
    return (*own, *(tuple(range(len(own) + number)) for number in range(len(extra))))


def _resident(works: tuple[Work, ...], order: WorkOrder, products: DesignProducts, batch: int) -> Resident:
    """What stays on chip, the works mapped as if nothing did."""
    hardware = products.hardware
    residency = Residency(order=order, works=works, batch=batch, precision=hardware.tensor_engine.precision)
    products.foresee(product for work in works for product in work.products)
    demands = [[products.demand(product) for product in work.products] for work in works]
    return residency.choose(demands, np.array([hardware.buffers.capacity_bytes]))


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A step before any product is mapped: the same on all designs that agree in number format and vector engine.

    Attributes:
        pruned: graph and recipe.
        batch: samples.
        precision: of operands.
        order: of work.
        works: forward and backward work; the mapping of each product is yet to be chosen.
        extra: what the recipe does beside, likewise.
        updates: parameter updates, earliest gradient first.
    """

    pruned: PrunedGraph
    batch: int
    precision: Precision
    order: WorkOrder
    works: tuple[Work, ...]
    extra: tuple[Work, ...]
    updates: tuple[UpdateWork, ...]

    @property
    def every_work(self) -> tuple[Work, ...]:
        """In the order in which they run."""
        return (*self.works, *self.extra)

    @property
    def needs(self) -> tuple[tuple[int, ...], ...]:
        """Of each of them, the earlier ones that it waits for."""
        return _needs(self.order, self.extra)


_UNMAPPED = Mapping(array=ArrayMapping(dataflow="os"), tile_m=0, tile_n=0, tile_k=0, order=LOOP_ORDERS[0])


def outline(pruned: PrunedGraph, hardware: Hardware, *, batch: int, optimizer: str) -> Outline:
    """Outline one training step; arguments as for ``build_schedule``."""
    order = order_on(pruned, hardware.vector_engine)
    steps = _Steps(pruned=pruned, hardware=hardware, plan=_unmapped, batch=batch, order=order)
    return Outline(
        pruned=pruned,
        batch=batch,
        precision=hardware.tensor_engine.precision,
        order=order,
        works=tuple(steps.works()),
        extra=extra_works(pruned, hardware, batch, _unmapped),
        updates=tuple(steps.updates(optimizer)),
    )


def _unmapped(gemm: Gemm) -> PlannedProduct:
    return PlannedProduct(gemm=gemm, mapping=_UNMAPPED, candidates=0)


def _check_groups(pruned: PrunedGraph, hardware: Hardware) -> None:
    largest = hardware.reduction_engine.largest_group
    for name, pruning in pruned.prunings.items():
        if pruning.pattern.sorted_group > largest:
            raise MappingError(
                f"{name}: got groups of {pruning.pattern.sorted_group}, need at most {largest} "
                f"(reduction_engine.largest_group of {hardware.name})",
                field="reduction_engine.largest_group",
            )


@dataclass(frozen=True, kw_only=True)
class _Steps:
    """Prices the turns of a work order."""

    pruned: PrunedGraph
    hardware: Hardware
    plan: Callable[[Gemm], PlannedProduct]
    batch: int
    order: WorkOrder

    @property
    def graph(self) -> TrainingGraph:
        return self.pruned.graph

    @property
    def vector(self) -> VectorPrices:
        """What prices vector work."""
        return VectorPrices(graph=self.graph, hardware=self.hardware, batch=self.batch, order=self.order)

    @cached_property
    def _fetched_before(self) -> dict[str, str]:
        """Of products whose weight another one of their pass has fetched, what would stay of it."""
        return {operator: weight.name for weight in self.order.repeated for operator in weight.later}

    def works(self) -> Iterator[Work]:
        """The work of each fusion group."""
        for group in self.order.groups:
            fused = Fused(works=self.vector.riding(group))
            if group.prepares:
                yield ChainedVectorWork(head=self.vector.preparation(group.operator, group.prepares))
            elif group.operator.is_product:
                yield self._product(group, fused)
            else:
                head = self.vector.work(group.operator, statistics_known=group.statistics_known)
                yield ChainedVectorWork(head=head, fused=fused)

    # Products ------------------------------------------------------------------------------------------------------

    def _product(self, group: FusionGroup, fused: Fused) -> TensorWork:
        operator = group.operator
        pruning = self.pruned.prunings.get(operator.name)
        lowered = lower(operator, self.batch, pruning, self.pruned.streamed.get(operator.name))
        a, b, c = _operands(group, pruning)
        # Where a product before it has fetched the weight, what it reads is that.
        operands = a, self._fetched_before.get(operator.name, b), c
        applied = self.vector.applied(operator, operands[0]), self.vector.applied(operator, operands[1])
        gemms = [gemm if gemm.applied == applied else replace(gemm, applied=applied) for gemm in lowered.gemms]
        zeros = lowered.zero_fill_elements
        fill = (self.vector.zero_fill(operator, zeros),) if zeros else ()
        assert operator.geometry is not None, "products have a geometry"
        return TensorWork(
            operator=operator.name,
            module=operator.module,
            kind=operator.kind,
            stage=operator.stage,
            products=tuple(map(self.plan, gemms)),
            useful_macs=round(lowered.useful_macs * self.pruned.kept_gradients.get(operator.name, 1.0)),
            dense_macs=operator.geometry.asked_macs(self.batch),
            operands=operands,
            fused=Fused(works=(*fill, *fused.works)),
        )

    # Updates -------------------------------------------------------------------------------------------------------

    def updates(self, optimizer: str) -> list[UpdateWork]:
        """Parameter updates, earliest gradient first."""
        found = [self._update(op, optimizer) for op in self.graph.operators if op.stage is Stage.UPDATE]
        return sorted(found, key=lambda update: update.ready_after)

    def _update(self, operator: Operator, optimizer: str) -> UpdateWork:
        assert operator.parameter is not None, "an update has a parameter"
        rule = optimizer_named(optimizer)
        weights = operator.elements.at(self.batch)
        copies = copies_of(self.pruned, operator.parameter)
        copied = copied_bytes(weights, copies, BYTES_OF[self.hardware.tensor_engine.precision])
        masked = mask_bytes(weights, copies)
        updated = copies.updated_of(weights)
        gradients = [name for name in operator.inputs if name in self.order.made_by]
        return UpdateWork(
            operator=operator.name,
            module=operator.module,
            parameter=operator.parameter,
            weights=updated,
            ready_after=max((self.order.made_by[name] for name in gradients), default=len(self.order.groups) - 1),
            # The array wrote the gradients of all weights, side by side.
            read_bytes=rule.read_bytes * updated + SUM_BYTES * (weights - updated) + masked,
            write_bytes=rule.write_bytes * updated + copied + masked,
            multiplies=(rule.multiplies + copies.reads_mask) * updated,
            accumulates=(rule.accumulates + copies.reads_mask) * updated,
            reductions=_reductions(weights, copies, self.pruned.pattern),
        )


def _operands(group: FusionGroup, pruning: Pruning | None) -> tuple[str, str, str]:
    """The tensors that A, B and C of a fusion group's products are.

    A compressed stream that the update made is a copy of a parameter, whatever tensor of the graph it stands for.
    """
    operator = group.operator
    a, b = operator.inputs[:2]
    if group.prepared:
        a = prepared_copy(operator, group.prepared)
    geometry, weight_gradient = operator.geometry, operator.stage is Stage.WEIGHT_GRADIENT
    if isinstance(geometry, Convolution) and geometry.transposed and weight_gradient:
        a, b = b, a  # The patches are those of the wide tensor: here the gradient.
    streamed = pruning is not None and pruning.operand != "result" and not pruning.reduced_on_load
    if pruning is not None and streamed and not pruning.pattern.is_dense:
        a, b = (a, "") if pruning.operand == "weight" else ("", b)
    return a, b, operator.outputs[0]


def _reductions(weights: int, copies: WeightCopies, pattern: OperandFormat) -> tuple[tuple[int, int, int], ...]:
    passes = [(weights, each.sorted_kept, each.sorted_group) for each in copies.compressed]
    if copies.search_passes:
        searched = copies.compressed[0] if copies.compressed else pattern
        passes.append((round(weights * copies.search_passes), searched.sorted_kept, searched.sorted_group))
    return tuple(passes)
