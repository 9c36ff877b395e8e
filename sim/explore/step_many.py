"""One training step timed and priced on many designs at once: what ``analytic`` and ``step_report`` find for each.

Every figure follows the same formulas in the same order, so that it comes out the same to the last bit. A step is given
by its outline; designs differ in numbers only (``dataflow.design_table``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...accel.dram import DramTiming
from ...accel.energy import COMPONENT_OF, COMPONENTS, Actions
from ...accel.engines import reduction_cycles, update_cycles, vector_cycles
from ...dataflow.actions import merge
from ...dataflow.design_table import DesignTable
from ...dataflow.product_cost import MappedProducts, ProductCosts, product_costs
from ...dataflow.residency_many import Demand, Residence, Residency
from ...dataflow.schedule import ChainedVectorWork, TensorWork, UpdateWork, VectorWork
from ...dataflow.scheduler import Outline
from ...dataflow.search_many import Found
from ...dataflow.way_out import WayOut
from ..in_turn import Flows, run_in_turn
from ..results import CYCLE_CAUSES, STAGES
from ..side_by_side import ROUNDING

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of actions on each design, [S]."""

    pj: Mapping[str, FloatArray]
    static_watts: FloatArray


@dataclass(kw_only=True)
class CostsMany:
    """Costs of equal products on the same designs, worked out once for all steps that have them.

    Attributes:
        found: mappings by what a search depends on.
    """

    found: dict[tuple[object, ...], Found]
    _known: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def mapped(self, key: tuple[object, ...], rows: IntArray, kept: Mapping[Any, BoolArray] | None) -> MappedProducts:
        """A product, by its ``shape_key``, on some designs."""
        whole = ("mapped", key, rows.tobytes(), _bytes(kept))
        if whole not in self._known:
            self._known[whole] = self.found[key].mapped(rows, None if kept is None else dict(kept))
        mapped: MappedProducts = self._known[whole]
        return mapped

    def costs(
        self, key: tuple[object, ...], rows: IntArray, kept: Mapping[Any, BoolArray] | None, way_out: WayOut
    ) -> ProductCosts:
        """What it costs there with what rides on its results."""
        riding = (way_out.lane_operations, way_out.result_elements, np.asarray(way_out.moved_bytes).tobytes())
        whole = ("costs", key, rows.tobytes(), _bytes(kept), riding)
        if whole not in self._known:
            self._known[whole] = product_costs(self.mapped(key, rows, kept), way_out)
        costs: ProductCosts = self._known[whole]
        return costs

    def alone_cycles(self, key: tuple[object, ...], rows: IntArray, kept: Mapping[Any, BoolArray] | None) -> IntArray:
        """Cycles of the product with nothing riding on its results."""
        whole = ("alone", key, rows.tobytes(), _bytes(kept))
        if whole not in self._known:
            self._known[whole] = self.mapped(key, rows, kept).pipeline().cycles
        cycles: IntArray = self._known[whole]
        return cycles

    def demand(self, key: tuple[object, ...], rows: IntArray) -> Demand:
        """What it asks of the buffers, and what its operands cost in DRAM bytes, when nothing stays on chip."""
        whole = ("demand", key, rows.tobytes())
        if whole not in self._known:
            self._known[whole] = _demand(self.mapped(key, rows, None))
        demand: Demand = self._known[whole]
        return demand


def _bytes(kept: Mapping[Any, BoolArray] | None) -> bytes:
    return b"" if kept is None else b"".join(each.tobytes() for each in kept.values())


def _demand(mapped: MappedProducts) -> Demand:
    tiles, traffic, count = mapped.tiles, mapped.traffic, mapped.gemm.count
    held = (tiles.a_held_bytes, tiles.b_held_bytes, tiles.sum_bytes)
    return Demand(
        tile_bytes=sum((each[:, 0, 0] for each in held), np.zeros(len(tiles), dtype=np.int64)),
        moved_bytes=(count * traffic.a_bytes, count * traffic.b_bytes, count * traffic.result_bytes),
    )


@dataclass(frozen=True, kw_only=True)
class _TensorTimes:
    """A tensor work's time, [S]; fields as in ``step_time.TensorTime``."""

    work: TensorWork
    cycles: IntArray
    product_cycles: IntArray
    causes: dict[str, IntArray]
    costs: tuple[ProductCosts, ...]
    vector_cycles: IntArray
    dram_cycles: IntArray


@dataclass(frozen=True, kw_only=True)
class _VectorTimes:
    """A vector work's time by itself, [S]."""

    work: ChainedVectorWork
    cycles: IntArray
    vector_cycles: IntArray
    dram_cycles: IntArray


@dataclass(frozen=True, kw_only=True)
class _UpdateTimes:
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
class StepMany:
    """A step on some designs of a table, [S].

    Attributes:
        outline: of the step.
        table: of the designs.
        rows: which of them.
        overlap_update: whether updates run beside the backward pass.
        keep_on_chip: whether tensors that fit stay on chip until their last use.
        prices: a design each.
        costs: of products, shared between steps.
    """

    outline: Outline
    table: DesignTable
    rows: IntArray
    overlap_update: bool
    keep_on_chip: bool
    prices: Prices
    costs: CostsMany

    def _number(self, name: str) -> npt.NDArray[Any]:
        return self.table.numbers[name][self.rows]

    @cached_property
    def _memory(self) -> DramTiming:
        """Of streams: [S] each."""
        return DramTiming(
            bytes_per_cycle=self._number("bytes_per_cycle"),
            latency_cycles=self._number("latency_cycles"),
            run_overhead_bytes=self._number("run_overhead_bytes"),
            burst_bytes=self._number("burst_bytes"),
            timed=self.table.memories[0].timed,
            clocks_to_cycles=self._number("clocks_to_cycles"),
        )

    @cached_property
    def clock_hz(self) -> FloatArray:
        """[S] of each design."""
        return np.array([self.table.designs[row].clock_hz for row in self.rows], dtype=np.float64)

    @cached_property
    def _zero(self) -> IntArray:
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
        buffers = sum((self._number(f"{side}_bytes") for side in ("west", "north", "output")), self._zero)
        return residency.choose(demands, buffers, self._number("tiles_held"))

    # Works by themselves ---------------------------------------------------------------------------------------------

    @cached_property
    def _alone(self) -> list[_TensorTimes | _VectorTimes]:
        return [
            self._tensor(work) if isinstance(work, TensorWork) else self._vector(work) for work in self.outline.works
        ]

    def _fused_bytes(self, works: Sequence[VectorWork]) -> tuple[IntArray, IntArray]:
        reads = sum((self.residence.read_bytes(work) for work in works), self._zero)
        return reads, sum((self.residence.write_bytes(work) for work in works), self._zero)

    def _way_out(self, work: TensorWork, kept: Mapping[Any, BoolArray]) -> WayOut:
        """See ``TensorWork.way_out``."""
        own = work.way_out(self.table.value_bytes)
        if own.nothing:
            return own
        read, written = self._fused_bytes(work.fused.works)
        moved = np.where(kept["c"], 0, own.result_bytes) + read + written
        return WayOut(
            lane_operations=own.lane_operations,
            moved_bytes=moved[:, None, None],
            result_elements=own.result_elements,
            result_bytes=own.result_bytes,
        )

    def _tensor(self, work: TensorWork) -> _TensorTimes:
        if not work.products:
            return self._without_products(work)
        kept = self.residence.places(work)
        way_out = self._way_out(work, kept)
        keys = [product.gemm.shape_key for product in work.products]
        costs = tuple(self.costs.costs(key, self.rows, kept, way_out) for key in keys)
        alone = costs if way_out.nothing else None
        return _TensorTimes(
            work=work,
            cycles=sum((cost.cycles for cost in costs), self._zero),
            product_cycles=sum(
                (cost.cycles for cost in alone)
                if alone is not None
                else (self.costs.alone_cycles(key, self.rows, kept) for key in keys),
                self._zero,
            ),
            causes=merge(*(cost.causes for cost in costs)),
            costs=costs,
            vector_cycles=vector_cycles(self._number("vector_lanes"), work.fused.lane_operations),
            dram_cycles=sum((cost.dram_cycles for cost in costs), self._zero),
        )

    def _without_products(self, work: TensorWork) -> _TensorTimes:
        dram = self._memory.streams_cycles(*self._fused_bytes(work.fused.works))
        on_lanes = vector_cycles(self._number("vector_lanes"), work.fused.lane_operations)
        cycles, waits = np.maximum(on_lanes, dram), on_lanes >= dram
        return _TensorTimes(
            work=work,
            cycles=cycles,
            product_cycles=self._zero,
            causes={"dependence": np.where(waits, cycles, 0), "output": np.where(waits, 0, cycles)},
            costs=(),
            vector_cycles=on_lanes,
            dram_cycles=dram,
        )

    def _vector(self, work: ChainedVectorWork) -> _VectorTimes:
        on_lanes = vector_cycles(self._number("vector_lanes"), work.lane_operations)
        dram = self._memory.streams_cycles(*self._fused_bytes((work.head, *work.fused.works)))
        latency = np.where(dram > 0, self._number("latency_cycles"), 0)
        return _VectorTimes(
            work=work, cycles=np.maximum(on_lanes, dram) + latency, vector_cycles=on_lanes, dram_cycles=dram
        )

    @cached_property
    def _updates(self) -> list[_UpdateTimes]:
        return [self._update(work) for work in self.outline.updates]

    def _update(self, work: UpdateWork) -> _UpdateTimes:
        update = update_cycles(self._number("update_lanes"), work.weights)
        lanes = self._number("reduction_lanes")
        passes = (np.asarray(reduction_cycles(lanes, elements, group)) for elements, _, group in work.reductions)
        reduction = sum(passes, self._zero)
        dram = self._memory.streams_cycles(self._whole(work.read_bytes), self._whole(work.write_bytes))
        alone = self._number("latency_cycles") + np.maximum(np.maximum(update, reduction), dram)
        return _UpdateTimes(work=work, update=update, reduction=reduction, dram=dram, alone=alone)

    # Side by side ----------------------------------------------------------------------------------------------------

    @cached_property
    def _run(self) -> tuple[list[FloatArray], FloatArray]:
        lanes = self._number("reduction_lanes")
        works = []
        for time in self._alone:
            cycles = np.maximum(time.cycles, 1)
            costs = time.costs if isinstance(time, _TensorTimes) else ()
            reduced = sum((cost.reduced_elements for cost in costs), self._zero)
            works.append(
                Flows(
                    alone_cycles=time.cycles.astype(np.float64),
                    dram_share=time.dram_cycles / cycles,
                    lane_share=time.vector_cycles / cycles,
                    sorter_share=reduced / (lanes * cycles),
                )
            )
        updates = [
            Flows(
                alone_cycles=time.alone.astype(np.float64),
                dram_share=time.dram / np.maximum(time.alone, 1),
                lane_share=np.zeros(len(self.rows)),
                sorter_share=time.reduction / np.maximum(time.alone, 1),
            )
            for time in self._updates
        ]
        ready = [time.work.ready_after for time in self._updates]
        return run_in_turn(works, updates, ready, overlap=self.overlap_update)

    @cached_property
    def _exposed_vector(self) -> dict[int, tuple[IntArray, IntArray]]:
        """Cycles that the step waits for of each vector work, by its index; and of those, after the last product."""
        took = self._run[0]
        last = max((at for at, time in enumerate(self._alone) if isinstance(time, _TensorTimes)), default=-1)
        found, before = {}, np.zeros(len(self.rows))
        for index, time in enumerate(self._alone):
            if isinstance(time, _TensorTimes):
                continue
            after = before + took[index]
            cycles = _ceil(after) - _ceil(before)
            idle = np.minimum(cycles, _ceil(took[index] if index > last else np.zeros(len(self.rows))))
            found[index] = cycles, idle
            before = after
        return found

    @cached_property
    def _exposed_updates(self) -> list[tuple[IntArray, IntArray]]:
        """Cycles that the step waits for of each update, and for its reduction beyond that."""
        found, before = [], np.zeros(len(self.rows))
        for time, left in zip(self._updates, self._run[1], strict=True):
            after = before + left
            exposed = _ceil(after) - _ceil(before)
            reducing = np.round(exposed * time.reducing).astype(np.int64)
            found.append((exposed - reducing, reducing))
            before = after
        return found

    # Figures ---------------------------------------------------------------------------------------------------------

    @cached_property
    def total_cycles(self) -> IntArray:
        """[S] of the step."""
        return sum(self.by_stage.values(), self._zero)

    @cached_property
    def seconds(self) -> FloatArray:
        """[S] of the step."""
        return np.asarray(self.total_cycles / self.clock_hz)

    @property
    def _tensors(self) -> list[_TensorTimes]:
        return [time for time in self._alone if isinstance(time, _TensorTimes)]

    @cached_property
    def by_stage(self) -> dict[str, IntArray]:
        """[S] exposed cycles by stage."""
        cycles = dict.fromkeys(STAGES, self._zero)
        for time in self._tensors:
            cycles[time.work.stage.value] = cycles[time.work.stage.value] + time.cycles
        cycles["vector"] = sum((each for each, _ in self._exposed_vector.values()), self._zero)
        cycles["update"] = sum((update for update, _ in self._exposed_updates), self._zero)
        cycles["reduction"] = sum((reduction for _, reduction in self._exposed_updates), self._zero)
        return cycles

    @cached_property
    def causes(self) -> dict[str, IntArray]:
        """[S] cycles of the tensor engine by cause."""
        found = dict.fromkeys(CYCLE_CAUSES, self._zero)
        parts = [{name: self.by_stage[name] for name in ("update", "reduction")}]
        parts += [{"dependence": cycles - idle, "idle": idle} for cycles, idle in self._exposed_vector.values()]
        merged = merge(*parts, *(time.causes for time in self._tensors))
        return {cause: merged.get(cause, nothing) for cause, nothing in found.items()}

    @cached_property
    def by_engine(self) -> dict[str, IntArray]:
        """[S] busy cycles by engine."""
        tensors = self._tensors
        busy = (time.causes.get(cause, self._zero) for time in tensors for cause in ("busy", "bubble", "fill_drain"))
        on_load = sum((cost.reduced_elements for time in tensors for cost in time.costs), self._zero)
        return {
            "tensor": sum(busy, self._zero),
            "vector": sum((time.vector_cycles for time in self._alone), self._zero),
            "update": sum((time.update for time in self._updates), self._zero),
            "reduction": sum((time.reduction for time in self._updates), self._zero)
            + -(-on_load // self._number("reduction_lanes")),
            "dram": sum((time.dram_cycles for time in self._alone), self._zero)
            + sum((time.dram for time in self._updates), self._zero),
        }

    @cached_property
    def gemm_cycles(self) -> IntArray:
        """[S] of the products alone."""
        return sum((time.product_cycles for time in self._tensors), self._zero)

    @cached_property
    def gemm_energy_joules(self) -> FloatArray:
        """[S] of the products alone, static power for their time among it."""
        actions = merge(*(cost.actions for time in self._tensors for cost in time.costs))
        joules = self._by_component(actions, self.gemm_cycles / self.clock_hz)
        return sum((joules.get(name, 0.0) for name in COMPONENTS), np.zeros(len(self.rows)))

    def _by_component(self, actions: Actions, seconds: FloatArray | None) -> dict[str, Any]:
        """[S] joules by component, see ``EnergyModel.by_component``; static power where there is a time."""
        joules: dict[str, Any] = {}
        for name, count in actions.items():
            component = COMPONENT_OF[name]
            joules[component] = joules.get(component, 0.0) + count * self.prices.pj[name] * 1e-12
        if seconds is not None:
            joules["static"] = self.prices.static_watts * seconds
        return joules

    @cached_property
    def energy_by_component(self) -> dict[str, FloatArray]:
        """[S] joules by component: those of every row of a report, in its order."""
        total: dict[str, Any] = defaultdict(lambda: np.zeros(len(self.rows)))
        residence = self.residence

        def add(actions: Actions, cycles: IntArray | None) -> None:
            seconds = None if cycles is None else cycles / self.clock_hz
            for component, joules in self._by_component(actions, seconds).items():
                total[component] = total[component] + joules

        def vector_actions(work: VectorWork) -> Actions:
            moved = residence.read_bytes(work) + residence.write_bytes(work)
            return {"vector_operations": work.lane_operations, "dram_bits": 8 * moved}

        for index, time in enumerate(self._alone):
            if isinstance(time, _TensorTimes):
                add(merge(*(cost.actions for cost in time.costs)), time.cycles)
            else:
                add(vector_actions(time.work.head), self._exposed_vector[index][0])
            for rider in time.work.fused.works:
                add(vector_actions(rider), None)
        for update, exposed in zip(self._updates, self._exposed_updates, strict=True):
            work = update.work
            actions = {
                "update_multiplies": work.multiplies,
                "update_accumulates": work.accumulates,
                "compares": sum(elements * kept for elements, kept, _ in work.reductions),
                "dram_bits": 8 * (work.read_bytes + work.write_bytes),
            }
            add(actions, exposed[0] + exposed[1])
        return {name: total[name] for name in COMPONENTS}

    @cached_property
    def energy_joules(self) -> FloatArray:
        """[S] of the step."""
        return sum(self.energy_by_component.values(), np.zeros(len(self.rows)))

    @cached_property
    def dram_bytes(self) -> tuple[IntArray, IntArray]:
        """[S] read from DRAM, and written to it."""
        read, written = self._zero, self._zero
        for time in self._alone:
            works = time.work.fused.works
            if isinstance(time, _TensorTimes):
                read = read + sum((cost.read_bytes for cost in time.costs), self._zero)
                written = written + sum((cost.write_bytes for cost in time.costs), self._zero)
            else:
                works = (time.work.head, *works)
            more = self._fused_bytes(works)
            read, written = read + more[0], written + more[1]
        for update in self.outline.updates:
            read, written = read + update.read_bytes, written + update.write_bytes
        return read, written

    @cached_property
    def useful_macs(self) -> int:
        """Multiply-accumulates that the algorithm keeps."""
        return sum(work.useful_macs for work in self._tensor_works)

    @cached_property
    def dense_macs(self) -> int:
        """Multiply-accumulates of the dense algorithm."""
        return sum(work.dense_macs for work in self._tensor_works)

    @cached_property
    def issued_macs(self) -> int:
        """Multiply-accumulates that the array issues."""
        return sum(_issued(work) for work in self._tensor_works)

    @property
    def _tensor_works(self) -> list[TensorWork]:
        return [work for work in self.outline.works if isinstance(work, TensorWork)]

    @cached_property
    def array_utilisation(self) -> FloatArray:
        """[S] kept multiply-accumulates over what the array could issue in the tensor engine's cycles."""
        cycles = sum((time.cycles for time in self._tensors), self._zero)
        done = sum(min(work.useful_macs, _issued(work)) for work in self._tensor_works)
        could = self._number("rows") * self._number("cols") * cycles
        return np.asarray(np.where(cycles > 0, done / np.maximum(could, 1), 0.0))


def _issued(work: TensorWork) -> int:
    return sum(product.gemm.issued_macs for product in work.products)


def _ceil(cycles: FloatArray) -> IntArray:
    return np.ceil(cycles - ROUNDING).astype(np.int64)
