"""One mapped product as the machine runs it: tile after tile, what each loads, computes and stores.

The loop nest is walked by position: a block that differs from the one before is loaded, the block of C that the next
tile leaves is stored. What a block holds comes from ``sim.event.tile_walk``; how long the array works on a tile from
``accel``. Tiles that ask the same share one object, so that a product of a million tiles is a few of them, each many
times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from ...accel.specification import BYTES_OF, Hardware
from ...dataflow.epilogue import NO_EPILOGUE, Epilogue
from ...dataflow.gemm import SUM_BYTES, Gemm, Operand
from ...dataflow.mapping import Mapping
from .block import Block
from .tile_compute import ArrayPass
from .tile_walk import TileWalk


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A block on its way in.

    Attributes:
        what: operand ``a`` or ``b``, or ``sums``: partial sums read back.
        dram_cycles: that every channel is busy with it.
        moved_bytes: over the memory's pins.
        sort_cycles: of the reduction engine, for an operand that passes it.
        lane_cycles: of the load lanes, for an operand that is normalised on its way in.
    """

    what: Literal["a", "b", "sums"]
    dram_cycles: int
    moved_bytes: int
    sort_cycles: int = 0
    lane_cycles: int = 0

    @property
    def sorting_limits(self) -> bool:
        """Whether the reduction engine sets its pace."""
        return self.sort_cycles > 0 and self.sort_cycles >= self.dram_cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A block of C on its way out.

    Attributes:
        dram_cycles: that every channel is busy with it, fused operators' bytes included.
        lane_cycles: of the vector lanes on it.
        moved_bytes: over the memory's pins, fused operators' included.
    """

    dram_cycles: int
    lane_cycles: int
    moved_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """What a tile asks of the machine. Tiles that ask the same are the same object.

    Attributes:
        cycles: from its first operand entering the array to its last sum out of it, ports included; or to the next
            tile's first operand, where tiles overlap.
        on_array: where they go, and what passes the ports.
        loads: in the order in which DMA fetches them.
        store: of the block of C that the next tile leaves behind, or None.
        filled_bytes: into the buffer of each operand.
        read_bytes: from DRAM.
        write_bytes: to DRAM, without fused operators.
        partial_sum_bytes: of those written, unfinished ones.
        reduced_elements: that pass the reduction engine on their way in.
        applied_elements: of each operand, that pass the load lanes.
        dram_cycles: that every channel is busy for it.
    """

    cycles: int
    on_array: ArrayPass
    loads: tuple[Load, ...]
    store: Store | None
    filled_bytes: dict[Operand, int]
    read_bytes: int
    write_bytes: int
    partial_sum_bytes: int
    reduced_elements: int
    applied_elements: dict[Operand, int]
    dram_cycles: int

    @property
    def sort_cycles(self) -> int:
        """Cycles of the reduction engine on what is loaded for it."""
        return sum(load.sort_cycles for load in self.loads)

    @property
    def load_lane_cycles(self) -> int:
        """Cycles of the load lanes on what is loaded for it."""
        return sum(load.lane_cycles for load in self.loads)


_NEIGHBOURS = 16
"""Positions whose place and tile are remembered: each is asked for several times within a few tiles."""


class _Place(NamedTuple):
    repeat: int
    m: int
    n: int
    k: int


@dataclass(frozen=True, kw_only=True)
class TileProgram:
    """The tiles of one product, all repetitions, by position.

    Attributes:
        gemm: the product.
        hardware: the design.
        mapping: how it is mapped.
        epilogue: what is done with its results on their way out.
    """

    gemm: Gemm
    hardware: Hardware
    mapping: Mapping
    epilogue: Epilogue = NO_EPILOGUE

    @cached_property
    def walk(self) -> TileWalk:
        """What blocks hold."""
        mapping = self.mapping
        return TileWalk(
            gemm=self.gemm,
            hardware=self.hardware,
            tile_m=mapping.tile_m,
            tile_n=mapping.tile_n,
            tile_k=mapping.tile_k,
            order=mapping.order,
            west=mapping.array.west,
        )

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Of each loop, outermost first: turns over full tiles, and over short ones after them."""
        sizes = {"m": self.walk.sizes_m, "n": self.walk.sizes_n, "k": self.walk.sizes_k}
        fulls = {axis: each.count(each[0]) for axis, each in sizes.items()}
        return ((self.gemm.count, 0), *((fulls[axis], len(sizes[axis]) - fulls[axis]) for axis in self.mapping.order))

    @cached_property
    def trips(self) -> tuple[int, int, int, int]:
        """Turns of each loop, outermost first: repetitions, then the three block loops."""
        turns = {"m": len(self.walk.sizes_m), "n": len(self.walk.sizes_n), "k": len(self.walk.sizes_k)}
        first, second, third = (turns[axis] for axis in self.mapping.order)
        return self.gemm.count, first, second, third

    def __len__(self) -> int:
        return math.prod(self.trips)

    # Positions -------------------------------------------------------------------------------------------------------

    @cached_property
    def _place(self) -> Callable[[int], _Place]:
        _, first, second, third = self.trips
        m, n, k = (self.mapping.order.index(axis) for axis in "mnk")

        @lru_cache(_NEIGHBOURS)
        def place(index: int) -> _Place:
            index, inner = divmod(index, third)
            index, middle = divmod(index, second)
            repeat, outer = divmod(index, first)
            turns = outer, middle, inner
            return _Place(repeat=repeat, m=turns[m], n=turns[n], k=turns[k])

        return place

    @cached_property
    def _known(self) -> dict[tuple[int, ...], Tile]:
        return {}

    @cached_property
    def tile(self) -> Callable[[int], Tile]:
        """Gives the tile at a position."""
        return lru_cache(_NEIGHBOURS)(self._tile_at)

    def _tile_at(self, index: int) -> Tile:
        here = self._place(index)
        before = self._place(index - 1) if index else None
        after = self._place(index + 1) if index + 1 < len(self) else None
        walk, kept = self.walk, self.walk.kept
        last_k = here.k + 1 == len(walk.sizes_k)
        fresh = before is None or before.repeat != here.repeat
        # What is kept comes in on the first turn of the loop that it does not depend on, and its sums leave finished.
        loads_a = here.n == 0 if "a" in kept else fresh or before is None or (before.m, before.k) != (here.m, here.k)
        loads_b = here.m == 0 if "b" in kept else fresh or before is None or (before.k, before.n) != (here.k, here.n)
        new_c = fresh or before is None or (before.m, before.n) != (here.m, here.n)
        moves_on = after is None or (after.repeat, after.m, after.n) != (here.repeat, here.m, here.n)
        leaves = last_k if "c" in kept else moves_on
        reads_sums = new_c and here.k > 0 and "c" not in kept
        sizes = walk.sizes_m[here.m], walk.sizes_n[here.n], walk.sizes_k[here.k]
        following = (after.m, after.n, after.k) if after and self.hardware.tensor_engine.tile_overlap else None
        next_sizes = (
            (walk.sizes_m[following[0]], walk.sizes_n[following[1]], walk.sizes_k[following[2]]) if following else ()
        )
        key = (*sizes, last_k, here.k > 0, loads_a, loads_b, reads_sums, leaves, *next_sizes)
        if key not in self._known:
            array = self.mapping.array
            self._known[key] = self._tile(
                here,
                ArrayPass.of(walk, array, at=(here.m, here.n, here.k), following=following),
                loads_a=loads_a,
                loads_b=loads_b,
                reads_sums=reads_sums,
                leaves=leaves,
                finished=last_k,
            )
        return self._known[key]

    # Tiles -----------------------------------------------------------------------------------------------------------

    def _tile(
        self,
        here: _Place,
        on_array: ArrayPass,
        *,
        loads_a: bool,
        loads_b: bool,
        reads_sums: bool,
        leaves: bool,
        finished: bool,
    ) -> Tile:
        walk = self.walk
        a, b = walk.a_block(here.m, here.k), walk.b_block(here.k, here.n)
        sums = walk.c_block(here.m, here.n, SUM_BYTES, write=False)
        result = walk.c_block(here.m, here.n, walk.result_element_bytes if finished else SUM_BYTES, write=True)
        blocks = {"a": (loads_a, a), "b": (loads_b, b), "sums": (reads_sums, sums)}
        moved = {what: block for what, (moves, block) in blocks.items() if moves}
        loads = tuple(
            Load(
                what=what,  # type: ignore[arg-type]
                dram_cycles=block.dram_cycles,
                moved_bytes=block.moved_bytes,
                sort_cycles=block.sort_cycles,
                lane_cycles=self._load_lane_cycles(what, block),
            )
            for what, block in moved.items()
            if block.dram_cycles or block.sort_cycles or self._load_lane_cycles(what, block)
        )
        here_stays = finished and "c" in self.gemm.on_chip
        store = self._store(here, result, finished=finished) if leaves else None
        return Tile(
            cycles=on_array.cycles,
            on_array=on_array,
            loads=loads,
            store=store,
            filled_bytes={"a": a.held_bytes if loads_a else 0, "b": b.held_bytes if loads_b else 0},
            read_bytes=sum(block.moved_bytes for block in moved.values()),
            write_bytes=result.moved_bytes if leaves and not here_stays else 0,
            partial_sum_bytes=result.moved_bytes if leaves and not finished else 0,
            reduced_elements=sum(block.reduced_elements for block in moved.values()),
            applied_elements={
                "a": self._applied("a", a) if loads_a else 0,
                "b": self._applied("b", b) if loads_b else 0,
            },
            dram_cycles=sum(load.dram_cycles for load in loads) + (store.dram_cycles if store else 0),
        )

    def _applied(self, what: str, block: Block) -> int:
        """Elements of a block that are normalised on their way in; it is held as it lies in memory, zeros around it."""
        if not self._each_applied(what):
            return 0
        blocks = self.gemm.packed if what == self.gemm.diagonal else 1
        return block.held_bytes // BYTES_OF[self.hardware.tensor_engine.precision] // blocks

    def _each_applied(self, what: str) -> float:
        """Lane cycles an element of an operand."""
        return {"a": self.gemm.applied[0], "b": self.gemm.applied[1]}.get(what, 0.0)

    def _load_lane_cycles(self, what: str, block: Block) -> int:
        elements = self._applied(what, block)
        return (
            math.ceil(self._each_applied(what) * elements / self.hardware.vector_engine.load_lanes) if elements else 0
        )

    def held_bytes(self, tiles: Iterable[int]) -> dict[str, int]:
        """What the buffers hold by side while these tiles are worked on or come: each block once, all that is kept."""
        walk, places = self.walk, [self._place(index) for index in tiles]
        blocks = {
            "a": {(here.repeat, here.m, here.k): walk.a_block(here.m, here.k).held_bytes for here in places},
            "b": {(here.repeat, here.k, here.n): walk.b_block(here.k, here.n).held_bytes for here in places},
            "c": {
                (here.repeat, here.m, here.n): SUM_BYTES * walk.sizes_m[here.m] * walk.sizes_n[here.n]
                for here in places
            },
        }
        turns = {"a": len(walk.sizes_n), "b": len(walk.sizes_m), "c": len(walk.sizes_k)}
        held = {
            what: walk.needed_bytes(what) if what in walk.kept and turns[what] > 1 else sum(each.values())
            for what, each in blocks.items()
        }
        west = self.mapping.array.west
        return {"west": held[west], "north": held["b" if west == "a" else "a"], "output": held["c"]}

    def _store(self, here: _Place, block: Block, *, finished: bool) -> Store:
        """Fused operators take their share of a finished block's way out."""
        if not finished:
            return Store(dram_cycles=block.dram_cycles, lane_cycles=0, moved_bytes=block.moved_bytes)
        if self.epilogue == NO_EPILOGUE:
            if "c" in self.gemm.on_chip:
                return Store(dram_cycles=0, lane_cycles=0, moved_bytes=0)
            return Store(dram_cycles=block.dram_cycles, lane_cycles=0, moved_bytes=block.moved_bytes)
        elements = self.walk.asked_for(self.walk.sizes_m[here.m] * self.walk.sizes_n[here.n])
        return Store(
            dram_cycles=self.epilogue.store_cycles(block.dram_cycles),
            lane_cycles=int(self.epilogue.lane_cycles(self.hardware.vector_engine.lanes, elements)),
            moved_bytes=self.epilogue.store_cycles(block.moved_bytes),
        )
