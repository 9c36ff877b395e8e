"""A design taken apart: each component, what one of its pieces takes, and how many there are.

A piece is what is never split over two regions of a part: a row of the array, a bank of a buffer, a lane of an engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..specification import BYTES_OF, Hardware
from .amounts import Amounts, Estimate, exactly, total
from .edges import column_drain, row_sequencer, skew
from .engines import patterns_of, sorter_lane, update_lane, vector_lane
from .memories import Memory, memory_of
from .operators import Operators
from .processing_element import ElementShape, element

_STAY_ELSEWHERE = ("ws", "is")
_SUMS_STAY = "os"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component of a design.

    Attributes:
        name: in a word or two.
        piece: what one piece takes.
        count: pieces.
        group: components of one group lie together, piece by piece: the rows of the array.
        memory: of a buffer, its banks, which are block RAMs or UltraRAMs.
    """

    name: str
    piece: Estimate
    count: int
    group: str = ""
    memory: Memory | None = None

    @property
    def whole(self) -> Estimate:
        """What all pieces take."""
        return self.piece.times(self.count)


ROWS = "rows of the array"
"""The group of what lies with a row."""

NOT_COUNTED = (
    "memory controllers, DMA engines, PCI Express and clocking",
    "line buffers of patch expansion, and what sets zeros among values",
    "what finds zeros without a rule (exploits), and the adders of split columns",
)
"""What no component stands for."""


def components(hardware: Hardware, operators: Operators) -> tuple[Component, ...]:
    """Every component of a design.

    Raises:
        ConfigError: the table has no operator for the design's operands.
    """
    engine, shape = hardware.tensor_engine, element_shape(hardware)
    rows, precision = engine.rows * engine.units, engine.multiplied_as
    sums = engine.summed_as
    found = [
        Component(name=f"PE {name}", piece=exactly(amounts.times(engine.cols)), count=rows, group=ROWS)
        for name, amounts in _element(shape).items()
    ]
    for name, operator in (
        ("PE multipliers", operators.one("multiply", precision)),
        ("PE adders", operators.one("add", sums)),
    ):
        found.append(Component(name=name, piece=operator.times(engine.cols), count=rows, group=ROWS))
    found.append(Component(name="row sequencers", piece=exactly(row_sequencer(shape)), count=rows, group=ROWS))
    return (*found, *_edges(hardware, shape, operators.one("add", sums)), *_engines(hardware, operators))


def element_shape(hardware: Hardware) -> ElementShape:
    """What the PEs of a design are built for."""
    engine = hardware.tensor_engine
    own = set(engine.dataflows) - {_SUMS_STAY, *_STAY_ELSEWHERE}
    return ElementShape(
        group=max((each.group for each in patterns_of(hardware)), default=1),
        data_bits=8 * BYTES_OF[engine.precision],
        depth=engine.register_depth,
        multiplier_stages=engine.mac_latency - engine.accumulate_latency,
        adder_stages=engine.accumulate_latency,
        # A dataflow that this package does not know may keep either.
        sums_stay=_SUMS_STAY in engine.dataflows or bool(own),
        words_stay=any(name in engine.dataflows for name in _STAY_ELSEWHERE) or bool(own),
        shadowed=engine.overlapped,
        shifted_drain=engine.drain == "shift",
        vectors_both_ways=engine.compressed_west or engine.compressed_moving,
    )


_element = lru_cache(maxsize=256)(element)


def _edges(hardware: Hardware, shape: ElementShape, adder: Estimate) -> Iterator[Component]:
    engine = hardware.tensor_engine
    cols = engine.cols * engine.units
    yield Component(name="column drains", piece=exactly(column_drain(engine.rows, shape)), count=cols)
    skewed = exactly(skew(engine.rows, engine.cols, shape))
    yield Component(name="skew", piece=skewed, count=engine.units)
    yield Component(name="adders of partial sums", piece=adder, count=cols)
    for side, buffer in hardware.buffers.by_side.items():
        memory = memory_of(buffer)
        # A register on either side of the port; between them, at most, one of four sources a bit.
        bits = memory.width_bits
        port = Estimate(*(Amounts(luts=share * bits, flip_flops=2 * bits) for share in (0, 1, 2)))
        yield Component(name=f"{side} buffer", piece=port, count=memory.banks, memory=memory)


def _engines(hardware: Hardware, operators: Operators) -> Iterator[Component]:
    vector = hardware.vector_engine
    for name, lane, lanes in (
        ("reduction engine", sorter_lane(hardware), hardware.reduction_engine.lanes),
        ("update engine", update_lane(operators), hardware.update_engine.lanes),
        ("vector engine", vector_lane(operators), vector.lanes + vector.load_lanes),
    ):
        yield Component(name=name, piece=lane, count=lanes)


def logic(parts: tuple[Component, ...]) -> Estimate:
    """What all components take together, memories of buffers apart: which kind those are depends on the part."""
    return total(each.whole for each in parts)
