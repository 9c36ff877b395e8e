"""The timing set of one DRAM channel: everything that a file in ``configs/dram`` says, validated.

Times are whole clocks of the memory's own command clock, on which data moves twice. A channel is what one command bus
serves: a DIMM's 64 bits, 16 bits of LPDDR4, a pseudo-channel of HBM. Not here: ranks beyond the first one's constraints
(a rank switch costs no bubble), power-down, per-bank refresh. Source: JESD79-4, JESD209-4, JESD235; each file cites its
numbers' own.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from ..configs.quantity import Hertz
from ..configs.schema import Loaded, load_annotated
from ..configs.section import Section

_LARGEST = 1 << 24
"""No count of a memory reaches this; what stays within it overflows nothing."""


class DramTimings(Section):
    """One channel of one kind of DRAM, at one speed."""

    name: str
    title: str = ""
    clock_hz: Hertz = Field(gt=0, le=1e12, description="command clock; two transfers a clock")
    channel_bits: int = Field(ge=8, le=1 << 16, multiple_of=8, description="data pins of the channel")
    burst_length: int = Field(ge=2, le=1 << 16, multiple_of=2, description="transfers of one column command")
    bank_groups: PositiveInt = Field(le=_LARGEST, description="bank groups; 1 where the kind has none")
    banks: PositiveInt = Field(le=_LARGEST, description="banks of a rank, in all groups together")
    ranks: PositiveInt = Field(le=_LARGEST, default=1, description="ranks; each adds its banks")
    row_bytes: PositiveInt = Field(le=_LARGEST, description="bytes of one open row over the whole channel")
    read_latency_clocks: PositiveInt = Field(le=_LARGEST, description="CL, column read to its first data")
    write_latency_clocks: PositiveInt = Field(le=_LARGEST, description="CWL, column write to its first data")
    trcd_clocks: PositiveInt = Field(le=_LARGEST, description="tRCD, activate to column command of the bank")
    trp_clocks: PositiveInt = Field(le=_LARGEST, description="tRP, precharge to activate of the bank")
    tras_clocks: PositiveInt = Field(le=_LARGEST, description="tRAS, activate to precharge of the bank")
    trc_clocks: PositiveInt = Field(le=_LARGEST, description="tRC, activate to activate of the bank")
    tccd_s_clocks: PositiveInt = Field(le=_LARGEST, description="tCCD_S, column to column in different bank groups")
    tccd_l_clocks: PositiveInt = Field(le=_LARGEST, description="tCCD_L, column to column in one bank group")
    trrd_s_clocks: PositiveInt = Field(le=_LARGEST, description="tRRD_S, activate to activate in different bank groups")
    trrd_l_clocks: PositiveInt = Field(le=_LARGEST, description="tRRD_L, activate to activate in one bank group")
    tfaw_clocks: PositiveInt = Field(le=_LARGEST, description="tFAW, window of at most four activates")
    twr_clocks: PositiveInt = Field(le=_LARGEST, description="tWR, last data written to precharge")
    twtr_s_clocks: PositiveInt = Field(
        le=_LARGEST, description="tWTR_S, last data written to a read of another bank group"
    )
    twtr_l_clocks: PositiveInt = Field(
        le=_LARGEST, description="tWTR_L, last data written to a read of the same bank group"
    )
    trtp_clocks: PositiveInt = Field(le=_LARGEST, description="tRTP, column read to precharge")
    trefi_clocks: PositiveInt = Field(le=_LARGEST, description="tREFI, average time between refreshes")
    trfc_clocks: PositiveInt = Field(le=_LARGEST, description="tRFC, time that a refresh takes from all banks")

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.banks % self.bank_groups:
            raise ValueError(f"banks: got {self.banks}, need a multiple of bank_groups ({self.bank_groups})")
        if self.row_bytes % self.burst_bytes:
            raise ValueError(f"row_bytes: got {self.row_bytes}, need whole bursts of {self.burst_bytes} bytes")
        if self.trc_clocks < self.tras_clocks:
            raise ValueError(f"trc_clocks: got {self.trc_clocks}, need at least tras_clocks ({self.tras_clocks})")
        for short, long in (("tccd_s", "tccd_l"), ("trrd_s", "trrd_l"), ("twtr_s", "twtr_l")):
            least, given = getattr(self, f"{short}_clocks"), getattr(self, f"{long}_clocks")
            if given < least:
                raise ValueError(f"{long}_clocks: got {given}, need at least {short}_clocks ({least})")
        if self.tccd_s_clocks < self.burst_clocks:
            need = f"the {self.burst_clocks} clocks of a burst: two column commands would share the pins"
            raise ValueError(f"tccd_s_clocks: got {self.tccd_s_clocks}, need at least {need}")
        if self.trfc_clocks >= self.trefi_clocks:
            raise ValueError(f"trfc_clocks: got {self.trfc_clocks}, need less than trefi_clocks ({self.trefi_clocks})")
        return self

    @property
    def burst_bytes(self) -> int:
        """Bytes of one column command."""
        return self.burst_length * self.channel_bits // 8

    @property
    def burst_clocks(self) -> int:
        """Clocks that a burst holds the data pins."""
        return self.burst_length // 2

    @property
    def bytes_per_second(self) -> float:
        """Peak bandwidth of the channel."""
        return 2 * self.clock_hz * self.channel_bits / 8

    @property
    def refresh_stretch(self) -> float:
        """What refresh makes of a second of work: tREFI over what of it is left."""
        return self.trefi_clocks / (self.trefi_clocks - self.trfc_clocks)


def load_dram_timings(name_or_path: str) -> Loaded[DramTimings]:
    """Load a shipped timing set by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    return load_annotated(name_or_path, DramTimings, "dram")
