"""The event engine: a schedule, run.

The tensor engine takes its works in the schedule's order, the vector engine its own; each begins when the works that it
needs are over: the one before it, or, where the schedule lets vector work run beside products, those that make what it
reads. Products run tile by tile, vector work as streams, updates in what time is left. Everybody contends for the same
channels and lanes. The result has the types of the analytic engine's. Modelled: contention, buffers that hold a few
tiles, who waits for what. Not modelled: events below a tile or chunk; products of neighbouring operators overlapping at
their ends.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import simpy

from ...accel.engines import TENSOR
from ...accel.specification import BYTES_OF
from ...accel.tensor_engine import Count
from ...dataflow.actions import merge
from ...dataflow.epilogue import Epilogue
from ...dataflow.product_cost import ProductCost
from ...dataflow.schedule import Schedule
from ...dataflow.works import PlannedProduct, Work
from ..step.step_time import StepTime, UpdateTime, WorkTime
from .clock import Process
from .machine import Machine, Play
from .product_figures import product_figures
from .recorder import Recorder
from .server import Rank
from .stream import Stream
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
    step = _Step(schedule, Machine(schedule, play, recorder), play)
    environment = step.machine.clock.environment
    environment.process(step.run())
    environment.run()
    found = StepTime(works=tuple(step.times), updates=step.updates())
    assert found.total_cycles == step.end_cycle, "every cycle of the step belongs to a work or an exposed update"
    return found


class _Step:
    """The queues of the tensor and the vector engine, and what they find."""

    def __init__(self, schedule: Schedule, machine: Machine, play: Play) -> None:
        self.machine = machine
        self._schedule = schedule
        self._waits_for = schedule.waits_for
        self._play = play
        self._times: dict[int, WorkTime] = {}
        self._over = [machine.clock.environment.event() for _ in schedule.works]
        self._known: dict[tuple[object, ...], tuple[TileProgram, ProductRun]] = {}
        self._bare: dict[tuple[object, ...], int] = {}
        self._tensor_cycles = 0
        """Cycles of the tensor engine's works that are over."""
        self._tensor_since: int | None = None
        """When its present work began."""
        self._tensor_over: int | None = None
        """When its last work was over."""
        self._ended_at = 0
        """simpy time at which the last work ended."""

    @property
    def times(self) -> list[WorkTime]:
        """What each work took, in the schedule's order."""
        return [self._times[index] for index in range(len(self._schedule.works))]

    def run(self) -> Process:
        """Both queues; then whatever updates are left run alone."""
        environment = self.machine.clock.environment
        tensor, vector = environment.process(self._tensor_queue()), environment.process(self._vector_queue())
        yield tensor
        yield vector
        self._ended_at = int(environment.now)
        self.machine.updater.all_done()

    # Queues ----------------------------------------------------------------------------------------------------------

    def _tensor_queue(self) -> Process:
        clock, recorder = self.machine.clock, self.machine.recorder
        free_since = 0
        for index, work in enumerate(self._schedule.works):
            if work.engine != TENSOR:
                continue
            yield from self._wait_for(index)
            started = clock.now
            if recorder is not None and started > free_since:
                recorder.wait(work.operator, "dependence", free_since, started)
            self._tensor_since = started
            self._times[index] = yield from self._tensor(work)
            self._tensor_cycles += clock.now - started
            self._tensor_since, free_since = None, clock.now
            self._end(index, work, started)
        yield from self._idle(free_since)

    def _idle(self, since: int) -> Process:
        """Nothing left for the array: vector work ends the step without it."""
        self._tensor_over = since
        for index, work in enumerate(self._schedule.works):
            if work.engine != TENSOR and not self._over[index].triggered:
                yield self._over[index]
        if self.machine.recorder is not None:
            self.machine.recorder.wait("", "idle", since, self.machine.clock.now)

    def _vector_queue(self) -> Process:
        clock = self.machine.clock
        for index, work in enumerate(self._schedule.works):
            if work.engine == TENSOR:
                continue
            yield from self._wait_for(index)
            started, beside = clock.now, self._tensor_busy
            time = yield from self._vector(index, work)
            cycles = clock.now - started - (self._tensor_busy - beside)
            last_product = clock.now if self._tensor_over is None else self._tensor_over
            idle = clock.now - max(started, min(last_product, clock.now))
            self._times[index] = replace(
                time,
                cycles=cycles,
                causes={"dependence": cycles - idle, "idle": idle},
                hidden_cycles=max(time.cycles - cycles, 0),
            )
            self._end(index, work, started)

    @property
    def _tensor_busy(self) -> int:
        """Cycles that the tensor engine has had works for."""
        present = 0 if self._tensor_since is None else self.machine.clock.now - self._tensor_since
        return self._tensor_cycles + present

    def _wait_for(self, index: int) -> Process:
        for earlier in self._waits_for[index]:
            if not self._over[earlier].triggered:
                yield self._over[earlier]

    def _end(self, index: int, work: Work, started: int) -> None:
        if self.machine.recorder is not None:
            self.machine.recorder.operator(work.operator, work.counts_as, started, self.machine.clock.now)
        if self._schedule.overlap_update:
            self.machine.updater.work_done(index)
        self._over[index].succeed()

    # Works -----------------------------------------------------------------------------------------------------------

    def _tensor(self, work: Work) -> Generator[simpy.Event, Any, WorkTime]:
        epilogue = work.epilogue(BYTES_OF[self.machine.hardware.tensor_engine.precision])
        costs: list[ProductCost] = []
        for product in work.products:
            program, run = yield from self._product(product, epilogue)
            costs.append(product_figures(program, run))
        busy = self.machine.engines.busy_cycles(work.demand())
        if not costs:
            return (yield from self._zero_fill(work, busy))
        return WorkTime(
            work=work,
            cycles=sum(cost.cycles for cost in costs),
            causes=merge(*(cost.causes for cost in costs)),
            busy={"vector": busy["vector"], "dram": sum(cost.dram_cycles for cost in costs)},
            costs=tuple(costs),
            product_cycles=sum(map(self._bare_cycles, work.products)),
        )

    def _zero_fill(self, work: Work, busy: dict[str, Count]) -> Generator[simpy.Event, Any, WorkTime]:
        """Every result element is zero: only its fill takes time."""
        machine = self.machine
        started = machine.clock.now
        yield from self._stream(work, busy, latency_cycles=0, rank=Rank.TILE).run()
        cycles, cause = machine.clock.now - started, "dependence" if busy["vector"] >= busy["dram"] else "output"
        if machine.recorder is not None:
            machine.recorder.wait(work.operator, cause, started, machine.clock.now)
        return WorkTime(work=work, cycles=cycles, causes={cause: cycles}, busy=busy)

    def _bare_cycles(self, product: PlannedProduct) -> int:
        """What a product takes with nothing riding on its results, played on a machine of its own."""
        key = (product.gemm.shape_key, product.mapping)
        if key not in self._bare:
            machine = Machine(replace(self._schedule, works=(), updates=()), self._play)
            program = TileProgram(gemm=product.gemm, hardware=machine.hardware, mapping=product.mapping)
            sequencer = Sequencer(machine, program, product.gemm.name)
            machine.clock.environment.run(machine.clock.environment.process(sequencer.run()))
            self._bare[key] = sequencer.found.cycles
        return self._bare[key]

    def _product(
        self, product: PlannedProduct, epilogue: Epilogue
    ) -> Generator[simpy.Event, Any, tuple[TileProgram, ProductRun]]:
        """Run a product; one that meets the machine at rest as an equal one did before takes what that one took."""
        machine = self.machine
        # Whoever was woken when the last work ended begins first.
        yield machine.clock.wait(0)
        at_rest = machine.fast_forward and machine.recorder is None and machine.at_rest
        key = (product.gemm.shape_key, product.mapping, epilogue)
        if at_rest and key in self._known:
            program, run = self._known[key]
            machine.clock.skipped_cycles += run.cycles
            return program, run
        program = TileProgram(gemm=product.gemm, hardware=machine.hardware, mapping=product.mapping, epilogue=epilogue)
        run = yield from Sequencer(machine, program, product.gemm.name).run()
        if at_rest:
            self._known[key] = program, run
        return program, run

    def _vector(self, index: int, work: Work) -> Generator[simpy.Event, Any, WorkTime]:
        """Run vector work; gives what it takes alone."""
        machine = self.machine
        busy = machine.engines.busy_cycles(work.demand())
        latency = int(machine.engines.memory.latency_cycles) if busy["dram"] else 0
        stream = self._stream(work, busy, latency_cycles=latency, rank=Rank.STREAM)
        machine.vector_work = index, stream
        yield from stream.run()
        machine.vector_work = None
        slowest = max(busy["vector"], busy["reduction"], busy["dram"])
        return WorkTime(work=work, cycles=latency + slowest, causes={}, busy=busy)

    def _stream(self, work: Work, busy: dict[str, Count], *, latency_cycles: int, rank: Rank) -> Stream:
        """A stream through DRAM and the vector lanes, and through the sorters where it has work for them."""
        machine, demand = self.machine, work.demand()
        sorted_by = [(machine.sorters, int(busy["reduction"]))] if demand.reductions else []
        return Stream(
            machine.clock,
            [(machine.channels, int(busy["dram"])), (machine.lanes, int(busy["vector"])), *sorted_by],
            latency_cycles=latency_cycles,
            label=work.operator,
            moved_bytes=int(demand.read_bytes + demand.write_bytes),
            rank=rank,
        )

    # Updates ---------------------------------------------------------------------------------------------------------

    @property
    def end_cycle(self) -> int:
        """When the last work and update were over. The clock may be later: a timer that nobody needs is let run."""
        ends = (run.ended_at for run in self.machine.updater.runs)
        return max(self._ended_at, *ends, 0) + self.machine.clock.skipped_cycles

    def updates(self) -> tuple[UpdateTime, ...]:
        """What each update took, and what of it the step waited for."""
        times, since = {}, self._ended_at
        for run in self.machine.updater.order:
            update, reduction = run.exposed(since)
            if self.machine.recorder is not None:
                now = since + self.machine.clock.skipped_cycles
                self.machine.recorder.wait(run.work.operator, "update", now, now + update)
                self.machine.recorder.wait(run.work.operator, "reduction", now + update, now + update + reduction)
            since = max(since, run.ended_at)
            times[run] = UpdateTime(
                work=run.work,
                busy=run.busy,
                exposed_update=update,
                exposed_reduction=reduction,
            )
        return tuple(times[run] for run in self.machine.updater.runs)
