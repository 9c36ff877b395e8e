"""What a bit of DRAM takes by the currents of its devices: a file in ``configs/currents`` beside its timing set.

Micron's formulas (TN-40-07, after JESD79-4's definitions of the currents): what is drawn beyond standing by is an
activation's, a read's, a write's or a refresh's; standing by, with rows open, is everybody's. The interface is a driver
and a termination to the supply, which draw while a wire is low: half of the data, and one wire of each strobe.

Not here: power-down, self-refresh, the controller and its side of the interface, boards.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from pydantic import Field, PositiveFloat, PositiveInt

from ..configs.errors import ConfigError
from ..configs.schema import Loaded, load_annotated
from ..configs.section import Section
from .dram_timings import DramTimings

_LOW_WIRES_A_BIT = (8 / 2 + 1) / 8
"""Of eight data wires half are low, and of their two strobe wires one."""

_LEAST_BUSY = 1e-6
"""A channel that is used less stands by, and no bit says what that takes."""

_PICO = 1e12
_MILLI = 1e-3


class DramCurrents(Section):
    """Currents of one device, and how many make a channel."""

    name: str
    title: str = ""
    timing: str = Field(description="name or path of the timing set of the same channel")
    devices: PositiveInt = Field(description="devices of a rank, which work together")
    supply_volts: PositiveFloat = Field(description="VDD, and VDDQ of the interface")
    idd0_ma: PositiveFloat = Field(description="IDD0: one bank opened and closed every tRC")
    idd2n_ma: PositiveFloat = Field(description="IDD2N: standing by, all banks closed")
    idd3n_ma: PositiveFloat = Field(description="IDD3N: standing by, a bank open")
    idd4r_ma: PositiveFloat = Field(description="IDD4R: reading without a pause")
    idd4w_ma: PositiveFloat = Field(description="IDD4W: writing without a pause")
    idd5b_ma: PositiveFloat = Field(description="IDD5B: refreshing without a pause")
    pump_volts: PositiveFloat = Field(description="VPP")
    pump_ma: PositiveFloat = Field(description="IPP, standing by with a bank open")
    driver_ohms: PositiveFloat = Field(description="of whoever sends")
    termination_ohms: PositiveFloat = Field(description="to the supply, of whoever receives")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a channel is used.

    Attributes:
        opened_bytes: read or written of a row before it is closed.
        reads: share of the bytes that are read; the others are written.
        busy: share of the peak bandwidth.
    """

    opened_bytes: int
    reads: float = 0.5
    busy: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.reads <= 1:
            raise ConfigError(f"reads: got {self.reads:g}, need a share from 0 to 1")
        if not _LEAST_BUSY <= self.busy <= 1:
            raise ConfigError(f"busy: got {self.busy:g}, need a share from {_LEAST_BUSY:g} to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BitEnergy:
    """Picojoules a bit that is read or written.

    Attributes:
        rows: opening and closing them.
        columns: reading and writing within the devices.
        interface: wires, at both ends.
        standing_by: with rows open, over the time that a bit takes at this share of the peak.
        refresh: over that time.
    """

    rows: float
    columns: float
    interface: float
    standing_by: float
    refresh: float

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(getattr(self, each.name) for each in fields(self)))


def load_dram_currents(name_or_path: str) -> Loaded[DramCurrents]:
    """Load shipped currents by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    return load_annotated(name_or_path, DramCurrents, "currents")


def bit_energy(currents: DramCurrents, timing: DramTimings, access: Access) -> BitEnergy:
    """What a bit takes.

    Args:
        currents: of a device.
        timing: of the channel.
        access: how it is used.

    Raises:
        ConfigError: a row does not hold what is read of it, or less than a burst is.
    """
    if not timing.burst_bytes <= access.opened_bytes <= timing.row_bytes:
        need = f"need {timing.burst_bytes} (a burst) to {timing.row_bytes} (a row)"
        raise ConfigError(f"opened_bytes: got {access.opened_bytes}, {need}")
    # Joules of all devices for a milliampere over a clock.
    charge = currents.supply_volts * _MILLI * currents.devices / timing.clock_hz
    opened = currents.idd0_ma * timing.trc_clocks
    opened -= currents.idd3n_ma * timing.tras_clocks + currents.idd2n_ma * (timing.trc_clocks - timing.tras_clocks)
    column = access.reads * currents.idd4r_ma + (1 - access.reads) * currents.idd4w_ma - currents.idd3n_ma
    refreshed = (currents.idd5b_ma - currents.idd3n_ma) * timing.trfc_clocks / timing.trefi_clocks
    # A bit of the channel's width takes half a clock; at less than the peak it stands for longer.
    bits_a_clock = 2 * timing.channel_bits
    bit_seconds = 1 / (2 * timing.clock_hz)
    wire = currents.supply_volts**2 / (currents.driver_ohms + currents.termination_ohms)
    pumped = currents.pump_volts * currents.pump_ma * _MILLI * currents.devices / timing.clock_hz
    return BitEnergy(
        rows=_PICO * charge * opened / (8 * access.opened_bytes),
        columns=_PICO * charge * column / bits_a_clock,
        interface=_PICO * wire * bit_seconds * _LOW_WIRES_A_BIT,
        standing_by=_PICO * (charge * currents.idd3n_ma + pumped) / (bits_a_clock * access.busy),
        refresh=_PICO * charge * refreshed / (bits_a_clock * access.busy),
    )
