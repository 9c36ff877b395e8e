"""The figures of a timed step: sums by stage, engine, cause and energy component, on one design or on many.

Each is a number, or an array, [S]: the same sums in the same order either way, so that many designs at once have the
figures of each alone to the last bit. They bear the names that a result gives them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...accel.energy import COMPONENTS, Actions, EnergyModel, gated
from ...accel.engines import ENGINES, RESOURCES, TENSOR
from ...configs.arrays import Counts
from ...configs.sums import sum_in_order
from ...dataflow.actions import merge
from ...dataflow.cycle_causes import CYCLE_CAUSES, ON_ARRAY, STAGES
from ...dataflow.works import UpdateWork, VectorWork
from .effectual import Effectual
from .planned_step import PlannedStep
from .step_time import StepTime, WorkTime


@dataclass(frozen=True, kw_only=True)
class StepFigures:
    """The figures of one timed step.

    Attributes:
        plan: what was timed.
        step: its time.
        energy: prices of actions.
        effectual: measured densities laid over the step; None without.
    """

    plan: PlannedStep
    step: StepTime
    energy: EnergyModel
    effectual: Effectual | None = None

    @cached_property
    def total_cycles(self) -> Counts:
        """Cycles of the step."""
        return self.step.total_cycles

    @cached_property
    def step_seconds(self) -> Counts:
        """Seconds of the step."""
        return self.total_cycles / self.plan.clock_hz

    # Cycles ----------------------------------------------------------------------------------------------------------

    @property
    def _on_array(self) -> list[WorkTime]:
        return [time for time in self.step.works if time.work.engine == TENSOR]

    @cached_property
    def by_stage(self) -> dict[str, Counts]:
        """Exposed cycles by stage; they sum to the total."""
        cycles: dict[str, Counts] = dict.fromkeys(STAGES, 0)
        for time in self.step.works:
            cycles[time.work.counts_as] = cycles[time.work.counts_as] + time.cycles
        for name, exposed in self._of_updates.items():
            cycles[name] = cycles[name] + exposed
        return cycles

    @property
    def _of_updates(self) -> dict[str, Counts]:
        """Cycles that the step waits for updates, and for their reductions."""
        return {
            "update": sum(update.exposed_update for update in self.step.updates),
            "reduction": sum(update.exposed_reduction for update in self.step.updates),
        }

    @cached_property
    def stalls(self) -> dict[str, Counts]:
        """Cycles of the tensor engine by cause; they sum to the total."""
        merged = merge(self._of_updates, *(time.causes for time in self.step.works))
        return {cause: merged.get(cause, 0) for cause in CYCLE_CAUSES}

    @cached_property
    def by_engine(self) -> dict[str, Counts]:
        """Busy cycles by engine, work that runs beside other work included."""
        times = [*(time.busy for time in self.step.works), *(time.busy for time in self.step.updates)]
        busy: dict[str, Counts] = {name: sum(each.get(name, 0) for each in times) for name in RESOURCES}
        on_load = sum(time.reduced_elements for time in self.step.works)
        busy["reduction"] = busy["reduction"] + -(-on_load // self.plan.engines.reduction_lanes)
        busy[TENSOR] = sum(time.causes.get(cause, 0) for time in self.step.works for cause in ON_ARRAY)
        return {name: busy[name] for name in ENGINES}

    @cached_property
    def gemm_cycles(self) -> Counts:
        """Cycles of the products alone, with their waits."""
        return sum(time.product_cycles for time in self._on_array)

    # Multiply-accumulates --------------------------------------------------------------------------------------------

    @cached_property
    def useful_macs(self) -> int:
        """Multiply-accumulates that the algorithm keeps."""
        return sum(work.useful_macs for work in self.plan.works)

    @cached_property
    def dense_macs(self) -> int:
        """Multiply-accumulates of the dense algorithm."""
        return sum(work.dense_macs for work in self.plan.works)

    @cached_property
    def issued_macs(self) -> Counts:
        """Multiply-accumulates that the array issues."""
        return sum(issued_macs(time) for time in self.step.works)

    @cached_property
    def array_utilisation(self) -> Counts:
        """Kept multiply-accumulates over what the array could issue in the tensor engine's cycles; at most 1."""
        done = sum(np.minimum(time.work.useful_macs, issued_macs(time)) for time in self._on_array)
        return utilisation(done, self.plan.peak_macs_per_cycle, sum(time.cycles for time in self._on_array))

    # Memory and energy -----------------------------------------------------------------------------------------------

    @cached_property
    def _dram_bytes(self) -> tuple[Counts, Counts]:
        """Bytes read from DRAM, and written to it."""
        read: Counts = sum(cost.read_bytes for time in self.step.works for cost in time.costs)
        written: Counts = sum(cost.write_bytes for time in self.step.works for cost in time.costs)
        for time in self.step.works:
            demand = time.work.demand(self.plan.residence)
            read, written = read + demand.read_bytes, written + demand.write_bytes
        updates = [update.work for update in self.step.updates]
        return read + sum(work.read_bytes for work in updates), written + sum(work.write_bytes for work in updates)

    @property
    def dram_read_bytes(self) -> Counts:
        """Bytes read from DRAM."""
        return self._dram_bytes[0]

    @property
    def dram_write_bytes(self) -> Counts:
        """Bytes written to DRAM."""
        return self._dram_bytes[1]

    def product_actions(self, time: WorkTime) -> Actions:
        """Actions of an operator's products, without those that the array gates."""
        if self.effectual is None or not self.plan.zero_gating:
            return merge(*(cost.actions for cost in time.costs))
        pairs = zip(time.costs, time.work.products, strict=True)
        return merge(*(gated(cost.actions, self.effectual.share(time.work, each.gemm)) for cost, each in pairs))

    def vector_actions(self, work: VectorWork) -> Actions:
        """Actions of a vector operator."""
        read_bytes, write_bytes = self.plan.residence.moved_bytes((work,))
        actions: dict[str, Any] = {
            "vector_operations": work.lane_operations,
            "dram_bits": 8 * (read_bytes + write_bytes),
        }
        return actions | _compares(work.reductions) if work.reductions else actions

    def work_actions(self, time: WorkTime) -> Actions:
        """Actions of a work, what is fused into it left out."""
        return merge(self.product_actions(time), *map(self.vector_actions, time.work.own_vector_works))

    def _spent(self) -> Iterator[tuple[Actions, Counts | None]]:
        """Actions of each row, in the order of rows, and the cycles that it exposes, if any."""
        for time in self.step.works:
            yield self.work_actions(time), time.cycles
            for fused in time.work.fused.works:
                yield self.vector_actions(fused), None
        for update in self.step.updates:
            yield update_actions(update.work), update.exposed_cycles

    @cached_property
    def energy_by_component(self) -> dict[str, Counts]:
        """Joules by component."""
        total: dict[str, Any] = dict.fromkeys(COMPONENTS, 0.0)
        for actions, cycles in self._spent():
            seconds = None if cycles is None else cycles / self.plan.clock_hz
            for component, joules in self.energy.spent_joules(actions, seconds).items():
                total[component] = total[component] + joules
        return total

    @cached_property
    def energy_joules(self) -> Counts:
        """Energy of the step."""
        return sum_in_order(self.energy_by_component.values())

    @cached_property
    def gemm_energy_joules(self) -> Counts:
        """Energy of the products alone, with static power for their time."""
        actions = merge(*map(self.product_actions, self._on_array))
        joules: Counts = sum_in_order(self.energy.by_component(actions, self.gemm_cycles / self.plan.clock_hz).values())
        return joules


def issued_macs(time: WorkTime) -> Counts:
    """Multiply-accumulates that the array issues for a work."""
    issued: Counts = sum(cost.actions["multiplies"] for cost in time.costs)
    return issued


def update_actions(work: UpdateWork) -> Actions:
    """Actions of an update."""
    return {
        "update_multiplies": work.multiplies,
        "update_accumulates": work.accumulates,
        **_compares(work.reductions),
        "dram_bits": 8 * (work.read_bytes + work.write_bytes),
    }


def _compares(reductions: Sequence[tuple[int, int, int]]) -> dict[str, int]:
    """Of passes of the reduction engine: each element meets the N kept so far."""
    return {"compares": sum(elements * kept for elements, kept, _ in reductions)}


def utilisation(done: Counts, peak_macs_per_cycle: Counts, cycles: Counts) -> Counts:
    """Multiply-accumulates done over what the array could issue in some cycles; 0 in none.

    Integers of any size: a step of years on a large array passes 64 bits.
    """
    could = np.asarray(peak_macs_per_cycle, dtype=object) * np.asarray(cycles, dtype=object)
    pairs = np.broadcast(np.asarray(done, dtype=object), could)
    shares = np.array([did / each if each else 0.0 for did, each in pairs], dtype=np.float64)
    return shares if isinstance(cycles, np.ndarray) else float(shares[0])
