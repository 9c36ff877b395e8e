"""Area of a design as a chip of its own, in square millimetres by component: what a file in ``configs/area`` prices.

Modelled: multipliers, adders and registers by format and bit, multiplexers by choices and bits, memories by the
capacity of a bank, cells at some share of the area that they are placed in. Not modelled: wires, clock trees, pads,
memory controllers, and sequencers, which are small. Every figure is an interval; the registers are those of
``accel/rtl``, bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self

from pydantic import Field, PositiveFloat, model_validator

from ..configs.errors import ConfigError
from ..configs.provenance import Provenance
from ..configs.quantity import Bytes
from ..configs.schema import Loaded, load_annotated
from ..configs.section import Section
from .engines import OPTIMIZERS
from .resources.components import element_shape
from .resources.engines import sorter_shape
from .resources.processing_element import SUM_BITS, ElementShape, element, kept_bits
from .resources.sorter import sorter
from .specification import Hardware

_UM2_PER_MM2 = 1e6


class MemoryPoint(Section):
    """A memory bank."""

    capacity_bytes: Bytes = Field(gt=0, description="capacity of the bank")
    mm2: PositiveFloat = Field(description="area of the bank")


class AreaTable(Section):
    """Area of one of each kind of cell on one technology."""

    name: str = Field(description="name of the table")
    title: str = ""
    node_nm: PositiveFloat = Field(description="technology node")
    placed_share: float = Field(gt=0, le=1, description="area of cells over the area that they are placed in")
    multiply_um2: dict[str, PositiveFloat] = Field(description="one multiplier by the format of its operands")
    add_um2: dict[str, PositiveFloat] = Field(description="one adder by the format of the sums")
    register_um2_per_bit: PositiveFloat = Field(description="one register of a bit")
    multiplexer_um2_per_bit: PositiveFloat = Field(description="a choice of two, a bit")
    sram: tuple[MemoryPoint, ...] = Field(min_length=2, description="memory banks by rising capacity")

    @model_validator(mode="after")
    def _capacities_rise(self) -> Self:
        for index, (smaller, larger) in enumerate(pairwise(self.sram), start=1):
            if larger.capacity_bytes <= smaller.capacity_bytes:
                need = f"need more than the {smaller.capacity_bytes} before it"
                raise ValueError(f"sram.{index}.capacity_bytes: got {larger.capacity_bytes}, {need}")
        return self


class Area(NamedTuple):
    """Square millimetres, at the least, likeliest and at the most."""

    low: float
    value: float
    high: float

    def plus(self, other: Area) -> Area:
        """Both: all low, or all high at once."""
        return Area(self.low + other.low, self.value + other.value, self.high + other.high)

    def times(self, count: float) -> Area:
        """That many."""
        return Area(self.low * count, self.value * count, self.high * count)


NOTHING = Area(0, 0, 0)

FURTHEST = 4.0
"""How many times beyond the table's banks a memory may be; further out nothing is said."""


@dataclass(frozen=True, slots=True)
class Prices:
    """A table with its intervals."""

    loaded: Loaded[AreaTable]

    def cell(self, path: str, count: float = 1) -> Area:
        """Placed area of that many cells.

        Raises:
            ConfigError: the table has no such cell.
        """
        known = self.loaded.provenance.get(path)
        if known is None:
            field, _, key = path.rpartition(".")
            formats = ", ".join(getattr(self.loaded.model, field))
            raise ConfigError(f"area table {self.loaded.model.name}: {field}: got {key!r}, need one of {formats}")
        share = _ends(self.loaded.provenance["placed_share"])
        # The densest placement of the smallest cell is the least.
        cells = zip(_ends(known), reversed(share), strict=True)
        return Area(*(each / placed for each, placed in cells)).times(count / _UM2_PER_MM2)

    def bank(self, capacity_bytes: int) -> Area:
        """Area of a memory bank: a straight line in log-log between points, and along the last two beyond.

        Raises:
            ConfigError: a capacity further outside of the table than ``FURTHEST`` times.
        """
        points = self.loaded.model.sram
        first, last = points[0].capacity_bytes, points[-1].capacity_bytes
        if not first / FURTHEST <= capacity_bytes <= last * FURTHEST:
            need = f"need {first / FURTHEST:g} to {last * FURTHEST:g}"
            raise ConfigError(
                f"area table {self.loaded.model.name}: a bank of {capacity_bytes} bytes, {need}; try other banks"
            )
        above = next((at for at, point in enumerate(points) if point.capacity_bytes >= capacity_bytes), len(points) - 1)
        above = max(above, 1)
        low, high = points[above - 1], points[above]
        share = math.log(capacity_bytes / low.capacity_bytes) / math.log(high.capacity_bytes / low.capacity_bytes)
        ends = [_ends(self.loaded.provenance[f"sram.{at}.mm2"]) for at in (above - 1, above)]
        return Area(*(below * math.pow(over / below, share) for below, over in zip(*ends, strict=True)))


def load_area_table(name_or_path: str) -> Prices:
    """Load a shipped table by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    loaded = load_annotated(name_or_path, AreaTable, "area")
    for path, known in loaded.provenance.items():
        if known.range and not _ends(known)[0] <= known.value <= _ends(known)[-1]:
            raise ConfigError(f"{path}: got range {list(known.range)}, need two ends around {known.value}")
    return Prices(loaded)


def area(hardware: Hardware, prices: Prices) -> dict[str, Area]:
    """Square millimetres of a design by component.

    Raises:
        ConfigError: the table lacks a cell or a memory that the design has.
    """
    return dict((*_array(hardware, prices), *_buffers(hardware, prices), *_engines(hardware, prices)))


def document(hardware: Hardware, prices: Prices) -> dict[str, Any]:
    """The same as plain data, with the total."""
    parts = area(hardware, prices)
    whole = total(parts)
    return {
        "design": hardware.name,
        "table": prices.loaded.model.name,
        "mm2": {name: each._asdict() for name, each in parts.items()},
        "total_mm2": whole._asdict(),
    }


def total(parts: dict[str, Area]) -> Area:
    """All components together."""
    whole = NOTHING
    for each in parts.values():
        whole = whole.plus(each)
    return whole


def _array(hardware: Hardware, prices: Prices) -> Iterator[tuple[str, Area]]:
    engine, shape = hardware.tensor_engine, element_shape(hardware)
    pes = hardware.peak_macs_per_cycle
    sums = engine.summed_as
    yield "PE multipliers", prices.cell(f"multiply_um2.{engine.multiplied_as}", pes)
    yield "PE adders", prices.cell(f"add_um2.{sums}", pes)
    bits = sum(each.flip_flops for each in element(shape).values()) + kept_bits(shape)
    bits += 2 * shape.data_bits * shape.multiplier_stages + SUM_BITS * (shape.adder_stages - 1)
    yield "PE registers", prices.cell("register_um2_per_bit", bits * pes)
    yield "PE multiplexers", prices.cell("multiplexer_um2_per_bit", _choices(shape) * pes)
    yield "adders of partial sums", prices.cell(f"add_um2.{sums}", engine.cols * engine.units)


def _choices(shape: ElementShape) -> int:
    """Choices of two, a bit, in a PE: of a group, of words that stay, of sums and of results."""
    sides = 1 + shape.vectors_both_ways
    found = sides * (2 * shape.group - 1) * shape.data_bits + (shape.depth + 1) * SUM_BITS
    if shape.words_stay:
        found += ((2 + shape.shadowed) * shape.depth - 1) * shape.pair_bits
    if shape.sums_stay and shape.shifted_drain:
        found += (2 * shape.depth - 1) * SUM_BITS
    return found


def _buffers(hardware: Hardware, prices: Prices) -> Iterator[tuple[str, Area]]:
    for side, buffer in hardware.buffers.by_side.items():
        yield f"{side} buffer", prices.bank(-(-buffer.capacity_bytes // buffer.banks)).times(buffer.banks)


def _engines(hardware: Hardware, prices: Prices) -> Iterator[tuple[str, Area]]:
    group, kept, width = sorter_shape(hardware)
    lane = prices.cell("register_um2_per_bit", sorter(group, kept, width).flip_flops)
    # A comparison is an adder of the width; each slot takes one of two, and one of the slots leaves.
    lane = lane.plus(prices.cell("add_um2.int32", kept * width / 32))
    lane = lane.plus(prices.cell("multiplexer_um2_per_bit", 3 * kept * width))
    yield "reduction engine", lane.times(hardware.reduction_engine.lanes)
    rules = (OPTIMIZERS["sgd"], OPTIMIZERS["sgd-momentum"], OPTIMIZERS["adam"])
    multiply, add = prices.cell("multiply_um2.fp32"), prices.cell("add_um2.fp32")
    register = prices.cell("register_um2_per_bit")
    ends = [
        multiply[end] * rule.multiplies + add[end] * rule.accumulates
        + register[end] * 8 * (rule.read_bytes + rule.write_bytes)
        for end, rule in enumerate(rules)
    ]  # fmt: skip
    yield "update engine", Area(*ends).times(hardware.update_engine.lanes)
    vector = hardware.vector_engine
    one = multiply.plus(add).plus(register.times(3 * 32))
    # A unit for exponentials, divisions and roots: none at the least, two multipliers and adders at the most.
    more = Area(0, 1, 2)
    unit = Area(*((multiply[end] + add[end]) * more[end] for end in range(3)))
    yield "vector engine", one.plus(unit).times(vector.lanes + vector.load_lanes)


def _ends(known: Provenance) -> tuple[float, float, float]:
    low, high = known.range or (known.value, known.value)
    return low, known.value, high
