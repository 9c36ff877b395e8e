"""The DRAM bursts of one operator, in order, for simulators that play every one: Ramulator, Ramulator 2, DRAMsim3.

The products run one after another, tiles in loop order, the load of tile i+1 before the store of tile i-1, as the DMA
does. Every tensor has an address of its own. A burst that ends one run and begins the next is moved once. Not here:
work that rides on the write-back, updates, and when a burst is sent, since the array's waits are not the memory's.
Formats: Ramulator's memory trace (``0xADDR R``), the load-store trace of Ramulator 2 (``LD 0xADDR``), DRAMsim3's
(``0xADDR READ CYCLE``, with cycle 0: as fast as the memory takes them).
"""

from __future__ import annotations

import difflib
import gzip
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from ...configs.errors import ConfigError
from ...configs.whole_file import written_whole
from ...dataflow.schedule import Schedule
from ...dataflow.works import PlannedProduct, Work
from ..event.block import Block
from ..event.tile_walk import TileWalk
from ..witness.machines.loop_nest import TileVisit
from .tensor_layout import ProductLayout

FORMATS: dict[str, Callable[[int, bool], str]] = {
    "ramulator": lambda address, write: f"0x{address:x} {'W' if write else 'R'}\n",
    "ramulator2": lambda address, write: f"{'ST' if write else 'LD'} 0x{address:x}\n",
    "dramsim3": lambda address, write: f"0x{address:x} {'WRITE' if write else 'READ'} 0\n",
}
"""A line of a trace, by format."""


class Burst(NamedTuple):
    """One burst on its way."""

    address: int
    write: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTensor:
    """A tensor's place.

    Attributes:
        name: the product and the operand, such as ``conv1:FF A``.
        base: first address, on a burst.
        size_bytes: of all repetitions.
    """

    name: str
    base: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A trace that was written.

    Attributes:
        bursts: lines.
        reads: of them.
        cut: whether the limit cut it.
    """

    bursts: int
    reads: int
    cut: bool


def tensor_work(schedule: Schedule, operator: str) -> Work:
    """The operator of a schedule that has this name.

    Raises:
        ConfigError: the schedule has no such operator for the tensor engine.
    """
    works = {work.operator: work for work in schedule.works if work.products}
    if operator in works:
        return works[operator]
    near = difflib.get_close_matches(operator, works, n=3)
    hint = f"; try {', '.join(near)}" if near else f"; try {next(iter(works))}" if works else ""
    raise ConfigError(f"operator: got {operator!r}, need a product of {schedule.pruned.graph.name}{hint}")


@dataclass(frozen=True, kw_only=True)
class BurstTrace:
    """The bursts of one operator.

    Attributes:
        schedule: what it is part of.
        work: the operator.
    """

    schedule: Schedule
    work: Work

    @cached_property
    def layouts(self) -> tuple[ProductLayout, ...]:
        """Where the blocks of each product lie."""
        return tuple(ProductLayout(walk=self._walk(product)) for product in self.work.products)

    def _walk(self, planned: PlannedProduct) -> TileWalk:
        mapping = planned.mapping
        return TileWalk(
            gemm=planned.gemm,
            hardware=self.schedule.hardware,
            tile_m=mapping.tile_m,
            tile_n=mapping.tile_n,
            tile_k=mapping.tile_k,
            order=mapping.order,
            west=mapping.array.west,
        )

    @property
    def burst_bytes(self) -> int:
        """Bytes of a burst."""
        return self.schedule.hardware.dram.burst_bytes

    @cached_property
    def tensors(self) -> dict[str, PlacedTensor]:
        """Every tensor by name. Products of one operator read one A when it is as large for each (phases do)."""
        placed: dict[str, PlacedTensor] = {}
        free = 0
        for layout in self.layouts:
            sums = ("partial",) if any(visit.writes_c == "partial" for visit in layout.walk.visits) else ()
            stays = {{"c": "final"}.get(place, place) for place in layout.walk.gemm.on_chip}
            for what in (each for each in ("a", "b", "final", *sums) if each not in stays):
                name, size = self._tensor_name(layout, what), layout.walk.gemm.count * self._repetition(layout, what)
                if name not in placed:
                    placed[name] = PlacedTensor(name=name, base=free, size_bytes=size)
                    free += size
        return placed

    def _repetition(self, layout: ProductLayout, what: str) -> int:
        """Bytes from one repetition's tensor to the next one's: whole bursts."""
        return -(-layout.tensor_bytes(what) // self.burst_bytes) * self.burst_bytes

    def _tensor_name(self, layout: ProductLayout, what: str) -> str:
        gemm = layout.walk.gemm
        match what:
            case "a":
                alike = all(each.tensor_bytes("a") == layout.tensor_bytes("a") for each in self.layouts)
                return f"{self.work.operator if alike else gemm.name} A"
            case "b":
                return f"{gemm.name} B"
            case "final":
                return f"{gemm.name} C"
        # Sums that end as FP32 grow in their own place.
        return f"{gemm.name} C" if gemm.result == "sum" else f"{gemm.name} partial sums"

    def bursts(self) -> Iterator[Burst]:
        """Every burst, in order; made one at a time, for a step has thousands of millions."""
        for layout in self.layouts:
            yield from self._product_bursts(layout)

    def _product_bursts(self, layout: ProductLayout) -> Iterator[Burst]:
        waiting: deque[tuple[TileVisit, int]] = deque()
        for repetition in range(layout.walk.gemm.count):
            for visit in layout.walk.visits:
                for what, block in layout.walk.loads(visit):
                    yield from self._block_bursts(layout, what, block, visit, repetition)
                # While a tile is worked on, the next one comes in, and only then the one before it leaves.
                waiting.append((visit, repetition))
                if len(waiting) > 2:
                    yield from self._store_bursts(layout, *waiting.popleft())
        for left in waiting:
            yield from self._store_bursts(layout, *left)

    def _store_bursts(self, layout: ProductLayout, visit: TileVisit, repetition: int) -> Iterator[Burst]:
        for what, block in layout.walk.stores(visit):
            yield from self._block_bursts(layout, what, block, visit, repetition)

    def _block_bursts(
        self, layout: ProductLayout, what: str, block: Block, visit: TileVisit, repetition: int
    ) -> Iterator[Burst]:
        if not block.moved_bytes:
            return  # It stays on chip.
        size, write = self.burst_bytes, what in ("partial", "final")
        base = self.tensors[self._tensor_name(layout, what)].base + repetition * self._repetition(layout, what)
        last = -1
        for run in layout.runs(what, visit):
            begin, end = (base + run.start) // size, (base + run.start + run.size - 1) // size
            for number in range(begin + (begin == last), end + 1):
                yield Burst(number * size, write)
            last = end

    def write(self, path: Path, form: str, limit: int | None = None) -> Written:
        """Write the trace, whole or not at all, compressed when the path ends in ``.gz``.

        Args:
            path: the file.
            form: of ``FORMATS``.
            limit: most bursts; all when None.

        Raises:
            ConfigError: there is no such format.
        """
        if form not in FORMATS:
            near = difflib.get_close_matches(form, FORMATS, n=1)
            hint = f"; try {near[0]}" if near else ""
            raise ConfigError(f"format: got {form!r}, need one of {', '.join(FORMATS)}{hint}")
        line, count, reads = FORMATS[form], 0, 0
        with written_whole(path) as beside, _opened(beside) as file:
            for address, write in self.bursts():
                if count == limit:
                    return Written(bursts=count, reads=reads, cut=True)
                file.write(line(address, write))
                count += 1
                reads += not write
        return Written(bursts=count, reads=reads, cut=False)


def _opened(path: Path) -> TextIOWrapper:
    if path.suffix == ".gz":
        # No time and no name in the header: equal traces are equal files.
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=path.open("wb"), mtime=0, compresslevel=6)
        return TextIOWrapper(packed, encoding="ascii", newline="\n")
    return path.open("w", encoding="ascii", newline="\n")
