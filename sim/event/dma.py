"""The DMA of the tensor engine: one command queue, block after block, loads and stores in the order in which they come.

A block that passes the reduction engine or the load lanes occupies the queue until DRAM and these are done with it.
What a load brings can be used a memory latency after its last byte left DRAM; a store is over when DRAM has it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import simpy

from .clock import Clock, Process
from .server import Channels, Server
from .tile_program import Load, Store


@dataclass(slots=True, kw_only=True)
class LoadCommand:
    """Blocks of one tile on their way in.

    Attributes:
        loads: the blocks.
        label: for the timeline.
        done: comes when the last one has left DRAM.
        usable_at: simpy time at which each block can be used, as far as it is known.
    """

    loads: tuple[Load, ...]
    label: str
    done: simpy.Event
    usable_at: dict[str, int] = field(default_factory=dict)

    @property
    def ready_at(self) -> int:
        """Time at which all that is known to come can be used."""
        return max(self.usable_at.values(), default=0)


@dataclass(slots=True, kw_only=True)
class StoreCommand:
    """A block of C on its way out.

    Attributes:
        store: the block.
        label: for the timeline.
        stored: comes when DRAM has it, with that time as value.
        released: comes when the vector lanes are done with it, with that time as value.
    """

    store: Store
    label: str
    stored: simpy.Event
    released: simpy.Event


class TileDma:
    """Runs the commands of the tensor engine's sequencer.

    Args:
        clock: of the machine.
        channels: DRAM.
        sorters: the reduction engine.
        lanes: the vector engine.
        load_lanes: before the buffers.
        latency_cycles: of a DRAM request.
    """

    def __init__(
        self,
        clock: Clock,
        channels: Channels,
        sorters: Server,
        lanes: Server,
        load_lanes: Server,
        latency_cycles: int,
    ) -> None:
        self._clock = clock
        self._channels = channels
        self._sorters = sorters
        self._lanes = lanes
        self._load_lanes = load_lanes
        self._latency_cycles = latency_cycles
        self._queue: deque[LoadCommand | StoreCommand] = deque()
        self._woken: simpy.Event | None = None
        clock.environment.process(self._run())

    @property
    def commands(self) -> int:
        """Commands that are not over."""
        return len(self._queue)

    def load(self, loads: tuple[Load, ...], label: str) -> LoadCommand:
        """Queue the loads of a tile."""
        command = LoadCommand(loads=loads, label=label, done=self._clock.environment.event())
        self._put(command)
        return command

    def store(self, store: Store, label: str) -> StoreCommand:
        """Queue a store; the lanes begin with the block at once."""
        command = StoreCommand(
            store=store,
            label=label,
            stored=self._clock.environment.event(),
            released=self._lanes.serve(store.lane_cycles, label=label),
        )
        self._put(command)
        return command

    def _put(self, command: LoadCommand | StoreCommand) -> None:
        self._queue.append(command)
        if self._woken is not None:
            self._woken.succeed()
            self._woken = None

    def _run(self) -> Process:
        while True:
            if not self._queue:
                self._woken = self._clock.environment.event()
                yield self._woken
            command = self._queue[0]
            if isinstance(command, LoadCommand):
                yield from self._load(command)
            else:
                store = command.store
                yield self._channels.serve(
                    store.dram_cycles, label=f"{command.label} store", moved_bytes=store.moved_bytes
                )
                command.stored.succeed(self._clock.environment.now)
            self._queue.popleft()

    def _load(self, command: LoadCommand) -> Process:
        for load in command.loads:
            label = f"{command.label} {load.what}"
            fetched = self._channels.serve(load.dram_cycles, label=label, moved_bytes=load.moved_bytes)
            sorted_ = self._sorters.serve(load.sort_cycles, label=label) if load.sort_cycles else None
            applied = self._load_lanes.serve(load.lane_cycles, label=label) if load.lane_cycles else None
            yield fetched
            if sorted_ is not None:
                yield sorted_
            if applied is not None:
                yield applied
            command.usable_at[load.what] = int(self._clock.environment.now) + self._latency_cycles
        command.done.succeed()
