"""The tensor engine's sequencer: it runs a product tile by tile and knows, cycle by cycle, what it waits for.

Each buffer holds ``tiles_held`` tiles (two: double buffering). When a tile begins, DMA is told to load the tile that
can then be held, and to store what the tile before left; a tile begins when the one before it has ended, its own blocks
are there, and the results that last filled its share of the output buffer have left. Source: docs/hardware-model.md,
"Time of a product".
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import simpy

from ...accel.specification import SIDES
from ...dataflow.cycle_causes import BETWEEN_TILES
from ...dataflow.gemm import Operand
from .clock import Process
from .dma import LoadCommand, StoreCommand
from .fast_forward import FastForward, Jump, Snapshot
from .machine import Machine
from .recorder import Recorder
from .tile_program import Load, Tile, TileProgram


@dataclass(slots=True, kw_only=True)
class ProductRun:
    """What running a product found.

    Attributes:
        cycles: from the first request to the last store.
        tiles: how often each tile was run.
        waits: cycles that the array waited, by cause.
    """

    cycles: int = 0
    tiles: Counter[Tile] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)

    @property
    def causes(self) -> dict[str, int]:
        """All cycles by cause."""
        causes = Counter(self.waits)
        for tile, times in self.tiles.items():
            for cause, cycles in tile.on_array.causes.items():
                causes[cause] += times * cycles
        return dict(causes)


ProductProcess = Generator[simpy.Event, Any, ProductRun]


class Sequencer:
    """Runs one product on a machine.

    Args:
        machine: whose engines it uses.
        program: the product.
        name: for the timeline.

    Attributes:
        found: what running it has found so far.
    """

    def __init__(self, machine: Machine, program: TileProgram, name: str) -> None:
        self._machine = machine
        self._clock = machine.clock
        self._program = program
        self._name = name
        self._held = program.hardware.buffers.tiles_held
        self._west: Operand = program.mapping.array.west
        self.found = ProductRun(waits=Counter(dict.fromkeys(BETWEEN_TILES, 0)))
        self._loops = FastForward(program.runs, self._held - 1) if machine.fast_forward else None
        self._coming: deque[LoadCommand] = deque()
        self._leaving: deque[tuple[int, StoreCommand]] = deque()

    def run(self) -> ProductProcess:
        """The process; it returns what it found."""
        program, started = self._program, self._clock.now
        tiles, ahead = len(program), self._held - 1
        for index in range(min(ahead, tiles)):
            self._fetch(index)
        yield from self._wait_for(self._coming[0], ())
        index = 0
        while index < tiles:
            index += self._skip(index)
            tile = program.tile(index)
            self.found.tiles[tile] += 1
            self._coming.popleft()
            if index + ahead < tiles:
                self._fetch(index + ahead)
            if index:
                self._send(index - 1)
            self._record_held(index)
            yield self._clock.wait(tile.cycles)
            if self._machine.recorder is not None:
                now = self._clock.now
                self._machine.recorder.tile(f"{self._name} tile {index}", now - tile.cycles, now, tile.on_array.causes)
            yield from self._wait_for(self._coming[0] if self._coming else None, self._due(index + 1 - self._held))
            index += 1
        self._send(tiles - 1)
        yield from self._wait_for(None, self._due(tiles - 1))
        self.found.cycles = self._clock.now - started
        if self._machine.recorder is not None:
            self._machine.recorder.hold(self._clock.now, 0, 0, 0)
        return self.found

    # Commands --------------------------------------------------------------------------------------------------------

    def _fetch(self, index: int) -> None:
        self._coming.append(self._machine.dma.load(self._program.tile(index).loads, self._name))

    def _send(self, index: int) -> None:
        store = self._program.tile(index).store
        if store is not None:
            self._leaving.append((index, self._machine.dma.store(store, self._name)))

    def _due(self, index: int) -> list[StoreCommand]:
        """Stores of tiles up to this one: their share of the output buffer is needed now."""
        due = []
        while self._leaving and self._leaving[0][0] <= index:
            due.append(self._leaving.popleft()[1])
        return due

    # Waiting ---------------------------------------------------------------------------------------------------------

    def _wait_for(self, load: LoadCommand | None, stores: Iterable[StoreCommand]) -> Process:
        """Wait until all hold, and book every cycle of it to the first condition that did not."""
        environment = self._clock.environment
        since = int(environment.now)
        moments = dict.fromkeys(BETWEEN_TILES, 0)
        for command in stores:
            moments["output"] = max(moments["output"], int((yield command.stored)))
            moments["dependence"] = max(moments["dependence"], int((yield command.released)))
        if load is not None and load.loads:
            yield load.done
            if load.ready_at > environment.now:
                yield self._clock.wait(load.ready_at - int(environment.now))
            for block in load.loads:
                cause = self._cause_of(block)
                moments[cause] = max(moments[cause], load.usable_at[block.what])
                if block.sorting_limits:
                    moments["reduction"] = load.usable_at[block.what]
        assert max(since, *moments.values()) == environment.now, "whatever is waited for has its moment"
        for cause, moment in moments.items():
            if moment > since:
                self.found.waits[cause] += moment - since
                if self._machine.recorder is not None:
                    skipped = self._clock.skipped_cycles
                    self._machine.recorder.wait(self._name, cause, since + skipped, moment + skipped)
                since = moment

    def _cause_of(self, block: Load) -> str:
        if block.what == "sums":
            return "output"
        return "west" if block.what == self._west else "north"

    def _record_held(self, index: int) -> None:
        """The room that the tile that begins and those that are coming take."""
        if self._machine.recorder is not None:
            held = self._program.held_bytes(range(index, index + len(self._coming) + 1))
            self._machine.recorder.hold(self._clock.now, *(held[side] for side in SIDES))

    # Repetition ------------------------------------------------------------------------------------------------------

    def _skip(self, index: int) -> int:
        """Tiles from here on that need not be played."""
        if self._loops is None or not self._loops.begins_iteration(index):
            return 0
        machine, run = self._machine, self.found
        snapshot = Snapshot(
            state=(self._state(index), machine.state()),
            left=machine.patient_left_cycles,
            counts=(*run.waits.values(), *run.tiles.values()),
            now=self._clock.now,
        )
        jump = self._loops.jump(index, snapshot)
        if jump is None:
            return 0
        more = iter(jump.counts)
        skipped = ProductRun(
            cycles=jump.cycles,
            waits=Counter({cause: next(more) for cause in run.waits}),
            tiles=Counter({tile: next(more) for tile in run.tiles}),
        )
        run.waits.update(skipped.waits)
        run.tiles.update(skipped.tiles)
        began = self._clock.now
        moved = machine.skip(jump)
        if machine.recorder is not None:
            self._record_skipped(machine.recorder, began, jump, skipped, moved)
        self._leaving = deque((number + jump.tiles, command) for number, command in self._leaving)
        return jump.tiles

    def _record_skipped(
        self, recorder: Recorder, began: int, jump: Jump, skipped: ProductRun, patient_bytes: int
    ) -> None:
        machine = self._machine
        busy: Counter[str] = Counter()
        for server, _, cycles in machine.served(jump):
            busy[server.name] += cycles
        moved = patient_bytes
        for tile, times in skipped.tiles.items():
            for server in machine.channels.servers:
                busy[server.name] += times * tile.dram_cycles
            busy[machine.sorters.name] += times * tile.sort_cycles
            if tile.load_lane_cycles:
                busy[machine.load_lanes.name] += times * tile.load_lane_cycles
            busy[machine.lanes.name] += times * (tile.store.lane_cycles if tile.store else 0)
            moved += times * sum(block.moved_bytes for block in (*tile.loads, tile.store) if block is not None)
        recorder.repeat(
            self._name,
            began,
            began + jump.cycles,
            times=jump.repetitions,
            tiles=jump.tiles,
            shares=skipped.causes | busy,
            moved_bytes=moved,
        )

    def _state(self, index: int) -> Hashable:
        """What is under way of this product, relative to now and to the tile that begins."""
        now = int(self._clock.environment.now)
        coming = tuple(
            tuple((what, max(moment - now, 0)) for what, moment in command.usable_at.items())
            for command in self._coming
        )
        leaving = tuple(
            (number - index, command.stored.triggered, command.released.triggered) for number, command in self._leaving
        )
        return coming, leaving
