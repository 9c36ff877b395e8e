"""One training step timed on many designs at once: what ``analytic.time_step`` finds for each.

Every number follows the same formulas in the same order, so that it comes out the same to the last bit. A step is given
by its outline; designs differ in numbers only (``dataflow.design_table``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ....accel.dram import DramTiming
from ....accel.engines import reduction_cycles, update_cycles, vector_cycles
from ....configs.arrays import BoolArray, FloatArray, IntArray
from ....dataflow.actions import merge
from ....dataflow.design_table import DesignTable
from ....dataflow.epilogue import Epilogue
from ....dataflow.product_cost import ProductCosts
from ....dataflow.residency_many import Residence, Residency
from ....dataflow.schedule import ChainedVectorWork, TensorWork, UpdateWork, VectorWork
from ....dataflow.scheduler import Outline
from ...step.in_turn import Flows, run_in_turn
from ...step.side_by_side import ROUNDING
from .costs_many import CostsMany


@dataclass(frozen=True, kw_only=True)
class TensorTimes:
    """A tensor work's time, [S]; fields as in ``step_time.TensorTime``."""

    work: TensorWork
    cycles: IntArray
    product_cycles: IntArray
    causes: dict[str, IntArray]
    costs: tuple[ProductCosts, ...]
    vector_cycles: IntArray
    dram_cycles: IntArray


@dataclass(frozen=True, kw_only=True)
class VectorTimes:
    """A vector work's time by itself, [S]."""

    work: ChainedVectorWork
    cycles: IntArray
    vector_cycles: IntArray
    dram_cycles: IntArray


@dataclass(frozen=True, kw_only=True)
class UpdateTimes:
    """An update's time by itself, [S]."""

    work: UpdateWork
    update: IntArray
    reduction: IntArray
    dram: IntArray
    alone: IntArray

    @property
    def reducing(self) -> FloatArray:
        """Share of its time that it waits for the reduction engine alone."""
        waits = np.maximum(self.reduction - np.maximum(self.update, self.dram), 0)
        return np.asarray(waits / np.maximum(self.alone.astype(np.float64), 1.0))


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """The time of a step on some designs of a table, [S].

    Attributes:
        outline: of the step.
        table: of the designs.
        rows: which of them.
        overlap_update: whether updates run beside the backward pass.
        keep_on_chip: whether tensors that fit stay on chip until their last use.
        costs: of products, shared between steps.
    """

    outline: Outline
    table: DesignTable
    rows: IntArray
    overlap_update: bool
    keep_on_chip: bool
    costs: CostsMany

    def number(self, name: str) -> npt.NDArray[Any]:
        """[S] a number of each design, see ``DesignTable.numbers``."""
        return self.table.numbers[name][self.rows]

    @cached_property
    def _memory(self) -> DramTiming:
        """Of streams: [S] each."""
        return DramTiming(
            bytes_per_cycle=self.number("bytes_per_cycle"),
            latency_cycles=self.number("latency_cycles"),
            run_overhead_bytes=self.number("run_overhead_bytes"),
            burst_bytes=self.number("burst_bytes"),
            timed=self.table.memories[0].timed,
            clocks_to_cycles=self.number("clocks_to_cycles"),
        )

    @cached_property
    def clock_hz(self) -> FloatArray:
        """[S] of each design."""
        return np.array([self.table.designs[row].clock_hz for row in self.rows], dtype=np.float64)

    @cached_property
    def zero(self) -> IntArray:
        """[S] nothing."""
        return np.zeros(len(self.rows), dtype=np.int64)

    def _whole(self, count: int) -> IntArray:
        return np.full(len(self.rows), count, dtype=np.int64)

    # What stays on chip ----------------------------------------------------------------------------------------------

    @cached_property
    def residence(self) -> Residence:
        """What stays on chip on each design."""
        residency = Residency(outline=self.outline)
        if not self.keep_on_chip:
            return residency.none(len(self.rows))
        demands = [
            [self.costs.demand(product.gemm.shape_key, self.rows) for product in work.products]
            if isinstance(work, TensorWork)
            else []
            for work in self.outline.works
        ]
        buffers = sum((self.number(f"{side}_bytes") for side in ("west", "north", "output")), self.zero)
        return residency.choose(demands, buffers, self.number("tiles_held"))

    # Works by themselves ---------------------------------------------------------------------------------------------

    @cached_property
    def alone(self) -> list[TensorTimes | VectorTimes]:
        """Each work by itself."""
        return [
            self._tensor(work) if isinstance(work, TensorWork) else self._vector(work) for work in self.outline.works
        ]

    def fused_bytes(self, works: Sequence[VectorWork]) -> tuple[IntArray, IntArray]:
        """[S] DRAM bytes that vector works read and write."""
        reads = sum((self.residence.read_bytes(work) for work in works), self.zero)
        return reads, sum((self.residence.write_bytes(work) for work in works), self.zero)

    def _epilogue(self, work: TensorWork, kept: Mapping[Any, BoolArray]) -> Epilogue:
        """See ``TensorWork.epilogue``."""
        own = work.epilogue(self.table.value_bytes)
        if own.nothing:
            return own
        read, written = self.fused_bytes(work.fused.works)
        moved = np.where(kept["c"], 0, own.result_bytes) + read + written
        return Epilogue(
            lane_operations=own.lane_operations,
            moved_bytes=moved[:, None, None],
            result_elements=own.result_elements,
            result_bytes=own.result_bytes,
        )

    def _tensor(self, work: TensorWork) -> TensorTimes:
        if not work.products:
            return self._without_products(work)
        kept = self.residence.places(work)
        epilogue = self._epilogue(work, kept)
        keys = [product.gemm.shape_key for product in work.products]
        costs = tuple(self.costs.costs(key, self.rows, kept, epilogue) for key in keys)
        alone = costs if epilogue.nothing else None
        return TensorTimes(
            work=work,
            cycles=sum((cost.cycles for cost in costs), self.zero),
            product_cycles=sum(
                (cost.cycles for cost in alone)
                if alone is not None
                else (self.costs.alone_cycles(key, self.rows, kept) for key in keys),
                self.zero,
            ),
            causes=merge(*(cost.causes for cost in costs)),
            costs=costs,
            vector_cycles=vector_cycles(self.number("vector_lanes"), work.fused.lane_operations),
            dram_cycles=sum((cost.dram_cycles for cost in costs), self.zero),
        )

    def _without_products(self, work: TensorWork) -> TensorTimes:
        dram = self._memory.streams_cycles(*self.fused_bytes(work.fused.works))
        on_lanes = vector_cycles(self.number("vector_lanes"), work.fused.lane_operations)
        cycles, waits = np.maximum(on_lanes, dram), on_lanes >= dram
        return TensorTimes(
            work=work,
            cycles=cycles,
            product_cycles=self.zero,
            causes={"dependence": np.where(waits, cycles, 0), "output": np.where(waits, 0, cycles)},
            costs=(),
            vector_cycles=on_lanes,
            dram_cycles=dram,
        )

    def _vector(self, work: ChainedVectorWork) -> VectorTimes:
        on_lanes = vector_cycles(self.number("vector_lanes"), work.lane_operations)
        dram = self._memory.streams_cycles(*self.fused_bytes((work.head, *work.fused.works)))
        latency = np.where(dram > 0, self.number("latency_cycles"), 0)
        return VectorTimes(
            work=work, cycles=np.maximum(on_lanes, dram) + latency, vector_cycles=on_lanes, dram_cycles=dram
        )

    @cached_property
    def updates(self) -> list[UpdateTimes]:
        """Each update by itself."""
        return [self._update(work) for work in self.outline.updates]

    def _update(self, work: UpdateWork) -> UpdateTimes:
        update = update_cycles(self.number("update_lanes"), work.weights)
        lanes = self.number("reduction_lanes")
        passes = (np.asarray(reduction_cycles(lanes, elements, group)) for elements, _, group in work.reductions)
        reduction = sum(passes, self.zero)
        dram = self._memory.streams_cycles(self._whole(work.read_bytes), self._whole(work.write_bytes))
        alone = self.number("latency_cycles") + np.maximum(np.maximum(update, reduction), dram)
        return UpdateTimes(work=work, update=update, reduction=reduction, dram=dram, alone=alone)

    # Side by side ----------------------------------------------------------------------------------------------------

    @cached_property
    def _run(self) -> tuple[list[FloatArray], FloatArray]:
        lanes = self.number("reduction_lanes")
        works = []
        for time in self.alone:
            cycles = np.maximum(time.cycles, 1)
            costs = time.costs if isinstance(time, TensorTimes) else ()
            reduced = sum((cost.reduced_elements for cost in costs), self.zero)
            works.append(
                Flows(
                    alone_cycles=time.cycles.astype(np.float64),
                    dram_share=time.dram_cycles / cycles,
                    sorter_share=reduced / (lanes * cycles),
                )
            )
        updates = [
            Flows(
                alone_cycles=time.alone.astype(np.float64),
                dram_share=time.dram / np.maximum(time.alone, 1),
                sorter_share=time.reduction / np.maximum(time.alone, 1),
            )
            for time in self.updates
        ]
        ready = [time.work.ready_after for time in self.updates]
        return run_in_turn(works, updates, ready, overlap=self.overlap_update)

    @cached_property
    def exposed_vector(self) -> dict[int, tuple[IntArray, IntArray]]:
        """Cycles that the step waits for of each vector work, by its index; and of those, after the last product."""
        took = self._run[0]
        last = max((at for at, time in enumerate(self.alone) if isinstance(time, TensorTimes)), default=-1)
        found, before = {}, np.zeros(len(self.rows))
        for index, time in enumerate(self.alone):
            if isinstance(time, TensorTimes):
                continue
            after = before + took[index]
            cycles = _ceil(after) - _ceil(before)
            idle = np.minimum(cycles, _ceil(took[index] if index > last else np.zeros(len(self.rows))))
            found[index] = cycles, idle
            before = after
        return found

    @cached_property
    def exposed_updates(self) -> list[tuple[IntArray, IntArray]]:
        """Cycles that the step waits for of each update, and for its reduction beyond that."""
        found, before = [], np.zeros(len(self.rows))
        for time, left in zip(self.updates, self._run[1], strict=True):
            after = before + left
            exposed = _ceil(after) - _ceil(before)
            reducing = np.round(exposed * time.reducing).astype(np.int64)
            found.append((exposed - reducing, reducing))
            before = after
        return found


def _ceil(cycles: FloatArray) -> IntArray:
    return np.ceil(cycles - ROUNDING).astype(np.int64)
