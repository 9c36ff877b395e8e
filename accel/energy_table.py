"""The price of one event of each kind, in picojoules: what a file in ``configs/energy`` says, validated.

Modelled: arithmetic by number format, PE registers, links and choices among operands by the bit, on-chip memories by
the capacity of one bank, DRAM by the bit and technology, leakage. Not modelled: data-dependent switching, voltage and
temperature, clock gating, refresh and row misses of DRAM. Sources stand in the files, value by value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from ..configs.errors import ConfigError
from ..configs.library import find, is_path
from ..configs.quantity import Bytes
from ..configs.schema import Loaded, load_annotated
from ..configs.section import Section
from .specification import Hardware

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SramPoint(Section):
    """What an access to one memory bank costs."""

    capacity_bytes: Bytes = Field(gt=0, description="capacity of the bank")
    read_pj_per_bit: Positive = Field(description="energy of a read, by the bit")
    write_pj_per_bit: Positive = Field(description="energy of a write, by the bit")
    leakage_mw: Positive = Field(description="leakage of the whole bank")


class Scaling(Section):
    """How figures of one node became those of the table's; stated for the reader, already in the figures."""

    from_node_nm: float = Field(gt=0, description="node of the figures that were scaled")
    node_ratio: float = Field(gt=0, description="energy at the table's node over energy at that node")
    fpga_factor: float = Field(default=1.0, ge=1, description="dynamic energy of an FPGA over standard cells")


@dataclass(frozen=True, slots=True, kw_only=True)
class SramEnergy:
    """What an access to a bank of some capacity costs, between the points of a table.

    Attributes:
        read_pj_per_bit: energy of a read, by the bit.
        write_pj_per_bit: energy of a write, by the bit.
        leakage_mw: leakage of the whole bank.
        note: what a report must say of these figures; empty when they lie inside the table.
    """

    read_pj_per_bit: float
    write_pj_per_bit: float
    leakage_mw: float
    note: str = ""


class EnergyTable(Section):
    """Energy of one event of each kind on one technology."""

    name: str = Field(description="name of the table")
    title: str = ""
    technology: str = Field(description="process or device, in words")
    node_nm: float = Field(gt=0, description="technology node")
    scaling: Scaling | None = Field(default=None, description="where the figures were scaled from")
    multiply_pj: dict[str, NonNegative] = Field(min_length=1, description="one multiplication by number format")
    accumulate_pj: dict[str, NonNegative] = Field(min_length=1, description="one addition by number format")
    register_pj_per_bit: NonNegative = Field(description="one write of a PE register")
    link_hop_pj_per_bit: NonNegative = Field(description="one hop from a PE to its neighbour")
    select_pj_per_bit: NonNegative | None = Field(
        default=None,
        description="one choice of two, a bit; a PE picks an operand out of a group of M by M - 1 of them. None: not "
        "counted, and reports say so",
    )
    sram: tuple[SramPoint, ...] = Field(min_length=1, description="memory banks by rising capacity")
    dram_pj_per_bit: dict[str, NonNegative] = Field(min_length=1, description="off-chip access by technology")
    compare_pj: NonNegative = Field(description="one comparison of the N:M reduction engine")
    vector_op_pj: NonNegative = Field(description="one floating-point operation of the vector engine")
    update_multiply_pj: NonNegative = Field(description="one FP32 multiplication of the update engine")
    update_accumulate_pj: NonNegative = Field(description="one FP32 addition of the update engine")
    pe_leakage_mw: NonNegative = Field(description="leakage of one PE")
    static_watts: NonNegative = Field(description="static power outside PEs and memories, whole device")

    @model_validator(mode="after")
    def _capacities_rise(self) -> Self:
        for index, (smaller, larger) in enumerate(pairwise(self.sram), start=1):
            if larger.capacity_bytes <= smaller.capacity_bytes:
                raise ValueError(
                    f"sram.{index}.capacity_bytes: got {larger.capacity_bytes}, "
                    f"need more than the {smaller.capacity_bytes} before it"
                )
        return self

    def multiply(self, number_format: str) -> float:
        """Picojoules of one multiplication.

        Raises:
            ConfigError: the table has no such number format.
        """
        return self._price(self.multiply_pj, "multiply_pj", number_format)

    def accumulate(self, number_format: str) -> float:
        """Picojoules of one addition to a running sum.

        Raises:
            ConfigError: the table has no such number format.
        """
        return self._price(self.accumulate_pj, "accumulate_pj", number_format)

    def dram(self, technology: str) -> float:
        """Picojoules of one bit to or from off-chip memory.

        Raises:
            ConfigError: the table has no such technology.
        """
        return self._price(self.dram_pj_per_bit, "dram_pj_per_bit", technology)

    def sram_of(self, bank_bytes: int) -> SramEnergy:
        """What an access costs in a bank of ``bank_bytes``.

        Between neighbouring points a straight line in log-log, since bit lines and word lines grow as
        powers of the capacity. Outside the points the nearest one holds, with a note.

        Raises:
            ConfigError: a capacity that is not positive.
        """
        if bank_bytes <= 0:
            raise ConfigError(f"bank_bytes: got {bank_bytes}, need a positive capacity")
        first, last = self.sram[0], self.sram[-1]
        if not first.capacity_bytes <= bank_bytes <= last.capacity_bytes:
            nearest = first if bank_bytes < first.capacity_bytes else last
            return SramEnergy(
                read_pj_per_bit=nearest.read_pj_per_bit,
                write_pj_per_bit=nearest.write_pj_per_bit,
                leakage_mw=nearest.leakage_mw,
                note=f"a bank of {bank_bytes} bytes is outside table {self.name}; "
                f"priced as one of {nearest.capacity_bytes} bytes",
            )
        above = next(point for point in self.sram if point.capacity_bytes >= bank_bytes)
        below = self.sram[max(self.sram.index(above) - 1, 0)]
        if bank_bytes == above.capacity_bytes:
            below = above
        return SramEnergy(
            read_pj_per_bit=_between(below, above, bank_bytes, below.read_pj_per_bit, above.read_pj_per_bit),
            write_pj_per_bit=_between(below, above, bank_bytes, below.write_pj_per_bit, above.write_pj_per_bit),
            leakage_mw=_between(below, above, bank_bytes, below.leakage_mw, above.leakage_mw),
        )

    def _price(self, prices: Mapping[str, float], field: str, key: str) -> float:
        if key not in prices:
            known = ", ".join(prices)
            raise ConfigError(f"energy table {self.name}: {field}: got {key!r}, need one of {known}")
        return prices[key]


def _between(below: SramPoint, above: SramPoint, bank_bytes: int, low: float, high: float) -> float:
    if below is above:
        return high
    share = math.log(bank_bytes / below.capacity_bytes) / math.log(above.capacity_bytes / below.capacity_bytes)
    return low * math.pow(high / low, share)


def load_energy_table(name_or_path: str) -> Loaded[EnergyTable]:
    """Load a shipped table by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    return load_annotated(name_or_path, EnergyTable, "energy")


def energy_table_of(design: Loaded[Hardware]) -> Loaded[EnergyTable]:
    """Load the energy table that a design names, and see that it prices what the design has.

    Raises:
        ConfigError: there is no such table, the table's file is wrong, or it lacks a price that the design needs; the
            message names file, line and field of the design.
    """
    hardware = design.model
    name = hardware.energy_table
    if is_path(name):
        # Beside the file that names it, wherever that is used from; as ``extends`` does.
        name = str(Path(design.document.place_of(("energy_table",)).file).parent / name)
    try:
        find("energy", name)
    except ConfigError as error:
        needed = str(error).partition(": ")[2]
        raise design.placed(ConfigError(f"energy_table: {needed}", field="energy_table")) from None
    loaded = load_energy_table(name)
    table = loaded.model
    engine = hardware.tensor_engine
    if engine.summed_as not in table.accumulate_pj:
        missing = (
            f"accumulate_pj: got no {engine.summed_as}, need it: {hardware.name} sums in {engine.summed_as.upper()}"
        )
        raise loaded.placed(ConfigError(missing, field="accumulate_pj"))
    multiplied = "precision" if engine.multiply_precision is None else "multiply_precision"
    for field, value, prices in (
        (f"tensor_engine.{multiplied}", engine.multiplied_as, table.multiply_pj),
        ("dram.technology", hardware.dram.technology, table.dram_pj_per_bit),
    ):
        if value not in prices:
            needed = f"one that energy table {table.name} prices: {', '.join(prices)}"
            raise design.placed(ConfigError(f"{field}: got {value!r}, need {needed}", field=field))
    for name, buffer in hardware.buffers.by_side.items():
        if buffer.capacity_bytes < buffer.banks:
            field = f"buffers.{name}.capacity_bytes"
            needed = f"at least a byte in each of the {buffer.banks} banks"
            raise design.placed(ConfigError(f"{field}: got {buffer.capacity_bytes}, need {needed}", field=field))
    return loaded
