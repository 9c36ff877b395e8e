"""One training step's figures on many designs at once: what ``step_report`` adds up for each, in the same order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ....accel.energy import COMPONENT_OF, COMPONENTS, Actions
from ....configs.arrays import FloatArray, IntArray
from ....dataflow.actions import merge
from ....dataflow.schedule import TensorWork, VectorWork
from ...results.simulation_result import CYCLE_CAUSES, STAGES
from .step_times import StepTimes, TensorTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of actions on each design, [S]."""

    pj: Mapping[str, FloatArray]
    static_watts: FloatArray


@dataclass(frozen=True, kw_only=True)
class StepMany:
    """The figures of a step on some designs, [S].

    Attributes:
        times: of the step.
        prices: a design each.
    """

    times: StepTimes
    prices: Prices

    @property
    def _zero(self) -> IntArray:
        return self.times.zero

    @cached_property
    def total_cycles(self) -> IntArray:
        """[S] of the step."""
        return sum(self.by_stage.values(), self._zero)

    @cached_property
    def seconds(self) -> FloatArray:
        """[S] of the step."""
        return np.asarray(self.total_cycles / self.times.clock_hz)

    @property
    def _tensors(self) -> list[TensorTimes]:
        return [time for time in self.times.alone if isinstance(time, TensorTimes)]

    @cached_property
    def by_stage(self) -> dict[str, IntArray]:
        """[S] exposed cycles by stage."""
        cycles = dict.fromkeys(STAGES, self._zero)
        for time in self._tensors:
            cycles[time.work.stage.value] = cycles[time.work.stage.value] + time.cycles
        cycles["vector"] = sum((each for each, _ in self.times.exposed_vector.values()), self._zero)
        cycles["update"] = sum((update for update, _ in self.times.exposed_updates), self._zero)
        cycles["reduction"] = sum((reduction for _, reduction in self.times.exposed_updates), self._zero)
        return cycles

    @cached_property
    def causes(self) -> dict[str, IntArray]:
        """[S] cycles of the tensor engine by cause."""
        found = dict.fromkeys(CYCLE_CAUSES, self._zero)
        parts = [{name: self.by_stage[name] for name in ("update", "reduction")}]
        parts += [{"dependence": cycles - idle, "idle": idle} for cycles, idle in self.times.exposed_vector.values()]
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
            "vector": sum((time.vector_cycles for time in self.times.alone), self._zero),
            "update": sum((time.update for time in self.times.updates), self._zero),
            "reduction": sum((time.reduction for time in self.times.updates), self._zero)
            + -(-on_load // self.times.number("reduction_lanes")),
            "dram": sum((time.dram_cycles for time in self.times.alone), self._zero)
            + sum((time.dram for time in self.times.updates), self._zero),
        }

    @cached_property
    def gemm_cycles(self) -> IntArray:
        """[S] of the products alone."""
        return sum((time.product_cycles for time in self._tensors), self._zero)

    @cached_property
    def gemm_energy_joules(self) -> FloatArray:
        """[S] of the products alone, static power for their time among it."""
        actions = merge(*(cost.actions for time in self._tensors for cost in time.costs))
        joules = self._by_component(actions, self.gemm_cycles / self.times.clock_hz)
        return sum((joules.get(name, 0.0) for name in COMPONENTS), np.zeros(len(self._zero)))

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
        total: dict[str, Any] = defaultdict(lambda: np.zeros(len(self._zero)))
        residence = self.times.residence

        def add(actions: Actions, cycles: IntArray | None) -> None:
            seconds = None if cycles is None else cycles / self.times.clock_hz
            for component, joules in self._by_component(actions, seconds).items():
                total[component] = total[component] + joules

        def vector_actions(work: VectorWork) -> Actions:
            moved = residence.read_bytes(work) + residence.write_bytes(work)
            return {"vector_operations": work.lane_operations, "dram_bits": 8 * moved}

        for index, time in enumerate(self.times.alone):
            if isinstance(time, TensorTimes):
                add(merge(*(cost.actions for cost in time.costs)), time.cycles)
            else:
                add(vector_actions(time.work.head), self.times.exposed_vector[index][0])
            for fused in time.work.fused.works:
                add(vector_actions(fused), None)
        for update, exposed in zip(self.times.updates, self.times.exposed_updates, strict=True):
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
        return sum(self.energy_by_component.values(), np.zeros(len(self._zero)))

    @cached_property
    def dram_bytes(self) -> tuple[IntArray, IntArray]:
        """[S] read from DRAM, and written to it."""
        read, written = self._zero, self._zero
        for time in self.times.alone:
            works = time.work.fused.works
            if isinstance(time, TensorTimes):
                read = read + sum((cost.read_bytes for cost in time.costs), self._zero)
                written = written + sum((cost.write_bytes for cost in time.costs), self._zero)
            else:
                works = (time.work.head, *works)
            more = self.times.fused_bytes(works)
            read, written = read + more[0], written + more[1]
        for update in self.times.outline.updates:
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
        return [work for work in self.times.outline.works if isinstance(work, TensorWork)]

    @cached_property
    def array_utilisation(self) -> FloatArray:
        """[S] kept multiply-accumulates over what the array could issue in the tensor engine's cycles."""
        cycles = sum((time.cycles for time in self._tensors), self._zero)
        done = sum(min(work.useful_macs, _issued(work)) for work in self._tensor_works)
        # As integers of any size: a step of years on a large array passes 64 bits.
        peak = (self.times.number("rows") * self.times.number("cols")).tolist()
        could = [own * each for own, each in zip(peak, cycles.tolist(), strict=True)]
        return np.array([done / each if each else 0.0 for each in could], dtype=np.float64)


def _issued(work: TensorWork) -> int:
    return sum(product.gemm.issued_macs for product in work.products)
