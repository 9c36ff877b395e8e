"""A timed step as figures: rows, sums by stage, engine, cause and energy component."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ...accel.energy import COMPONENTS, Actions, EnergyModel, gated
from ...dataflow.actions import merge
from ...dataflow.schedule import Schedule, VectorWork
from ..results.simulation_result import CYCLE_CAUSES, STAGES, Breakdown, Engine, OperatorResult
from .effectual import Effectual
from .step_time import StepTime, TensorTime, UpdateTime, VectorTime


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The figures of one timed step.

    Attributes:
        schedule: of the step.
        step: its time.
        energy: prices of actions.
        effectual: measured densities laid over the step; None without.
    """

    schedule: Schedule
    step: StepTime
    energy: EnergyModel
    effectual: Effectual | None = None

    @property
    def total_cycles(self) -> int:
        """Cycles of the step."""
        return self.step.total_cycles

    @property
    def seconds(self) -> float:
        """Seconds of the step."""
        return self.total_cycles / self.schedule.hardware.clock_hz

    # Rows ------------------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> tuple[OperatorResult, ...]:
        """A row an operator, in execution order; fused operators follow their host, updates come last."""
        return tuple(self._rows())

    def _rows(self) -> Iterator[OperatorResult]:
        for time in self.step.works:
            if isinstance(time, TensorTime):
                yield self._tensor_row(time)
            else:
                yield self._vector_row(time)
            for work in time.work.fused.works:
                yield self._fused_row(work, _hidden_share(time))
        for update in self.step.updates:
            yield self._update_row(update)

    def _priced(self, row: OperatorResult, actions: Actions) -> OperatorResult:
        """The row with its energy: the actions, and static power for the cycles that it exposes."""
        seconds = row.cycles / self.schedule.hardware.clock_hz
        joules = {name: each for name, each in self.energy.by_component(actions, seconds).items() if each}
        return replace(row, energy_joules=sum(joules.values()), energy_by_component=joules)

    def _actions(self, time: TensorTime) -> Actions:
        """Actions of an operator's products, without those that the array gates."""
        effectual = self.effectual
        if effectual is None or not self.schedule.hardware.tensor_engine.zero_gating:
            return merge(*(cost.actions for cost in time.costs))
        pairs = zip(time.costs, time.work.products, strict=True)
        return merge(*(gated(cost.actions, effectual.share(time.work, product.gemm)) for cost, product in pairs))

    def _tensor_row(self, time: TensorTime) -> OperatorResult:
        work, pruned = time.work, self.schedule.pruned
        pruning = pruned.prunings.get(work.operator)
        issued = sum(product.gemm.issued_macs for product in work.products)
        useful = min(work.useful_macs, issued)
        peak = self.schedule.hardware.peak_macs_per_cycle
        longest = max(time.costs, key=lambda cost: cost.cycles, default=None)
        limit = longest.limit if longest is not None else "dram"
        on_memory = sum(time.causes.get(cause, 0) for cause in ("reduction", "west", "north", "output"))
        if time.causes.get("dependence", 0) > on_memory:
            limit = "vector"
        row = OperatorResult(
            name=work.operator,
            module=work.module,
            kind=work.kind,
            stage=work.stage.value,
            engine="tensor",
            sparsity=str(pruning.pattern) if pruning else "dense",
            pruned_operand=pruning.operand if pruning else "",
            dense_reason=pruned.dense_reasons.get(work.operator, ""),
            cycles=time.cycles,
            causes={cause: time.causes.get(cause, 0) for cause in CYCLE_CAUSES if time.causes.get(cause, 0)},
            useful_macs=work.useful_macs,
            issued_macs=issued,
            effectual_macs=None if self.effectual is None else self.effectual.macs(work),
            array_utilisation=useful / (peak * time.cycles) if time.cycles else 0.0,
            dram_read_bytes=sum(cost.read_bytes for cost in time.costs),
            dram_write_bytes=sum(cost.write_bytes for cost in time.costs),
            buffer_bytes=merge(*(cost.port_bytes for cost in time.costs)),
            mapping="; ".join(dict.fromkeys(str(product.mapping) for product in work.products)),
            candidates=sum(product.candidates for product in work.products),
            limit=limit,
        )
        return self._priced(row, self._actions(time))

    def _vector_row(self, time: VectorTime) -> OperatorResult:
        row = replace(
            self._fused_row(time.work.head, 0.0),
            cycles=time.cycles,
            hidden_cycles=time.hidden_cycles,
            causes=time.causes,
            limit="dram" if time.dram_cycles >= time.vector_cycles else "vector",
        )
        return self._priced(row, _vector_actions(time.work.head))

    def _fused_row(self, work: VectorWork, hidden_share: float) -> OperatorResult:
        lanes = self.schedule.hardware.vector_engine.lanes
        row = OperatorResult(
            name=work.operator,
            module=work.module,
            kind=work.kind,
            stage=work.stage.value,
            engine="vector",
            hidden_cycles=math.ceil(hidden_share * work.lane_operations / lanes),
            dram_read_bytes=work.read_bytes,
            dram_write_bytes=work.write_bytes,
            limit="fused",
        )
        return self._priced(row, _vector_actions(work))

    def _update_row(self, time: UpdateTime) -> OperatorResult:
        work = time.work
        cycles = time.exposed_update + time.exposed_reduction
        pace = {"dram": time.dram_cycles, "update": time.update_cycles, "reduction": time.reduction_cycles}
        row = OperatorResult(
            name=work.operator,
            module=work.module,
            kind="parameter_update",
            stage="update",
            engine="update",
            sparsity=", ".join(f"{kept}:{group}" for _, kept, group in work.reductions) or "dense",
            cycles=cycles,
            hidden_cycles=time.hidden_cycles,
            causes={
                cause: exposed
                for cause, exposed in (("update", time.exposed_update), ("reduction", time.exposed_reduction))
                if exposed
            },
            dram_read_bytes=work.read_bytes,
            dram_write_bytes=work.write_bytes,
            limit=max(pace, key=lambda name: pace[name]),
        )
        return self._priced(row, _update_actions(time))

    def rows_beside(self, dense: StepReport) -> tuple[OperatorResult, ...]:
        """The rows, each with the dense step's figures of the same operator."""
        by_name = {row.name: row for row in dense.rows}
        return tuple(
            replace(row, dense_cycles=by_name[row.name].cycles, dense_energy_joules=by_name[row.name].energy_joules)
            if row.name in by_name
            else row
            for row in self.rows
        )

    # Sums ------------------------------------------------------------------------------------------------------------

    @property
    def _tensor_times(self) -> list[TensorTime]:
        return [time for time in self.step.works if isinstance(time, TensorTime)]

    @cached_property
    def by_stage(self) -> dict[str, int]:
        """Exposed cycles by stage; they sum to the total."""
        cycles = dict.fromkeys(STAGES, 0)
        for time in self.step.works:
            cycles[time.work.stage.value if isinstance(time, TensorTime) else "vector"] += time.cycles
        cycles["update"] = sum(update.exposed_update for update in self.step.updates)
        cycles["reduction"] = sum(update.exposed_reduction for update in self.step.updates)
        return cycles

    @cached_property
    def causes(self) -> dict[str, int]:
        """Cycles of the tensor engine by cause; they sum to the total."""
        updates = {"update": self.by_stage["update"], "reduction": self.by_stage["reduction"]}
        on_vector = (time.causes for time in self.step.works if isinstance(time, VectorTime))
        merged = merge(updates, *on_vector, *(time.causes for time in self._tensor_times))
        return {cause: merged.get(cause, 0) for cause in CYCLE_CAUSES}

    @cached_property
    def by_engine(self) -> dict[str, int]:
        """Busy cycles by engine, work that runs beside other work included."""
        times, updates = self._tensor_times, self.step.updates
        on_array = sum(time.causes.get(cause, 0) for time in times for cause in ("busy", "bubble", "fill_drain"))
        on_load = sum(cost.reduced_elements for time in times for cost in time.costs)
        lanes = self.schedule.hardware.reduction_engine.lanes
        return {
            "tensor": on_array,
            "vector": sum(time.vector_cycles for time in self.step.works),
            "update": sum(update.update_cycles for update in updates),
            "reduction": sum(update.reduction_cycles for update in updates) + -(-on_load // lanes),
            "dram": sum(time.dram_cycles for time in (*self.step.works, *updates)),
        }

    @cached_property
    def gemm_cycles(self) -> int:
        """Cycles of the products alone, with their waits."""
        return sum(time.product_cycles for time in self._tensor_times)

    @cached_property
    def gemm_energy_joules(self) -> float:
        """Energy of the products alone, with static power for their time."""
        actions = merge(*map(self._actions, self._tensor_times))
        seconds = self.gemm_cycles / self.schedule.hardware.clock_hz
        return sum(self.energy.by_component(actions, seconds).values())

    @cached_property
    def energy_by_component(self) -> dict[str, float]:
        """Joules by component."""
        joules = merge(*(row.energy_by_component for row in self.rows))
        return {name: joules.get(name, 0.0) for name in COMPONENTS}

    @property
    def energy_joules(self) -> float:
        """Energy of the step."""
        return sum(self.energy_by_component.values())

    @cached_property
    def dram_read_bytes(self) -> int:
        """Bytes read from DRAM."""
        return sum(row.dram_read_bytes for row in self.rows)

    @cached_property
    def dram_write_bytes(self) -> int:
        """Bytes written to DRAM."""
        return sum(row.dram_write_bytes for row in self.rows)

    @cached_property
    def useful_macs(self) -> int:
        """Multiply-accumulates that the algorithm keeps."""
        return sum(time.work.useful_macs for time in self._tensor_times)

    @cached_property
    def dense_macs(self) -> int:
        """Multiply-accumulates of the dense algorithm."""
        return sum(time.work.dense_macs for time in self._tensor_times)

    @cached_property
    def issued_macs(self) -> int:
        """Multiply-accumulates that the array issues."""
        return sum(row.issued_macs for row in self.rows)

    @cached_property
    def effectual_macs(self) -> int | None:
        """Multiply-accumulates issued whose operands are both non-zero; None without densities."""
        return _sum_of_known(self.rows)

    @cached_property
    def array_utilisation(self) -> float:
        """Kept multiply-accumulates over what the array could issue in the tensor engine's cycles; at most 1."""
        rows = [row for row in self.rows if row.engine == "tensor"]
        cycles = sum(row.cycles for row in rows)
        done = sum(min(row.useful_macs, row.issued_macs) for row in rows)
        return done / (self.schedule.hardware.peak_macs_per_cycle * cycles) if cycles else 0.0

    @cached_property
    def breakdown(self) -> tuple[Breakdown, ...]:
        """The rows, summed by stage and engine, in the order of their first appearance."""
        groups: dict[tuple[str, Engine], list[OperatorResult]] = {}
        for row in self.rows:
            groups.setdefault((row.stage, row.engine), []).append(row)
        return tuple(self._sum(stage, engine, rows) for (stage, engine), rows in groups.items())

    def _sum(self, stage: str, engine: Engine, rows: list[OperatorResult]) -> Breakdown:
        cycles = sum(row.cycles for row in rows)
        kept = sum(min(row.useful_macs, row.issued_macs) for row in rows)
        return Breakdown(
            stage=stage,
            engine=engine,
            operators=len(rows),
            cycles=cycles,
            hidden_cycles=sum(row.hidden_cycles for row in rows),
            causes=merge(*(row.causes for row in rows)),
            useful_macs=sum(row.useful_macs for row in rows),
            issued_macs=sum(row.issued_macs for row in rows),
            effectual_macs=_sum_of_known(rows),
            array_utilisation=kept / (self.schedule.hardware.peak_macs_per_cycle * cycles) if cycles else 0.0,
            dram_read_bytes=sum(row.dram_read_bytes for row in rows),
            dram_write_bytes=sum(row.dram_write_bytes for row in rows),
            buffer_bytes=merge(*(row.buffer_bytes for row in rows)),
            energy_joules=sum(row.energy_joules for row in rows),
            energy_by_component=merge(*(row.energy_by_component for row in rows)),
        )

    @property
    def candidates(self) -> dict[str, int]:
        """Mappings considered: in all, and the fewest for one product."""
        counts = [product.candidates for product in self.schedule.products]
        return {"total": sum(counts), "fewest": min(counts, default=0)}


def _sum_of_known(rows: Iterable[OperatorResult]) -> int | None:
    known = [row.effectual_macs for row in rows if row.effectual_macs is not None]
    return sum(known) if known else None


def _hidden_share(host: TensorTime | VectorTime) -> float:
    """Share of fused lane time that runs beside its host; none when the lanes are the host."""
    if isinstance(host, VectorTime) or host.vector_cycles == 0:
        return 0.0
    return max(0.0, 1 - host.causes.get("dependence", 0) / host.vector_cycles)


def _vector_actions(work: VectorWork) -> dict[str, float]:
    return {
        "vector_operations": work.lane_operations,
        "dram_bits": 8 * (work.read_bytes + work.write_bytes),
    }


def _update_actions(time: UpdateTime) -> dict[str, int]:
    work = time.work
    return {
        "update_multiplies": work.multiplies,
        "update_accumulates": work.accumulates,
        "compares": sum(elements * kept for elements, kept, _ in work.reductions),
        "dram_bits": 8 * (work.read_bytes + work.write_bytes),
    }
