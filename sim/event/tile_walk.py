"""One mapped product walked tile by tile: every block, byte and cycle of DRAM by brute force, from the written model.

The witness for the closed forms of ``dataflow``: plain integers, one tile at a time, nothing shared with them but the
types that name a product and a design. What a tile holds is found by listing its positions, channels and groups.
Source: docs/hardware-model.md, "Memory". Not here: what the array does with a tile; callers bring those cycles.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property

from ...accel.dram import DramTiming
from ...accel.specification import BYTES_OF, Hardware
from ...dataflow.gemm import Gemm, Operand
from ..witness.machines.loop_nest import TileVisit, tile_extents, walk
from .block import Block, Moved
from .memory_requests import plain_cycles, timed_cycles
from .pieces import Piece, pieces
from .sparse_depth import SparseDepth, slots_in, taken_depth

SUM_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class TileWalk:
    """A product cut into tiles and walked in some loop order.

    Attributes:
        gemm: the product.
        hardware: the design.
        tile_m: rows of a full tile; see ``pieces`` under a window, all taps of some channels on a tap axis.
        tile_n: its columns.
        tile_k: its depth.
        order: block loops, outermost first.
        west: the operand in the west buffer.
    """

    gemm: Gemm
    hardware: Hardware
    tile_m: int
    tile_n: int
    tile_k: int
    order: str
    west: str

    # What a tile is --------------------------------------------------------------------------------------------------

    @cached_property
    def sizes_m(self) -> list[int]:
        """Rows of each tile along m."""
        return self._sizes("m", self.gemm.m, self.tile_m)

    @cached_property
    def sizes_n(self) -> list[int]:
        """Columns of each tile along n."""
        return self._sizes("n", self.gemm.n, self.tile_n)

    @cached_property
    def sizes_k(self) -> list[int]:
        """Depth of each tile along k."""
        return self._sizes("k", self.gemm.k, self.tile_k)

    @cached_property
    def pieces(self) -> list[Piece]:
        """The tiles along the axis of A's positions, under a window."""
        window = self.gemm.window
        assert window is not None, "a plain matrix has no images"
        return pieces(window, self.tile_m if self.gemm.position_axis == "m" else self.tile_k)

    def _sizes(self, axis: str, extent: int, tile: int) -> list[int]:
        if self.gemm.window is not None and axis == self.gemm.position_axis:
            return [piece.size for piece in self.pieces]
        return tile_extents(extent, tile)

    def start(self, axis: str, tile: int) -> int:
        """Where a tile begins along an axis."""
        if self.gemm.window is not None and axis == self.gemm.position_axis:
            return self.pieces[tile].start(self.gemm.window)
        return tile * {"m": self.tile_m, "n": self.tile_n, "k": self.tile_k}[axis]

    def slots(self, tile_k: int) -> int:
        """Accumulations for an output in a tile along k."""
        return slots_in(self.gemm, self.sizes_k[tile_k])

    def _kept_depth(self, operand: Operand, tile_k: int) -> Fraction:
        """Of the depth of a tile along k, what an operand keeps; all of it where it is dense."""
        depth = self.sizes_k[tile_k]
        return SparseDepth.of(self.gemm, operand).kept(depth) if operand in self.gemm.sparse else Fraction(depth)

    @property
    def depth(self) -> SparseDepth:
        """What the operand keeps along k that the array takes as pairs."""
        return taken_depth(self.gemm)

    def port_bytes(self, operand: Operand, side: int, tile_k: int) -> int:
        """Bytes of so many rows or columns of a compressed operand as they pass a port."""
        depth, kept = self.sizes_k[tile_k], math.ceil(side * self._kept_depth(operand, tile_k))
        return SparseDepth.of(self.gemm, operand).stored_bytes(kept, side * depth, self.value_bytes)

    # Bytes -----------------------------------------------------------------------------------------------------------

    @property
    def value_bytes(self) -> int:
        """Bytes of an operand value."""
        return BYTES_OF[self.hardware.tensor_engine.precision]

    def _whole_bursts(self, transfer_bytes: int) -> int:
        burst = self.hardware.dram.burst_bytes
        return math.ceil(Fraction(transfer_bytes, burst)) * burst

    def _cycles(self, transfer_bytes: int, run_bytes: int, stride_bytes: int, *, write: bool = False) -> int:
        if self.hardware.dram.timing is not None:
            return timed_cycles(self._memory, transfer_bytes, run_bytes, max(stride_bytes, run_bytes), write)
        dram, clock_hz = self.hardware.dram, self.hardware.clock_hz
        return plain_cycles(transfer_bytes, run_bytes, dram.run_overhead_bytes, dram.bytes_per_second, clock_hz)

    @cached_property
    def _memory(self) -> DramTiming:
        return DramTiming.of(self.hardware)

    def positions(self, tile: int) -> tuple[int, int]:
        """Positions fetched a channel for a tile along the position axis of A, and how many of them lie together."""
        gemm, window = self.gemm, self.gemm.window
        if window is None or not self.hardware.buffers.patch_expansion:
            size = (self.sizes_m if gemm.position_axis == "m" else self.sizes_k)[tile]
            return size, size
        piece = self.pieces[tile]
        return piece.images * math.prod(piece.reached(window)), piece.run(window)

    def _channels(self, tile: int) -> tuple[int, int]:
        """Values of A fetched a position for a tile along the tap axis, and how many of them lie together."""
        gemm = self.gemm
        sizes = self.sizes_k if gemm.tap_axis == "k" else self.sizes_m
        expands = self.hardware.buffers.patch_expansion
        together = sizes[tile] // gemm.taps
        if len(sizes) == 1 and not expands:
            together = sizes[tile]
        return (together if expands else sizes[tile]), together

    @cached_property
    def a_block(self) -> Callable[[int, int], Block]:
        """Gives the block of A that a tile needs, by the tile's place along m and k."""
        return cache(self._a_block)

    def _a_block(self, tile_m: int, tile_k: int) -> Block:
        on_positions, on_taps = (tile_m, tile_k) if self.gemm.position_axis == "m" else (tile_k, tile_m)
        positions, neighbours = self.positions(on_positions)
        values, together = self._channels(on_taps)
        whole = len(self.sizes_k if self.gemm.tap_axis == "k" else self.sizes_m) == 1
        elements = positions * values
        run = together * (neighbours if whole else 1) * self.value_bytes
        window = self.gemm.window if self.hardware.buffers.patch_expansion else None
        pitch = self.pieces[on_positions].pitch(window) if window else neighbours
        stride = (pitch * together if whole else self.gemm.channels) * self.value_bytes
        kept = math.ceil(elements * self._kept_depth("a", tile_k) / self.sizes_k[tile_k])
        return self._operand("a", elements, kept, run, stride)

    @cached_property
    def b_block(self) -> Callable[[int, int], Block]:
        """Gives the block of B that a tile needs, by the tile's place along k and n."""
        return cache(self._b_block)

    def _b_block(self, tile_k: int, tile_n: int) -> Block:
        gemm, depth, wide = self.gemm, self.sizes_k[tile_k], self.sizes_n[tile_n]
        taps = gemm.taps if gemm.tap_axis == "k" else 1
        whole_k, whole_n = len(self.sizes_k) == 1, len(self.sizes_n) == 1
        channels = depth // taps
        if gemm.b_contiguous == "n":
            run = (depth if whole_k else channels) * wide if whole_n else wide
            stride = gemm.n * (gemm.k // taps if whole_n else 1)
        else:
            run = channels * wide if whole_k else channels
            stride = gemm.k // taps * (gemm.n if whole_k else 1)
        kept = math.ceil(self._kept_depth("b", tile_k) * wide)
        in_bytes = run * self.value_bytes, stride * self.value_bytes
        if gemm.diagonal != "b":
            return self._operand("b", depth * wide, kept, *in_bytes)
        # Memory has the blocks of a pack alone, one behind the other; the buffer has the zeros around them too.
        own = depth * wide // gemm.packed * self.value_bytes
        in_blocks = math.ceil(self._kept_depth("b", tile_k) * wide / gemm.packed)
        block = self._operand("b", depth * wide // gemm.packed, in_blocks, own, own)
        pairs = self._whole_bursts(SparseDepth.of(gemm, "b").stored_bytes(kept, depth * wide, self.value_bytes))
        return replace(block, held_bytes=pairs if "b" in gemm.compressed else depth * wide * self.value_bytes)

    def _operand(self, operand: Operand, elements: int, kept: int, run_bytes: int, stride_bytes: int) -> Block:
        dense_bytes, here = elements * self.value_bytes, operand in self.gemm.on_chip
        if operand not in self.gemm.sparse:
            return self._block(dense_bytes, dense_bytes, run_bytes, stride_bytes, on_chip=here)
        own = SparseDepth.of(self.gemm, operand)
        stream = self._whole_bursts(own.stored_bytes(kept, elements, self.value_bytes))
        held_bytes = dense_bytes if operand in self.gemm.expanded else stream
        if operand in self.gemm.encoded_on_load:
            return self._block(held_bytes, dense_bytes, run_bytes, stride_bytes, on_chip=here)
        if self.gemm.reduced_on_load != operand:
            return self._block(held_bytes, stream, stream, stream, on_chip=here)
        lanes, group = self.hardware.reduction_engine.lanes, own.sparse.sorted_group
        return replace(
            self._block(held_bytes, dense_bytes, run_bytes, stride_bytes, on_chip=here),
            reduced_elements=elements,
            sort_cycles=math.ceil(Fraction(elements, group * lanes)) * group,
        )

    def _block(self, held_bytes: int, moved_bytes: int, run_bytes: int, stride_bytes: int, *, on_chip: bool) -> Block:
        if on_chip:
            return Block(held_bytes=held_bytes, moved_bytes=0, dram_cycles=0)
        cycles = self._cycles(moved_bytes, run_bytes, stride_bytes)
        return Block(held_bytes=held_bytes, moved_bytes=moved_bytes, dram_cycles=cycles)

    def c_block(self, tile_m: int, tile_n: int, element_bytes: int, *, write: bool) -> Block:
        """A block of C, partial sums or results."""
        rows, wide = self.sizes_m[tile_m], self.sizes_n[tile_n]
        together = rows
        if self.gemm.tap_axis == "m" and len(self.sizes_m) > 1:
            together = rows // self.gemm.taps
        alone = len(self.sizes_n) > 1 or self.gemm.scattered_result
        piece = min(wide, self.gemm.result_piece or wide)
        run = piece * (1 if alone else together) * element_bytes
        # From position to position, from a tap's channels to the next tap's; all in one piece otherwise.
        tapped = together if self.gemm.tap_axis == "k" else self.gemm.m // self.gemm.taps
        stride = self.gemm.n * (self.gemm.result_spacing if alone else tapped) * element_bytes
        size = self.asked_for(rows * wide) * element_bytes
        if self.gemm.diagonal == "c":
            # The blocks of a pack, one behind the other.
            run = stride = size
        cycles = self._cycles(size, run, stride, write=write)
        return Block(held_bytes=rows * wide * SUM_BYTES, moved_bytes=size, dram_cycles=cycles)

    def asked_for(self, elements: int) -> int:
        """Of the elements of a tile of C those that are asked for: of packed weight gradients the blocks' own."""
        return elements // self.gemm.packed if self.gemm.diagonal == "c" else elements

    # The walk --------------------------------------------------------------------------------------------------------

    @cached_property
    def visits(self) -> list[TileVisit]:
        """Every tile of one repetition, in order."""
        return list(walk(self.sizes_m, self.sizes_n, self.sizes_k, self.order, self.kept))

    def loads(self, visit: TileVisit) -> Iterator[tuple[str, Block]]:
        """What must come in for a tile."""
        m, n, k = visit.m_index, visit.n_index, visit.k_index
        if visit.loads_a:
            yield "a", self.a_block(m, k)
        if visit.loads_b:
            yield "b", self.b_block(k, n)
        if visit.reads_partial_sums:
            yield "sums", self.c_block(m, n, SUM_BYTES, write=False)

    def stores(self, visit: TileVisit) -> Iterator[tuple[str, Block]]:
        """What leaves after a tile."""
        if visit.writes_c == "partial":
            yield "partial", self.c_block(visit.m_index, visit.n_index, SUM_BYTES, write=True)
        elif visit.writes_c == "final":
            yield "final", self._finished(visit)

    def _finished(self, visit: TileVisit) -> Block:
        block = self.c_block(visit.m_index, visit.n_index, self.result_element_bytes, write=True)
        return replace(block, moved_bytes=0, dram_cycles=0) if "c" in self.gemm.on_chip else block

    @property
    def result_element_bytes(self) -> int:
        """Bytes of a finished element of C."""
        return {"sum": SUM_BYTES, "value": self.value_bytes}[self.gemm.result]

    @cached_property
    def moved(self) -> Moved:
        """What one repetition moves in all."""
        count: Counter[str] = Counter()
        moved: Counter[str] = Counter()
        held: Counter[str] = Counter()
        cycles = reduced = 0
        for visit in self.visits:
            for what, block in (*self.loads(visit), *self.stores(visit)):
                count[what] += 1
                moved[what] += block.moved_bytes
                held[what] += block.held_bytes
                cycles += block.cycles
                reduced += block.reduced_elements
        return Moved(
            a_fetches=count["a"],
            b_fetches=count["b"],
            partial_sum_reads=count["sums"],
            partial_sum_writes=count["partial"],
            result_writes=count["final"],
            a_bytes=moved["a"],
            b_bytes=moved["b"],
            a_held_bytes=held["a"],
            b_held_bytes=held["b"],
            partial_sum_read_bytes=moved["sums"],
            partial_sum_write_bytes=moved["partial"],
            result_bytes=moved["final"],
            reduced_elements=reduced,
            cycles=cycles,
        )

    # In the buffers --------------------------------------------------------------------------------------------------

    def capacity_bytes(self, what: str) -> int:
        """Of the buffer that an operand, or ``c``, lies in."""
        buffers = self.hardware.buffers
        if what == "c":
            return buffers.output.capacity_bytes
        return (buffers.west if what == self.west else buffers.north).capacity_bytes

    @cached_property
    def _blocks(self) -> dict[str, Callable[[int, int], int]]:
        return {
            "a": lambda m, k: self.a_block(m, k).held_bytes,
            "b": lambda n, k: self.b_block(k, n).held_bytes,
            "c": lambda m, n: SUM_BYTES * self.sizes_m[m] * self.sizes_n[n],
        }

    @cached_property
    def _alike(self) -> dict[str, list[tuple[int, int]]]:
        """By axis: one tile of each kind, and how many there are of it."""
        found = {}
        for axis, sizes in (("m", self.sizes_m), ("n", self.sizes_n), ("k", self.sizes_k)):
            found[axis] = [(sizes.index(size), count) for size, count in Counter(sizes).items()]
        return found

    def _room(self, what: str) -> tuple[int, int, int]:
        """Bytes of the largest block of an operand; of those inside the loop that it does not depend on; of all."""
        axes, free = {"a": ("mk", "n"), "b": ("nk", "m"), "c": ("mn", "k")}[what]
        inside = self.order[self.order.index(free) + 1 :]
        found = []
        for summed in ("", inside, axes):
            # Along what is not summed over, the largest.
            along = [self._alike[axis] for axis in axes]
            total: Counter[tuple[int, ...]] = Counter()
            for (first, times), (second, more) in itertools.product(*along):
                outside = tuple(place for axis, place in zip(axes, (first, second), strict=True) if axis not in summed)
                several = (times if axes[0] in summed else 1) * (more if axes[1] in summed else 1)
                total[outside] += several * self._blocks[what](first, second)
            found.append(max(total.values()))
        return found[0], found[1], found[2]

    def needed_bytes(self, what: str) -> int:
        """Bytes of its buffer with which an operand stays across the loop that it does not depend on."""
        return self._needed_bytes[what]

    @cached_property
    def _needed_bytes(self) -> dict[str, int]:
        found = {}
        for what in "abc":
            block, inside, everything = self._room(what)
            beside = (self.hardware.buffers.tiles_held - 1) * block
            found[what] = min(inside + beside, everything + (beside if self.gemm.count > 1 else 0))
        return found

    @cached_property
    def kept(self) -> str:
        """Of ``a``, ``b`` and ``c`` those that stay."""
        return "".join(what for what in "abc" if self.needed_bytes(what) <= self.capacity_bytes(what))

    @cached_property
    def fits(self) -> bool:
        """Whether tiles fit their buffers: as often as these hold tiles, or once where there are no more of them."""
        for what in "abc":
            block, _, everything = self._room(what)
            least = self.hardware.buffers.tiles_held * block
            if self.gemm.count == 1:
                least = min(least, everything)
            if least > self.capacity_bytes(what):
                return False
        return True

    # The operator's time ---------------------------------------------------------------------------------------------

    @cached_property
    def steps(self) -> list[tuple[TileVisit, int, int]]:
        """Every tile of all repetitions, with the cycles of its loads and of its stores."""
        one = [
            (
                visit,
                sum(block.cycles for _, block in self.loads(visit)),
                sum(block.cycles for _, block in self.stores(visit)),
            )
            for visit in self.visits
        ]
        return one * self.gemm.count

    def operator_cycles(self, tile_cycles: Callable[[TileVisit, TileVisit | None], int]) -> int:
        """Cycles of the product, all repetitions, DMA a tile ahead; ``tile_cycles`` of a tile and the one after it."""
        latency, steps = self.hardware.dram_latency_cycles, self.steps
        total = steps[0][1] + (latency if steps[0][1] else 0)
        for number, (visit, _, _) in enumerate(steps):
            load_next = steps[number + 1][1] if number + 1 < len(steps) else 0
            store_before = steps[number - 1][2] if number else 0
            waits = load_next + latency if load_next > 0 else 0
            following = steps[number + 1][0] if number + 1 < len(steps) else None
            total += max(tile_cycles(visit, following), waits, load_next + store_before)
        return total + steps[-1][2]
