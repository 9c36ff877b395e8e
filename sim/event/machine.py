"""The machine: DRAM channels, DMA, reduction, update and vector engines, and the state that they are in."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from ...accel.engines import Engines
from ...dataflow.schedule import Schedule
from .clock import Clock
from .dma import TileDma
from .fast_forward import Jump
from .recorder import Recorder
from .server import PATIENT, Channels, Rank, Server
from .stream import Stream
from .updates import Updater


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """How a step is played. None of it changes a result; the tests hold that.

    Attributes:
        fast_forward: count repetitions instead of playing them.
        channels_apart: play every DRAM channel by itself, although all are asked alike.
    """

    fast_forward: bool = True
    channels_apart: bool = False


class Machine:
    """Engines with their queues, and the clock that they share.

    Args:
        schedule: the step that it will run.
        play: how.
        recorder: of the timeline, or None.
    """

    def __init__(self, schedule: Schedule, play: Play, recorder: Recorder | None = None) -> None:
        hardware = schedule.hardware
        watch = recorder.serve if recorder is not None else None
        self.hardware = hardware
        self.fast_forward = play.fast_forward
        self.recorder = recorder
        self.engines = Engines.of(hardware)
        self.clock = Clock()
        self.channels = Channels(self.clock, hardware.dram.channels, apart=play.channels_apart, watch=watch)
        self.sorters = Server(self.clock, "reduction engine", watch)
        self.lanes = Server(self.clock, "vector engine", watch)
        self.update_engine = Server(self.clock, "update engine", watch)
        self.vector_work: tuple[int, Stream] | None = None
        """The vector work under way, by its index in the schedule."""
        self.load_lanes = Server(self.clock, "load lanes", watch)
        self.dma = TileDma(
            self.clock,
            self.channels,
            self.sorters,
            self.lanes,
            self.load_lanes,
            int(self.engines.memory.latency_cycles),
        )
        self.updater = Updater(
            self.clock,
            self.engines,
            self.channels,
            self.update_engine,
            self.sorters,
            works=schedule.updates,
        )

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every engine with a queue."""
        return (*self.channels.servers, self.sorters, self.lanes, self.load_lanes, self.update_engine)

    @property
    def patient_left_cycles(self) -> tuple[int, ...]:
        """What patient work under way still needs, server by server and rank by rank."""
        return tuple(left for server in self.servers for left in server.patient_left_cycles)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way beside the tensor engine, and nothing can begin before its next work is over."""
        return self.vector_work is None and not self.updater.busy

    def state(self) -> Hashable:
        """All that its future depends on, relative to now, but for ``patient_left_cycles``."""
        queues = tuple(server.state for server in self.servers)
        # Which work it is belongs to the state: the next one in the same phase is not the same.
        vector = (self.vector_work[0], *self.vector_work[1].state) if self.vector_work is not None else ()
        return queues, self.dma.commands, vector, self.updater.state

    def served(self, jump: Jump) -> Iterator[tuple[Server, Rank, int]]:
        """What patient work was served in repetitions that are not played."""
        places = ((server, rank) for server in self.servers for rank in PATIENT)
        for (server, rank), cycles in zip(places, jump.served, strict=True):
            yield server, rank, cycles

    def skip(self, jump: Jump) -> int:
        """Be where the machine would be after repetitions that are not played.

        Returns:
            The bytes that patient work moved in them, over all channels.
        """
        moved = sum(server.advance(rank, cycles) for server, rank, cycles in self.served(jump) if cycles)
        self.clock.skipped_cycles += jump.cycles
        return moved
