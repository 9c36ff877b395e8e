"""Designs side by side that differ in numbers only: an array over designs [S] for each number.

Designs of one table share everything else (dataflows, drain, memory model, number format, what vector work costs), so
that one formula serves them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..accel.dram import DramTiming
from ..accel.energy import EnergyModel
from ..accel.engines import Engines
from ..accel.specification import BYTES_OF, SIDES, Hardware
from ..accel.tensor_engine import ArrayTiming
from ..configs.arrays import FloatArray, IntArray
from .actions import IN_MEMORY, ON_ARRAY
from .design_view import DesignView
from .holding import Room
from .objective import BYTES_ALONE

_ON_ARRAY = ("rows", "cols", "mac_latency", "accumulate_latency", "register_depth")
_BESIDE = (
    *("west_port", "north_port", "output_port", "operand_port"),
    *("west_bytes", "north_bytes", "output_bytes", "tiles_held"),
)
_MEMORY = ("latency_cycles", "run_overhead_bytes", "burst_bytes", "bytes_per_cycle", "clocks_to_cycles")
_ENGINES = ("reduction_lanes", "update_lanes", "vector_lanes")
OF_ENERGY = (*dict.fromkeys((*ON_ARRAY, *IN_MEMORY)), "static_watts", "clock_hz")
"""The numbers of a design that the energy of a product depends on: prices of its actions, and power while it runs."""


def kind_of(hardware: Hardware) -> tuple[Any, ...]:
    """What two designs must have in common to stand in one table."""
    engine, vector, timing = hardware.tensor_engine, hardware.vector_engine, hardware.dram.timing
    memory = None if timing is None else (timing.model_dump_json(), hardware.dram.channels)
    return (
        engine.overlapped,
        engine.drain,
        engine.stationary_load,
        engine.spread_groups,
        engine.tile_overlap,
        engine.split_columns,
        engine.dataflows,
        engine.swap_operands,
        engine.compressed_west,
        engine.compressed_moving,
        engine.precision,
        engine.multiply_precision,
        engine.units,
        engine.share_from,
        # How many rows a kernel position fills depends on how many there are.
        engine.rows if engine.taps_apart else None,
        # How long lanes wait for each other depends on how many there are.
        None if engine.exploits.skips_none else (engine.exploits.model_dump_json(), engine.rows, engine.cols),
        hardware.buffers.shared_port_bytes_per_cycle is None,
        hardware.buffers.patch_expansion,
        hardware.buffers.zero_insertion,
        vector.fused,
        vector.fused_statistics,
        memory,
    )


def vector_prices_of(hardware: Hardware) -> tuple[Any, ...]:
    """What two designs must have in common for the vector work of a step to be the same on both."""
    prices = hardware.vector_engine.operations.items()
    return tuple((name, each.cycles_per_element, each.passes, each.reads) for name, each in prices)


@dataclass(frozen=True, kw_only=True)
class DesignTable:
    """Designs that share their kind, see ``kind_of``.

    Attributes:
        designs: the designs, [S].
        energy: prices of their actions, [S]; those of ``BYTES_ALONE`` when None.
    """

    designs: Sequence[Hardware]
    energy: EnergyModel | None = None
    _alike: dict[tuple[object, ...], tuple[IntArray, IntArray]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.designs)

    @property
    def first(self) -> Hardware:
        """Any of them: for what all share."""
        return self.designs[0]

    @property
    def shares_port(self) -> bool:
        """Whether the operands share a port on their way to the array."""
        return self.first.buffers.shared_port_bytes_per_cycle is not None

    @cached_property
    def memories(self) -> list[DramTiming]:
        """The memory of each."""
        known: dict[tuple[Any, ...], DramTiming] = {}
        found = []
        for hardware in self.designs:
            dram = hardware.dram
            key = (
                hardware.clock_hz,
                dram.channels,
                dram.channel_bytes_per_second,
                dram.efficiency,
                dram.latency_seconds,
                dram.run_overhead_bytes,
                dram.burst_bytes,
            )
            if key not in known:
                known[key] = DramTiming.of(hardware)
            found.append(known[key])
        return found

    @cached_property
    def numbers(self) -> dict[str, npt.NDArray[Any]]:
        """[S] of each number, by name."""
        columns: dict[str, list[Any]] = {name: [] for name in (*_ON_ARRAY, *_BESIDE, *_MEMORY, *_ENGINES)}
        for hardware, memory in zip(self.designs, self.memories, strict=True):
            for name in _ON_ARRAY:
                columns[name].append(getattr(hardware.tensor_engine, name))
            buffers = hardware.buffers
            for side, buffer in (("west", buffers.west), ("north", buffers.north), ("output", buffers.output)):
                columns[f"{side}_port"].append(buffer.port_bytes_per_cycle)
                columns[f"{side}_bytes"].append(buffer.capacity_bytes)
            columns["operand_port"].append(buffers.operand_port_bytes_per_cycle)
            columns["tiles_held"].append(buffers.tiles_held)
            for name in _MEMORY:
                columns[name].append(getattr(memory, name))
            columns["reduction_lanes"].append(hardware.reduction_engine.lanes)
            columns["update_lanes"].append(hardware.update_engine.lanes)
            columns["vector_lanes"].append(hardware.vector_engine.lanes)
        real = ("bytes_per_cycle", "clocks_to_cycles")
        counted = {
            name: np.array(values, dtype=np.float64 if name in real else np.int64) for name, values in columns.items()
        }
        prices = self.energy or BYTES_ALONE
        priced = {**prices.prices_pj, "static_watts": prices.static_watts, "clock_hz": self.clock_hz}
        whole = np.zeros(len(self))
        return counted | {name: whole + priced[name] for name in OF_ENERGY}

    def prices(self, index: IntArray) -> EnergyModel:
        """Prices of the actions of a product on designs, a design each."""
        return EnergyModel(
            prices_pj={name: self.numbers[name][index] for name in (*ON_ARRAY, *IN_MEMORY)},
            static_watts=self.numbers["static_watts"][index],
        )

    def room(self, index: IntArray) -> Room:
        """In the buffers of designs, [S]."""
        numbers = self.numbers
        return Room(
            tiles_held=numbers["tiles_held"][index],
            west_bytes=numbers["west_bytes"][index],
            north_bytes=numbers["north_bytes"][index],
            output_bytes=numbers["output_bytes"][index],
        )

    def largest_room(self, index: IntArray) -> Room:
        """Buffers that hold whatever those of any of some designs hold."""
        room = self.room(index)
        return Room(
            tiles_held=int(np.min(room.tiles_held)),
            west_bytes=int(np.max(room.west_bytes)),
            north_bytes=int(np.max(room.north_bytes)),
            output_bytes=int(np.max(room.output_bytes)),
        )

    @property
    def buffer_bytes(self) -> IntArray:
        """[S] capacity of all three buffers."""
        return np.asarray(sum(self.numbers[f"{side}_bytes"] for side in SIDES))

    @cached_property
    def clock_hz(self) -> FloatArray:
        """[S] of every engine."""
        return np.array([design.clock_hz for design in self.designs], dtype=np.float64)

    def engines(self, index: IntArray) -> Engines:
        """The shared resources of designs, [S]."""
        numbers = {name: values[index] for name, values in self.numbers.items()}
        return Engines(
            vector_lanes=numbers["vector_lanes"],
            update_lanes=numbers["update_lanes"],
            reduction_lanes=numbers["reduction_lanes"],
            memory=DramTiming(
                **{name: numbers[name] for name in _MEMORY},
                timed=self.memories[0].timed,
            ),
        )

    @property
    def peak_macs_per_cycle(self) -> IntArray:
        """[S] multiply-accumulates that the arrays can issue a cycle."""
        return np.asarray(self.numbers["rows"] * self.numbers["cols"] * self.first.tensor_engine.units)

    @property
    def value_bytes(self) -> int:
        """Bytes of an operand value."""
        return BYTES_OF[self.first.tensor_engine.precision]

    def distinct(self, *, reducing: bool, designs: IntArray | None = None) -> tuple[IntArray, IntArray]:
        """Designs that a mapping search tells apart: an index of each, and which of them every design is.

        Args:
            reducing: whether the product passes the reduction engine on its way in.
            designs: only these; all when None.
        """
        names = (*_ON_ARRAY, *_BESIDE, *_MEMORY, *OF_ENERGY, *(("reduction_lanes",) if reducing else ()))
        return self.alike(names, designs)

    def alike(
        self, names: Sequence[str], designs: IntArray | None = None, *beside: IntArray
    ) -> tuple[IntArray, IntArray]:
        """One design of each set that agrees in these numbers, and the set of every design.

        Args:
            names: of the numbers.
            designs: only these; all when None.
            beside: more numbers, one of each of these designs.
        """
        chosen = np.arange(len(self)) if designs is None else designs
        if len(chosen) == 1 or not (names or beside):
            return chosen[:1], np.zeros(len(chosen), dtype=np.int64)
        # Every product of a step asks, and most ask for the same.
        key = (*names, chosen.tobytes(), *(each.tobytes() for each in beside))
        if key not in self._alike:
            columns = np.stack([*(self.numbers[name][chosen].view(np.int64) for name in names), *beside], axis=1)
            _, index, which = np.unique(columns, axis=0, return_index=True, return_inverse=True)
            self._alike[key] = chosen[index], which.reshape(-1)
        return self._alike[key]

    def view(self, index: IntArray) -> DesignView:
        """Designs as rows of candidates, a design each."""
        numbers = {name: values[index] for name, values in self.numbers.items()}
        on_array = {name: numbers[name][:, None, None, None] for name in (*_ON_ARRAY, *_BESIDE[:4])}
        in_memory = {name: numbers[name][:, None, None] for name in (*_MEMORY[1:], "reduction_lanes")}
        engine = self.first.tensor_engine
        return DesignView(
            array=ArrayTiming(
                rows=on_array["rows"],
                cols=on_array["cols"],
                mac_latency=on_array["mac_latency"],
                accumulate_latency=on_array["accumulate_latency"],
                register_depth=on_array["register_depth"],
                overlapped=engine.overlapped,
                shifted_drain=engine.timing.shifted_drain,
                chained_load=engine.timing.chained_load,
                spread_groups=engine.spread_groups,
                tile_overlap=engine.tile_overlap,
            ),
            west_port_bytes=on_array["west_port"],
            north_port_bytes=on_array["north_port"],
            operand_port_bytes=on_array["operand_port"] if self.shares_port else None,
            output_port_bytes=on_array["output_port"],
            memory=DramTiming(
                bytes_per_cycle=in_memory["bytes_per_cycle"],
                latency_cycles=numbers["latency_cycles"],
                run_overhead_bytes=in_memory["run_overhead_bytes"],
                burst_bytes=in_memory["burst_bytes"],
                timed=self.memories[0].timed,
                clocks_to_cycles=in_memory["clocks_to_cycles"],
            ),
            reduction_lanes=in_memory["reduction_lanes"],
            vector_lanes=numbers["vector_lanes"],
            value_bytes=self.value_bytes,
            patch_expansion=self.first.buffers.patch_expansion,
            room=self.room(index),
        )
