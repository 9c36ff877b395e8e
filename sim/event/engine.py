"""The event engine: a schedule, run.

Forward and backward work run in the schedule's order, one after another; each product tile by tile, vector work as a
stream; updates beside them or after them, as the schedule says, in what DRAM time is left. Everybody contends for the
same channels. The result has the types of the analytic engine's. Modelled: contention, buffers that hold a few tiles,
who waits for what. Not modelled: events below a tile or chunk; overlap of neighbouring operators, which the schedule
forbids.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from ...accel.engines import vector_cycles
from ...accel.specification import BYTES_OF
from ...dataflow.actions import merge
from ...dataflow.product_cost import ProductCost
from ...dataflow.schedule import ChainedVectorWork, Fused, PlannedProduct, Schedule, TensorWork
from ...dataflow.way_out import WayOut
from ..step_time import StepTime, TensorTime, UpdateTime, VectorTime
from .clock import Process
from .machine import Machine, Play
from .product_figures import product_figures
from .recorder import Recorder
from .stream import Stage, Stream
from .tensor_engine import ProductRun, Sequencer
from .tile_program import TileProgram

NORMAL = Play()


def time_step(schedule: Schedule, *, play: Play = NORMAL, recorder: Recorder | None = None) -> StepTime:
    """Run a schedule.

    Args:
        schedule: one training step.
        play: whether repetitions are counted instead of played; changes no result.
        recorder: takes the timeline, or None.
    """
    step = _Step(schedule=schedule, machine=Machine(schedule, play, recorder))
    step.machine.clock.environment.process(step.run())
    step.machine.clock.environment.run()
    found = StepTime(works=tuple(step.works), updates=step.updates())
    assert found.total_cycles == step.end_cycle, "every cycle of the step belongs to a work or an exposed update"
    return found


@dataclass(kw_only=True)
class _Step:
    """The main process and what it finds."""

    schedule: Schedule
    machine: Machine
    works: list[TensorTime | VectorTime] = field(default_factory=list)
    ended_at: int = 0
    """simpy time at which the last work ended."""
    _known: dict[tuple[object, ...], tuple[TileProgram, ProductRun]] = field(default_factory=dict)

    def run(self) -> Process:
        """Every work in order; then whatever updates are left run alone."""
        for index, work in enumerate(self.schedule.works):
            started = self.machine.clock.now
            if isinstance(work, TensorWork):
                yield from self._tensor(work)
                name, stage = work.operator, work.stage.value
            else:
                yield from self._vector(work, awaited=self.schedule.awaits_tensor(index))
                name, stage = work.head.operator, "vector"
            if self.machine.recorder is not None:
                self.machine.recorder.operator(name, stage, started, self.machine.clock.now)
            if self.schedule.overlap_update:
                self.machine.updater.release(index)
        self.ended_at = int(self.machine.clock.environment.now)
        self.machine.updater.release(len(self.schedule.works))

    # Works -----------------------------------------------------------------------------------------------------------

    def _tensor(self, work: TensorWork) -> Process:
        way_out = work.way_out(BYTES_OF[self.machine.hardware.tensor_engine.precision])
        costs: list[ProductCost] = []
        for product in work.products:
            program, run = yield from self._product(product, way_out)
            costs.append(product_figures(program, run))
        cycles, causes = sum(cost.cycles for cost in costs), merge(*(cost.causes for cost in costs))
        on_lanes = vector_cycles(self.machine.hardware.vector_engine, work.fused.lane_operations)
        on_dram = sum(cost.dram_cycles for cost in costs)
        if not costs:
            # Every result element is zero: only its fill takes time.
            on_dram = self.machine.memory.stream_cycles(work.fused.read_bytes, work.fused.write_bytes)
            cycles = yield from self._stream(work.operator, work.fused, on_dram, on_lanes, latency_cycles=0)
            causes = {"dependence" if on_lanes >= on_dram else "output": cycles}
        self.works.append(
            TensorTime(
                work=work,
                cycles=cycles,
                product_cycles=cycles - causes.get("dependence", 0),
                causes=causes,
                costs=tuple(costs),
                vector_cycles=on_lanes,
                dram_cycles=on_dram,
            )
        )

    def _product(
        self, product: PlannedProduct, way_out: WayOut
    ) -> Generator[simpy.Event, Any, tuple[TileProgram, ProductRun]]:
        """Run a product; one that meets the machine at rest as an equal one did before takes what that one took."""
        machine = self.machine
        at_rest = machine.fast_forward and machine.recorder is None and not machine.updater.busy
        key = (product.gemm.shape_key, product.mapping, way_out)
        if at_rest and key in self._known:
            program, run = self._known[key]
            machine.clock.skipped_cycles += run.cycles
            return program, run
        program = TileProgram(gemm=product.gemm, hardware=machine.hardware, mapping=product.mapping, way_out=way_out)
        run = yield from Sequencer(machine, program, product.gemm.name).run()
        if at_rest:
            self._known[key] = program, run
        return program, run

    def _vector(self, work: ChainedVectorWork, *, awaited: bool) -> Process:
        machine = self.machine
        on_lanes = vector_cycles(machine.hardware.vector_engine, work.lane_operations)
        on_dram = machine.memory.stream_cycles(work.read_bytes, work.write_bytes)
        latency = machine.memory.latency_cycles if on_dram else 0
        cycles = yield from self._stream(work.head.operator, work, on_dram, on_lanes, latency_cycles=latency)
        time = VectorTime(work=work, cycles=cycles, vector_cycles=on_lanes, dram_cycles=on_dram, awaited=awaited)
        self.works.append(time)
        if machine.recorder is not None:
            now = machine.clock.now
            machine.recorder.wait(work.head.operator, time.cause, now - cycles, now)

    def _stream(
        self,
        label: str,
        moves: Fused | ChainedVectorWork,
        dram_cycles: int,
        lane_cycles: int,
        *,
        latency_cycles: int,
    ) -> Generator[simpy.Event, Any, int]:
        """Stream through DRAM and the vector lanes, served before patient work."""
        machine, started = self.machine, self.machine.clock.now
        stages: list[Stage] = [(machine.channels, dram_cycles), (machine.lanes, lane_cycles)]
        stream = Stream(
            machine.clock,
            stages,
            latency_cycles=latency_cycles,
            label=label,
            moved_bytes=moves.read_bytes + moves.write_bytes,
            urgent=True,
        )
        yield from stream.run()
        return machine.clock.now - started

    @property
    def end_cycle(self) -> int:
        """When the last work and update were over. The clock may be later: a timer that nobody needs is let run."""
        ends = (run.ended_at for run in self.machine.updater.runs)
        return max(self.ended_at, *ends, 0) + self.machine.clock.skipped_cycles

    # Updates ---------------------------------------------------------------------------------------------------------

    def updates(self) -> tuple[UpdateTime, ...]:
        """What each update took, and what of it the step waited for."""
        times, since = [], self.ended_at
        for run in self.machine.updater.runs:
            update, reduction = run.exposed(since)
            if self.machine.recorder is not None:
                now = since + self.machine.clock.skipped_cycles
                self.machine.recorder.wait(run.work.operator, "update", now, now + update)
                self.machine.recorder.wait(run.work.operator, "reduction", now + update, now + update + reduction)
            since = max(since, run.ended_at)
            times.append(
                UpdateTime(
                    work=run.work,
                    update_cycles=run.update_cycles,
                    reduction_cycles=run.reduction_cycles,
                    dram_cycles=run.dram_cycles,
                    exposed_update=update,
                    exposed_reduction=reduction,
                )
            )
        return tuple(times)
