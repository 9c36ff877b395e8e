"""The figures of a timed schedule: those of the step on its one design, and a row an operator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypedDict

from ...accel.energy import Actions, EnergyModel
from ...accel.engines import TENSOR
from ...accel.specification import SIDES
from ...configs.operand_format import OperandFormat
from ...configs.sums import sum_in_order
from ...configs.terms import Terms
from ...dataflow.actions import merge
from ...dataflow.cycle_causes import CYCLE_CAUSES
from ...dataflow.formats.skipped import why_not_skipped, why_streamed_take_time
from ...dataflow.schedule import Schedule
from ...dataflow.works import VectorWork, Work
from ..results.method_split import WHOLE_GRADIENTS
from ..results.simulation_result import Breakdown, Engine, OperatorResult
from .effectual import Effectual
from .planned_step import PlannedStep
from .step_figures import StepFigures, issued_macs, update_actions, utilisation
from .step_numbers import StepNumbers
from .step_time import StepTime, UpdateTime, WorkTime


class _Energy(TypedDict):
    """What a row says of its energy, see ``OperatorResult``."""

    energy_joules: float
    energy_by_component: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class StepReport(StepFigures):
    """The figures of one timed schedule; every count is a number.

    Attributes:
        schedule: of the step.
    """

    schedule: Schedule

    @classmethod
    def of(
        cls, schedule: Schedule, step: StepTime, energy: EnergyModel, effectual: Effectual | None = None
    ) -> StepReport:
        """The report of a schedule and the time that an engine found for it; other arguments as for ``StepFigures``."""
        return cls(schedule=schedule, plan=PlannedStep.of(schedule), step=step, energy=energy, effectual=effectual)

    @cached_property
    def numbers(self) -> StepNumbers:
        """The figures as plain numbers."""
        return StepNumbers.of(self)

    # Rows ------------------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> tuple[OperatorResult, ...]:
        """A row an operator, in execution order; fused operators follow their host, updates come last."""
        return tuple(self._rows())

    def _rows(self) -> Iterator[OperatorResult]:
        for time in self.step.works:
            yield self._tensor_row(time) if time.work.engine == TENSOR else self._vector_row(time)
            for work in time.work.fused.works:
                yield self._fused_row(work, _hidden_share(time))
        for update in self.step.updates:
            yield self._update_row(update)

    def _energy(self, cycles: int, actions: Actions) -> _Energy:
        """The energy of a row: of its actions, and static power for the cycles that it exposes."""
        seconds = cycles / self.schedule.hardware.clock_hz
        joules = {name: each for name, each in self.energy.by_component(actions, seconds).items() if each}
        return _Energy(energy_joules=sum_in_order(joules.values()), energy_by_component=joules)

    def _tensor_row(self, time: WorkTime) -> OperatorResult:
        work, pruned = time.work, self.schedule.pruned
        pruning = pruned.prunings.get(work.operator)
        sparse: list[tuple[str, OperandFormat]] = [(pruning.operand, pruning.pattern)] if pruning else []
        sparse += self._streamed(work)
        issued = issued_macs(time)
        longest = max(time.costs, key=lambda cost: cost.cycles, default=None)
        limit = longest.limit if longest is not None else "dram"
        on_memory = sum(time.causes.get(cause, 0) for cause in ("reduction", *SIDES))
        if time.causes.get("dependence", 0) > on_memory:
            limit = "vector"
        return OperatorResult(
            **self._energy(time.cycles, self.product_actions(time)),
            name=work.operator,
            module=work.module,
            kind=work.kind,
            stage=work.stage.value,
            engine="tensor",
            sparsity=", ".join(str(kept) for _, kept in sparse) or "dense",
            pruned_operand=", ".join(name for name, _ in sparse),
            dense_reason=self._why_dense(work),
            cycles=time.cycles,
            causes=_booked(time),
            useful_macs=work.useful_macs,
            issued_macs=issued,
            effectual_macs=None if self.effectual is None else self.effectual.macs(work),
            array_utilisation=utilisation(
                min(work.useful_macs, issued), self.schedule.hardware.peak_macs_per_cycle, time.cycles
            ),
            dram_read_bytes=sum(cost.read_bytes for cost in time.costs),
            dram_write_bytes=sum(cost.write_bytes for cost in time.costs),
            buffer_bytes=merge(*(cost.port_bytes for cost in time.costs)),
            mapping="; ".join(dict.fromkeys(str(product.mapping) for product in work.products)),
            candidates=sum(product.candidates for product in work.products),
            limit=limit,
        )

    def _streamed(self, work: Work) -> list[tuple[str, OperandFormat]]:
        """Zeros of activations and gradients that its products meet; those of a gradient that is pruned are."""
        pruned = self.schedule.pruned
        streamed, pruning = pruned.streamed.get(work.operator), pruned.prunings.get(work.operator)
        found = () if streamed is None else streamed.named
        return [each for each in found if pruning is None or each[0] != pruning.operand]

    def _unskipped(self, work: Work) -> str:
        """Why zeros of its products take time, where they do."""
        reasons = (why_not_skipped(product.gemm, self.schedule.hardware) for product in work.products)
        return "; ".join(filter(None, dict.fromkeys(reasons)))

    def _why_dense(self, work: Work) -> str:
        """Why it stays dense, or zeros take time: of what is pruned, then of what streams."""
        found = [self.schedule.pruned.dense_reasons.get(work.operator) or self._unskipped(work) or self._whole(work)]
        if self._streamed(work):
            found.append(why_streamed_take_time(self.schedule.hardware) or self._beside_terms(work))
        return "; ".join(filter(None, dict.fromkeys(found)))

    def _beside_terms(self, work: Work) -> str:
        """Why zeros of activations and gradients take time beside a weight that is a sum of terms."""
        pruning = self.schedule.pruned.prunings.get(work.operator)
        if pruning is None or not isinstance(pruning.pattern, Terms):
            return ""
        return f"beside {pruning.pattern} every value of the other operand is multiplied"

    def _whole(self, work: Work) -> str:
        """Why a weight gradient takes the time of all of it although only some is asked for."""
        asked = self.schedule.pruned.kept_gradients.get(work.operator, 1.0)
        return f"{self.schedule.hardware.name} {WHOLE_GRADIENTS}" if asked < 1 else ""

    def _vector_row(self, time: WorkTime) -> OperatorResult:
        (head,) = time.work.own_vector_works
        return replace(
            self._fused_row(head, 0.0),
            **self._energy(time.cycles, self.vector_actions(head)),
            cycles=time.cycles,
            hidden_cycles=time.hidden_cycles,
            causes=_booked(time),
            limit=_slowest(time),
        )

    def _fused_row(self, work: VectorWork, hidden_share: float) -> OperatorResult:
        lanes = self.schedule.hardware.vector_engine.lanes
        return OperatorResult(
            **self._energy(0, self.vector_actions(work)),
            name=work.operator,
            module=work.module,
            kind=work.kind,
            stage=work.stage.value,
            engine="reduction" if work.reductions else "vector",
            hidden_cycles=math.ceil(hidden_share * work.lane_operations / lanes),
            dram_read_bytes=work.read_bytes,
            dram_write_bytes=work.write_bytes,
            limit="fused",
        )

    def _update_row(self, time: UpdateTime) -> OperatorResult:
        work = time.work
        pace = {name: time.busy[name] for name in ("dram", "update", "reduction")}
        return OperatorResult(
            **self._energy(time.exposed_cycles, update_actions(work)),
            name=work.operator,
            module=work.module,
            kind="parameter_update",
            stage="update",
            engine="update",
            sparsity=", ".join(_made(kept, group) for _, kept, group in work.reductions) or "dense",
            cycles=time.exposed_cycles,
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

    def rows_beside(self, dense: StepReport) -> tuple[OperatorResult, ...]:
        """The rows, each with the dense step's figures of the same operator."""
        by_name = {row.name: row for row in dense.rows}
        return tuple(
            replace(row, dense_cycles=by_name[row.name].cycles, dense_energy_joules=by_name[row.name].energy_joules)
            if row.name in by_name
            else row
            for row in self.rows
        )

    # Sums of rows ----------------------------------------------------------------------------------------------------

    @cached_property
    def effectual_macs(self) -> int | None:
        """Multiply-accumulates issued whose operands are both non-zero; None without densities."""
        return _sum_of_known(self.rows)

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
            array_utilisation=utilisation(kept, self.schedule.hardware.peak_macs_per_cycle, cycles),
            dram_read_bytes=sum(row.dram_read_bytes for row in rows),
            dram_write_bytes=sum(row.dram_write_bytes for row in rows),
            buffer_bytes=merge(*(row.buffer_bytes for row in rows)),
            energy_joules=sum_in_order(row.energy_joules for row in rows),
            energy_by_component=merge(*(row.energy_by_component for row in rows)),
        )

    @property
    def candidates(self) -> dict[str, int]:
        """Mappings considered: in all, and the fewest for one product."""
        counts = [product.candidates for product in self.schedule.products]
        return {"total": sum(counts), "fewest": min(counts, default=0)}


def _made(kept: int, group: int) -> str:
    """What the reduction engine makes of a weight: N:M, or a stream of what a given mask keeps."""
    return f"{kept}:{group}" if group > 1 else "packed"


def _slowest(time: WorkTime) -> str:
    """What sets the pace of vector work: of equals memory, then the lanes."""
    return max(("dram", "vector", "reduction"), key=lambda name: time.busy[name])


def _booked(time: WorkTime) -> dict[str, int]:
    """Cycles of a work by cause, those that there are."""
    return {cause: time.causes[cause] for cause in CYCLE_CAUSES if time.causes.get(cause, 0)}


def _sum_of_known(rows: Iterable[OperatorResult]) -> int | None:
    known = [row.effectual_macs for row in rows if row.effectual_macs is not None]
    return sum(known) if known else None


def _hidden_share(host: WorkTime) -> float:
    """Share of fused lane time that runs beside its host; none when the lanes are the host."""
    if host.work.engine != TENSOR or host.vector_cycles == 0:
        return 0.0
    return float(max(0.0, 1 - host.causes.get("dependence", 0) / host.vector_cycles))
